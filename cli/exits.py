"""Exit codes, and which error ends a command with which of them."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
LIMIT: Final = 3
NOBODY_TO_ASK: Final = 4
CONFLICT: Final = 5
NO_ENGINE: Final = 6
NO_IMAGE: Final = 7
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
TERMINATED: Final = 143


class CliError(Exception):
    """The command line itself cannot go on; the text says what to do next."""

    code: int = FAILED


class Misuse(CliError):
    """The command was asked for something that makes no sense here."""

    code = USAGE


class ApprovalNeeded(CliError):
    """A person has to say yes, and there is none."""

    code = NOBODY_TO_ASK


class ChangeSetMoved(CliError):
    """What was approved is not what lies at the gate any more."""

    code = CONFLICT


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception: nothing on the way up may take it for an ordinary failure."""


class LookInterrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of a look at what changed: what waits is not known, and nobody wants to wait to hear it."""


def code_of(error: Exception) -> int | None:
    """The exit code of an error whose text is meant for people; None for one that is a bug of ours."""
    from images.errors import ImageError
    from runtime.errors import ModelError
    from runtime.permissions.errors import PermissionsError
    from runtime.script import ScriptError
    from sandbox.errors import CheckoutRefused, EngineUnavailable, SandboxError, SessionNotFound

    match error:
        case CliError():
            return error.code
        case EngineUnavailable():
            return NO_ENGINE
        case ImageError():
            return NO_IMAGE
        case CheckoutRefused() | SessionNotFound() | ScriptError() | PermissionsError():
            return USAGE
        case SandboxError() | ModelError():
            return FAILED
        case _:
            return None
