"""What can go wrong around a sandbox.

    SandboxError
    ├── EngineUnavailable      no engine answers; nothing ever runs on the host instead
    │   └── SetupFailed        what is missing could not be installed or started
    ├── SandboxLost            the container or the engine went away mid-call: the call's outcome is unknown
    ├── NameTaken              the engine has a container of that name: somebody else is at the same work
    ├── Unmountable            the engine cannot mount a workspace; it can be carried over instead
    ├── CheckoutRefused        this folder cannot be a checkout (/, $HOME, a system folder …)
    ├── StateError             a file of ours on the host is damaged, foreign or from another version
    │   └── SessionNotFound    no such session
    ├── SessionBusy            another process holds this session, or is applying to this checkout
    ├── TooManyProcesses       as many background commands as there may be run already
    ├── PortClosed             nothing inside listens on a port, or what did broke the connection off
    ├── PortTaken              a port of this machine is in use, so nothing inside can be reached by it
    ├── OutOfSpace             the host's disk is full; nothing was written
    ├── ApplyUnfinished        a committed apply could not be finished here; the next command goes on with it
    ├── CommitRefused          commits cannot leave the sandbox, or none can be made; the repository is as it was
    └── FileError              one file operation inside failed; `kind` says how, and the model is told

A command that exits non-zero is not here: that is a result.
"""

from typing import Literal

FileErrorKind = Literal[
    "not-found",
    "hidden",
    "is-directory",
    "not-a-directory",
    "not-a-file",
    "denied",
    "too-large",
    "outside",
    "exists",
    "no-space",
    "other",
]


class SandboxError(Exception):
    """Something around the sandbox failed; the text is one sentence that says what to do next."""


class EngineUnavailable(SandboxError):
    """No engine answers, or it is too old, or we may not talk to it."""


class SetupFailed(EngineUnavailable):
    """The engine, or what builds images, could not be put there; the text says what to do by hand."""


class SandboxLost(SandboxError):
    """The sandbox died. Calls in flight have an unknown outcome; the workspace on the host is intact."""


class NameTaken(SandboxError):
    """The engine has a container of that name."""


class Unmountable(SandboxError):
    """The engine cannot mount a workspace: it does not see the host's folders, or has no overlay over them.

    `why` is that in a clause.
    """

    def __init__(self, text: str, why: str = "the engine does not see this machine's folders") -> None:
        super().__init__(text)
        self.why = why


class CheckoutRefused(SandboxError):
    """The folder cannot be worked on, and the text says why."""


class StateError(SandboxError):
    """A file we keep on the host cannot be trusted; the text names it."""


class SessionNotFound(StateError):
    """No session has this id, or this checkout has none."""


class SessionBusy(SandboxError):
    """Another live process holds what we need; the text names its pid where known."""


class TooManyProcesses(SandboxError):
    """No further command can be started in the background until one of them ends."""


class PortClosed(SandboxError):
    """Nothing inside answers on that port, or the connection broke off."""


class PortTaken(SandboxError):
    """The loopback port on the host that was asked for is in use; another one can be named."""


class OutOfSpace(SandboxError):
    """A write on the host found the disk full."""


class ApplyUnfinished(SandboxError):
    """An apply passed its commit point and then met an error; what is missing is done by the next command."""


class CommitRefused(SandboxError):
    """Commits cannot be taken out of a sandbox, or one cannot be made; the user's repository is as it was."""


class FileError(SandboxError):
    """A file operation inside the sandbox failed.

    `kind` is what callers branch on; `path` is the path as the caller gave it.
    """

    def __init__(self, kind: FileErrorKind, path: str, reason: str = "") -> None:
        super().__init__(f"{path}: {reason or kind.replace('-', ' ')}")
        self.kind = kind
        self.path = path
