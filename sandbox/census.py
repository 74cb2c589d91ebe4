"""What of ours runs on an engine, and for whom: every container with our label, and sessions that wait without one.

Nothing is started, paused or looked into for it: what a session has changed is taken from its notes.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sandbox.engine import Engine
from sandbox.errors import SandboxLost, StateError
from sandbox.gate.notes import path_of
from sandbox.gate.provenance import history
from sandbox.present import Usage
from sandbox.sessions import Meta, Session, Sessions

State = Literal["running", "paused", "starting", "ending", "idle"]
STATES: Mapping[str, State] = {"running": "running", "paused": "paused", "created": "starting"}
LARGEST_NOTES = 8 * 1024 * 1024
"""Bytes of notes that are read for a count; a list of what runs has to be there at once."""
AT_ONCE = 16
"""Containers whose use is asked for at the same time: an engine may think about each for a second."""


@dataclass(frozen=True)
class Member:
    """A sandbox. Sizes are bytes, times UTC; None stands where nobody can tell, or there is nothing to tell of.

    `idle`: a process holds the session, and there is no container. `session` is empty for a helper of ours; `meta` is
    None for it and for a session of another state folder. `is_orphan`: whoever made it is dead, and nothing will end
    it but a sweep. `changed` counts files that calls have changed so far, whatever became of them.
    """

    session: str
    state: State
    owner: int | None
    is_orphan: bool = False
    container: str = ""
    started: datetime | None = None
    memory: int | None = None
    processes: int | None = None
    meta: Meta | None = None
    changed: int | None = None


def census(engine: Engine, sessions: Sessions) -> Sequence[Member]:
    """All of them, the newest container first, then the idle ones. Raises EngineUnavailable, StateError."""
    known = {session.id: session for session in sessions.all()}
    present = engine.present()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        usages = threads.map(lambda one: _usage(engine, one.owned.id), present)
    found = [
        Member(
            session=one.owned.owner.session,
            state=STATES.get(one.status, "ending"),
            owner=one.owned.owner.pid,
            is_orphan=not one.owned.owner.is_alive(),
            container=one.owned.id,
            started=datetime.fromtimestamp(one.created, UTC),
            memory=usage.memory,
            processes=usage.processes,
            meta=(meta := _meta(known.get(one.owned.owner.session))),
            changed=_changed(known[one.owned.owner.session]) if meta is not None else None,
        )
        for one, usage in zip(present, usages, strict=True)
        if usage is not None
    ]
    found.sort(key=lambda one: one.started or datetime.min.replace(tzinfo=UTC), reverse=True)
    return [*found, *_idle(known.values(), but={one.session for one in found})]


def _idle(sessions: Iterable[Session], *, but: set[str]) -> list[Member]:
    return [
        Member(session.id, "idle", session.holder(), meta=_meta(session), changed=_changed(session))
        for session in sessions
        if session.id not in but and session.is_held()
    ]


def _usage(engine: Engine, container: str) -> Usage | None:
    """What it uses, or None if it is gone, whatever the engine's list says."""
    try:
        return engine.usage(container)
    except SandboxLost:
        return None


def _meta(session: Session | None) -> Meta | None:
    if session is None:
        return None
    try:
        return session.meta()
    except StateError:
        return None


def _changed(session: Session) -> int | None:
    """How many files calls have changed, by the notes; ignored ones and folders are not counted."""
    try:
        if path_of(session).stat().st_size > LARGEST_NOTES:
            return None
    except FileNotFoundError:
        return 0
    return sum(trace.kind not in ("gone", "directory", "opaque") for trace in history(session).last().values())
