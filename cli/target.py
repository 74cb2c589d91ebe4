"""What a command is about: a session and paths after it; and how such a command ends."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli import options

if TYPE_CHECKING:
    from cli.case import Case
    from cli.settled import Settled
    from sandbox.sessions import Session

SHORTEST_ID = 4


@dataclass(frozen=True)
class Target:
    """What a command is about: a session, and the paths named after it."""

    session: "Session"
    paths: tuple[str, ...]


def find(target: list[str] | None, directory: options.Directory) -> Target:
    """The session and paths a command is about; a first word that is no session's id is a path."""
    from cli import exits, place
    from cli.committing import say_unfinished
    from sandbox.errors import SessionNotFound

    here = place.place()
    first, *rest = target or [""]
    if first and re.fullmatch(r"[0-9a-f][0-9a-f-]*", first) and len(first) >= SHORTEST_ID:
        found = [session for session in here.sessions.all() if session.id.startswith(first)]
        if len(found) > 1:
            raise exits.Misuse(f"{first!r} names {len(found)} sessions: give more of the id")
        if found:
            place.recover_of(found[0])
            say_unfinished(found[0])
            return Target(found[0], tuple(rest))
    folder = place.checkout(directory)
    try:
        newest = here.sessions.newest(folder)
    except SessionNotFound as error:
        if first:
            raise SessionNotFound(f"{first!r} is no session, and {error}") from error
        raise
    say_unfinished(newest)
    return Target(newest, tuple(target or ()))


def case_of(target: Target, settings: str = "") -> "Case":
    """What lies at the gate of a target's session."""
    from cli.case import freeze

    return freeze(target.session, settings)


def identity(case: "Case") -> dict[str, object]:
    """Which change set of which session, for programs."""
    return {"session": case.session.id, "checkout": str(case.checkout), "change_set": case.changes.id}


def end(settled: "Settled") -> int:
    """The last line: the truth about the host; then the exit code."""
    from cli import place
    from cli.truth import sentence

    out = place.stdout()
    out.line(out.style(sentence(settled.truth), "bold"))
    return settled.code
