"""`paddock gc`: take away what dead runs left on the engine, and old sessions that hold nothing."""

from typing import Annotated

import typer

from cli import options
from cli.words import count


def gc(
    days: Annotated[
        int, typer.Option("--days", min=0, metavar="N", help="Remove settled sessions older than N days.")
    ] = 30,
    yes: options.Yes = False,
) -> int:
    """Remove containers and volumes of dead runs, and old sessions without pending changes.

    A session with pending changes is always kept: `paddock sessions rm --discard ID` is the only way to lose them.
    What a removed session has applied stays applied, and can no longer be taken back.
    """
    from cli import exits, place, stored
    from cli.ask import Person, has_person
    from sandbox import leftovers, orphans

    here = place.place()
    out = place.stdout()
    old = stored.settled(here, days=days)
    lost = stored.farewell(sum(map(stored.undoable, old)))
    if old and not yes:
        if not has_person():
            raise exits.ApprovalNeeded(f"{_sessions(len(old))} would be removed: `paddock gc --yes` does it")
        warning = f" ({lost} then)" if lost else ""
        if not Person(out).confirm(
            f"remove {_sessions(len(old))} older than {days} days, with nothing pending{warning}?"
        ):
            old, lost = [], ""
    from sandbox.engine import Engine

    swept = orphans.sweep(Engine.connect())
    removed = sum(stored.remove(session) for session in old)
    leftovers.sweep(here.sessions)
    out.line(
        f"removed {count(swept.containers, 'container')}, {count(swept.volumes, 'volume')}, {_sessions(removed)}"
        + (f": {lost}" if lost else "")
    )
    return exits.DONE


def _sessions(number: int) -> str:
    return count(number, "session")
