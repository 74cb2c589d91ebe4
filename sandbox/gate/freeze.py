"""From a session's folder to its change set: what a sandbox wrote, held against the checkout."""

import os
from pathlib import Path

from sandbox.changes import ChangeSet
from sandbox.gate.blobs import Blobs
from sandbox.gate.collect import collect
from sandbox.gate.ignore import user_excludes
from sandbox.gate.manifest import Manifest
from sandbox.gate.pulse import OnProgress
from sandbox.gate.vanished import removed_by_calls
from sandbox.hiding.hidden import hidden_of
from sandbox.sessions import Session
from sandbox.workspace.base import frozen_base
from sandbox.workspace.tree import open_up


def frozen(session: Session, on_progress: OnProgress | None = None) -> ChangeSet:
    """The change set of a session, contents copied into its blob store. No engine is asked.

    The caller makes sure that nothing writes meanwhile: the container is paused, or there is none. `on_progress` hears
    how far it is several times a second; what it raises ends the look, and the next one begins as this one did.
    Raises: OutOfSpace, StateError.
    """
    if is_new(session) or _is_being_noted(session):
        return ChangeSet()
    checkout = Path(session.meta().checkout)
    if checkout.is_dir():
        open_up(session)
    return collect(
        session.upper,
        checkout,
        manifest=manifest_of(session),
        blobs=Blobs(session.blobs),
        excludes=user_excludes(Path.home()),
        seen=Manifest.remembered(session.path / "seen"),
        removed=removed_by_calls(session),
        hidden=hidden_of(session),
        frozen=frozen_base(session),
        on_progress=on_progress,
    )


def manifest_of(session: Session) -> Manifest:
    """What the checkout was when the session began; nothing is known if that look was cut short. Raises StateError."""
    if not session.manifest.exists():
        Manifest.unknown().save(session.manifest)
    return Manifest.load(session.manifest)


def is_new(session: Session) -> bool:
    """Whether nothing ever ran in it; only then can a look at the checkout say what the session began with."""
    return not session.manifest.exists() and _is_empty(session.upper)


def mark_beginning(session: Session) -> int:
    """This moment on the clock that ctime is taken from: what changes from now on has a ctime at or after it."""
    mark = session.path / "began"
    mark.unlink(missing_ok=True)
    mark.touch(mode=0o600)
    return mark.stat().st_ctime_ns


def note_checkout(session: Session, before: int) -> None:
    """Note what the checkout was before that moment; the sandbox may be running already. Raises OSError."""
    Manifest.take(Path(session.meta().checkout), before=before).save(session.manifest)


def _is_being_noted(session: Session) -> bool:
    """Whether another process is still looking at what the session began with: until then nobody can compare."""
    return not session.manifest.exists() and session.is_held_elsewhere()


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True  # a crash came before it was made
