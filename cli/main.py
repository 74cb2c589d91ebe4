"""The `paddock` command: one door in, and the only place where every error ends."""

import gc
import sys
from collections.abc import Sequence

VERSION_FLAGS = (["--version"], ["-V"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (README, "Exit codes"); never raises."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in VERSION_FLAGS:  # answered before anything is imported: scripts ask this on every start
        return _print_version()
    if argv is None:
        gc.disable()  # until work begins: all that is loaded stays, and to look through it again and again takes 40 ms
    from cli import exits, signals

    signals.prepare_streams()
    try:
        with signals.termination_raises():
            return _run(arguments)
    except exits.Terminated:
        _say("terminated")
        return exits.TERMINATED
    except KeyboardInterrupt:
        _say("interrupted")
        return exits.INTERRUPTED
    except BrokenPipeError:
        signals.abandon_stdout()
        return exits.PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person must read a sentence
        return _explain(error, debug="--debug" in arguments[:1] or _wants_debug())


def _run(arguments: list[str]) -> int:
    import typer

    from cli import exits
    from cli.app import app

    try:
        code = app(arguments, prog_name="paddock", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        _say(_sentence(error))
        return exits.USAGE
    except typer.Abort:
        return exits.INTERRUPTED
    except SystemExit as error:  # what typer makes of EPIPE, its only way out of here by exit
        sys.stdout = sys.__stdout__ or sys.stdout
        raise BrokenPipeError from error
    return code if isinstance(code, int) else exits.DONE


def _explain(error: Exception, *, debug: bool) -> int:
    """Say an error in one sentence and return its exit code; one we did not foresee asks to be reported."""
    from cli import exits

    if isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        return _explain(error.exceptions[0], debug=debug)
    code = exits.code_of(error)
    if debug:
        import traceback

        _say("".join(traceback.format_exception(error)).rstrip())
    if code is not None:
        _say(str(error))
        return code
    hint = "" if debug else "; `paddock --debug …` shows where"
    _say(f"this is a bug in paddock: {type(error).__name__}: {error}{hint}")
    return exits.FAILED


def _sentence(error: Exception) -> str:
    """A usage error in our voice: what is wrong, then where help is."""
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "paddock")
    text = getattr(error, "format_message", error.__str__)().replace("Invalid value: ", "").replace("Value error, ", "")
    return f"{text.rstrip('.')}: try `{command} --help`"


def _say(text: str) -> None:
    """A line on stderr; every part of it that could do harm to a terminal is spelled out."""
    from cli.screen.safe import lines

    try:
        for number, line in enumerate(lines(text)):
            sys.stderr.write(f"paddock: {line}\n" if number == 0 else f"  {line}\n")
        sys.stderr.flush()
    except OSError:  # nobody reads stderr any more; the exit code still speaks
        return


def _wants_debug() -> bool:
    from cli import environment

    return environment.read().debug


def _print_version() -> int:
    from cli.version import version

    sys.stdout.write(f"paddock {version()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
