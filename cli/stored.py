"""Sessions on disk, as the commands that list and remove them see them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from sandbox.errors import SandboxError, SessionBusy, StateError
from sandbox.sessions import Meta, Session

if TYPE_CHECKING:
    from cli.place import Place

State = Literal["running", "pending", "settled", "unreadable"]


@dataclass(frozen=True)
class Stored:
    """One session: what it is, and what of it still waits. `pending` counts changes; None where nobody can tell."""

    session: Session
    state: State
    meta: Meta | None
    pending: int | None
    problem: str = ""


def look(session: Session) -> Stored:
    """What a session is now. Never raises: one that cannot be read is listed with the reason."""
    from cli.case import freeze

    try:
        meta = session.meta()
    except StateError as error:
        return Stored(session, "unreadable", None, None, str(error))
    if session.is_held():
        return Stored(session, "running", meta, None)
    try:
        pending = len(freeze(session).changes.pending)
    except (SandboxError, OSError) as error:
        return Stored(session, "unreadable", meta, None, str(error))
    return Stored(session, "pending" if pending else "settled", meta, pending)


def settled(here: "Place", *, days: int) -> Sequence[Session]:
    """Sessions that hold nothing anyone would miss and are older than so many days."""
    limit = datetime.now(UTC) - timedelta(days=days)
    found = [look(session) for session in here.sessions.all()]
    return [
        one.session for one in found if one.state == "settled" and one.meta is not None and one.meta.created < limit
    ]


def remove(session: Session) -> bool:
    """Delete a session's folder; False if a live process holds it. Raises EngineUnavailable where that takes one."""
    from cli import environment
    from sandbox import leftovers, scratch

    def clear() -> None:
        if scratch.is_foreign(session):
            from sandbox.engine import Engine

            scratch.clear(session, Engine.connect(environment.of_engine()))

    try:
        leftovers.remove(session, clear)
    except SessionBusy:
        return False
    return True


def undoable(session: Session) -> int:
    """How many applies of a session could still be taken back; 0 for one whose records cannot be read."""
    from sandbox.gate.undo import standing

    try:
        return len(standing(session))
    except StateError:
        return 0


def farewell(applies: int) -> str:
    """What is said, before and after, of sessions that go with what an undo would need; nothing if there is none."""
    if not applies:
        return ""
    return f"{applies:,} {'apply' if applies == 1 else 'applies'} can no longer be taken back"


def as_json(one: Stored) -> dict[str, object]:
    """A session for programs."""
    row: dict[str, object] = {
        "id": one.session.id,
        "state": one.state,
        "pending": one.pending,
        "path": str(one.session.path),
    }
    if one.meta is not None:
        row |= one.meta.model_dump(
            mode="json", include={"kind", "title", "checkout", "created", "image", "image_name", "model"}
        )
        row["profile"] = one.meta.choice.profile
    return row | ({"problem": one.problem} if one.problem else {})


def facts(one: Stored) -> Iterator[tuple[str, str]]:
    """A session for people: names and values."""
    yield "session", one.session.id
    if one.meta is not None:
        yield "kind", one.meta.kind
        yield "title", one.meta.title
        yield "checkout", one.meta.checkout
        yield "started", f"{one.meta.created.astimezone():%Y-%m-%d %H:%M} ({age(one.meta.created)} ago)"
        yield "image", f"{one.meta.image_name} ({one.meta.image.removeprefix('sha256:')[:12]})"
        yield "profile", " · ".join(filter(None, (one.meta.choice.profile, one.meta.choice.runtime)))
        if one.meta.model:
            yield "model", one.meta.model
    yield "state", f"{one.pending} pending" if one.state == "pending" else one.state
    if one.problem:
        yield "problem", one.problem
    yield "kept in", str(one.session.path)


def age(moment: datetime) -> str:
    """How long ago, in the one unit that matters."""
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
