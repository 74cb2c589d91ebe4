"""`paddock gc`: take away what dead runs left on the engine and on the disk, and old sessions that hold nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.words import count

if TYPE_CHECKING:
    from cli.place import Place
    from sandbox.engine import Engine
    from sandbox.orphans import Orphans
    from sandbox.sessions import Session


@dataclass(frozen=True)
class _Doomed:
    """What is to be removed: of the engine's, whole sessions, and files that crashes left in others."""

    orphans: "Orphans"
    shared: Sequence[str]
    sessions: "Sequence[Session]"
    files: Sequence[Path]


@dataclass(frozen=True)
class _Removed:
    """How much that is. `bytes` are those on the disk; `undoable` applies can no longer be taken back."""

    containers: int
    volumes: int
    sessions: int
    leftovers: int
    bytes: int
    undoable: int


def gc(
    days: Annotated[
        int,
        typer.Option(
            "--days", min=0, metavar="N", help="Remove settled sessions and unused volumes older than N days."
        ),
    ] = 30,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would be removed, and remove nothing.")
    ] = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> int:
    """Remove what dead runs left behind, volumes that serve nothing any more, and old sessions without pending changes.

    A session with pending changes is always kept: only `paddock discard` and `paddock sessions rm --discard` lose them.
    What a removed session has applied stays applied, and can no longer be taken back. What belongs to a process that
    lives, or to somebody else, is never touched.
    """
    from cli import environment, exits, place
    from sandbox.engine import Engine

    here = place.place()
    engine = Engine.connect(environment.of_engine())
    doomed = _doomed(here, engine, days)
    planned = _planned(doomed)
    if dry_run:
        _tell("would remove", planned, as_json=as_json)
        return exits.DONE
    if doomed.sessions and not yes and not _confirmed(planned, days):
        doomed = replace(doomed, sessions=())
    _tell("removed", _carry_out(doomed, here, engine, days), as_json=as_json)
    return exits.DONE


def _doomed(here: "Place", engine: "Engine", days: int) -> _Doomed:
    from cli import stored
    from sandbox import leftovers, shared, toolbox
    from sandbox.orphans import orphans

    stale = shared.stale(engine, {toolbox.volume_name()}, older=_age(days))
    return _Doomed(orphans(engine), stale, stored.settled(here, days=days), leftovers.left(here.sessions))


def _age(days: int) -> timedelta:
    """How old a volume for all has to be: one of today may be about to be used."""
    return timedelta(days=max(days, 1))


def _planned(doomed: _Doomed) -> _Removed:
    from cli import stored
    from sandbox.leftovers import room

    return _Removed(
        containers=len(doomed.orphans.containers),
        volumes=len(doomed.orphans.volumes) + len(doomed.shared),
        sessions=len(doomed.sessions),
        leftovers=len(doomed.files),
        bytes=sum(room(path) for path in (*doomed.files, *(session.path for session in doomed.sessions))),
        undoable=sum(map(stored.undoable, doomed.sessions)),
    )


def _carry_out(doomed: _Doomed, here: "Place", engine: "Engine", days: int) -> _Removed:
    """Remove it all, and count what really went."""
    from cli import stored
    from sandbox import leftovers, orphans, quota, shared, toolbox

    planned = _planned(doomed)
    swept = orphans.sweep(engine)
    volumes = shared.sweep(engine, {toolbox.volume_name()}, older=_age(days))
    removed = sum(stored.remove(session) for session in doomed.sessions)
    files = leftovers.sweep(here.sessions)
    quota.lift_limits(here.sessions, engine)
    left = _planned(doomed)
    return replace(
        planned,
        containers=len(swept.containers),
        volumes=len(swept.volumes) + volumes,
        sessions=removed,
        leftovers=files,
        bytes=planned.bytes - left.bytes,
        undoable=planned.undoable - left.undoable,
    )


def _confirmed(planned: _Removed, days: int) -> bool:
    """Whether a person lets the old sessions go. Raises ApprovalNeeded if there is nobody to ask."""
    from cli import exits, place, stored
    from cli.ask import Person, has_person

    sessions, lost = count(planned.sessions, "session"), stored.farewell(planned.undoable)
    if not has_person():
        raise exits.ApprovalNeeded(f"{sessions} would be removed: `paddock gc --yes` does it")
    warning = f" ({lost} then)" if lost else ""
    return Person(place.stdout()).confirm(f"remove {sessions} older than {days} days, with nothing pending{warning}?")


def _tell(verb: str, removed: _Removed, *, as_json: bool) -> None:
    from cli import place, stored
    from sandbox.limits import size

    if as_json:
        place.stdout().line(json.dumps({"dry_run": verb != "removed", **asdict(removed)}))
        return
    counted = (
        count(removed.containers, "container"),
        count(removed.volumes, "volume"),
        count(removed.sessions, "session"),
        count(removed.leftovers, "leftover"),
    )
    lost = stored.farewell(removed.undoable)
    place.stdout().line(f"{verb} {', '.join(counted)} · {size(removed.bytes)}{f': {lost}' if lost else ''}")
