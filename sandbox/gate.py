"""From a session's folder to its change set: what a sandbox wrote, held against the checkout."""

from pathlib import Path

from sandbox.blobs import Blobs
from sandbox.changes import ChangeSet
from sandbox.collect import collect
from sandbox.ignore import user_excludes
from sandbox.manifest import Manifest
from sandbox.sessions import Session


def frozen(session: Session) -> ChangeSet:
    """The change set of a session, contents copied into its blob store. No engine is asked.

    The caller makes sure that nothing writes meanwhile: the container is paused, or there is none.
    Raises: OutOfSpace, StateError.
    """
    if not session.manifest.exists():
        return ChangeSet()  # nothing runs before it is there (`sandbox.opening`), so nothing ever ran
    return collect(
        session.upper,
        Path(session.meta().checkout),
        manifest=manifest_of(session),
        blobs=Blobs(session.blobs),
        excludes=user_excludes(Path.home()),
        seen=Manifest.remembered(session.path / "seen"),
    )


def manifest_of(session: Session) -> Manifest:
    """What the checkout was when the session began. Raises StateError."""
    return Manifest.load(session.manifest)


def begin_manifest(session: Session) -> None:
    """Note what the checkout is now, before anything inside can run; a resumed session keeps its first note."""
    if not session.manifest.exists():
        Manifest.take(Path(session.meta().checkout)).save(session.manifest)
