"""How a command ended, in words: timeout, signal and exit code are three things, none guessed from a number."""

import signal

from sandbox.base import ExecResult

FIRST_SIGNALLED = 129
UNWATCHED = "outcome unknown: the process that watched it inside was killed, and whatever was left of it was stopped"


def ending(result: ExecResult, *, limit: float | None = None, meaning: str = "") -> str:
    """How it ended, empty if it simply worked. `limit` is what it was allowed to take, in seconds."""
    if result.timed_out:
        return f"timed out after {limit or result.seconds:g} s, and all its processes were stopped"
    if result.is_unwatched:
        return UNWATCHED
    if result.signal is not None:
        return f"killed by signal {signal_name(result.signal)}"
    if result.exit_code == 0:
        return ""
    meaning = meaning or told_by_a_shell(result.exit_code)
    return f"exit code {result.exit_code}" + (f" ({meaning})" if meaning else "")


def told_by_a_shell(exit_code: int) -> str:
    """What an exit code over 128 means if a shell gave it."""
    number = exit_code - FIRST_SIGNALLED + 1
    if number not in set(signal.Signals):
        return ""
    return f"a shell's word for signal {signal_name(number)}"


def signal_name(number: int) -> str:
    """A signal as people know it: `9 (SIGKILL)`."""
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)
