"""The frozen base: a copy of the checkout, made when a session begins and brought up to date when it goes on.

While a container runs, nothing writes to it: what the user saves meanwhile does not show inside. Before the next one
starts, it is made equal to the checkout again wherever the sandbox has nothing of its own; where it has, the old
version stays, because that is what the sandbox's was made of, and a merge has to begin there.
"""

import os
from collections.abc import Callable
from pathlib import Path

from sandbox.errors import StateError
from sandbox.gate.discard import remove_tree
from sandbox.gate.manifest import Manifest
from sandbox.gate.scan import FOLDER, UNKNOWN, pack
from sandbox.gate.syscalls import DIRECTORY, sync_file_system
from sandbox.hiding.hidden import Hidden
from sandbox.sessions import Session
from sandbox.workspace.base import Base, base_of, keep
from sandbox.workspace.copying import Uncopyable, copy_tree

LONGEST_WRITE = 1_000_000_000
"""Nanoseconds. The kernel notes the time of a write when it begins; one that goes on may be copied half done."""


class Facts:
    """The manifest of what was copied, as it grows."""

    def __init__(self, before: int, beat: Callable[[], None]) -> None:
        self._before = before
        self._beat = beat
        self._index: dict[bytes, int] = {}
        self._facts: list[bytes] = []

    def tell(self, path: bytes, facts: os.stat_result | None) -> None:
        """Note a path; what changed right before the beginning, or since, is compared by its content."""
        self._beat()
        if is_in_git(path):
            return
        self._index[path] = len(self._facts)
        self._facts.append(UNKNOWN if facts is None or self._is_young(facts) else pack(facts))

    def manifest(self) -> Manifest:
        """All of it."""
        return Manifest(self._index, b"".join(self._facts))

    def _is_young(self, facts: os.stat_result) -> bool:
        return pack(facts) != FOLDER and facts.st_ctime_ns >= self._before - LONGEST_WRITE


def copy_checkout(session: Session, hidden: Hidden, before: int, *, beat: Callable[[], None]) -> Manifest | None:
    """Copy the checkout into the session; what it was before that moment. None: it is not to be copied, or cannot be.

    The session lies on the live checkout then, which is kept with it. `beat` is called for every path, and ends the
    copy by raising. Raises StateError if a copy was asked for.
    """
    remove_tree(session.frozen)  # of a start that was cut short
    if base_of(session).kind != "frozen":
        return None
    facts = Facts(before, beat)
    try:
        _copy(session, hidden, facts)
    except (Uncopyable, OSError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        if session.meta().choice.base == "frozen":
            raise StateError(f"the checkout could not be copied: {reason}") from error
        remove_tree(session.frozen)
        keep(session, Base(kind="live", why=f"could not be copied: {reason}"))
        return None
    return facts.manifest()


def is_in_git(path: bytes) -> bool:
    """Whether a path is git's own, of which a manifest knows nothing: it is copied, and never leaves as files."""
    return b".git" in path and b".git" in path.split(b"/")


def flush(session: Session) -> None:
    """Make the copy survive a power loss: only then is the manifest written that trusts it. Raises OSError."""
    descriptor = os.open(session.frozen, DIRECTORY)
    try:
        sync_file_system(descriptor)
    finally:
        os.close(descriptor)


def _copy(session: Session, hidden: Hidden, facts: Facts) -> None:
    checkout = Path(session.meta().checkout)
    session.frozen.mkdir(mode=0o700)
    source = os.open(checkout, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        target = os.open(session.frozen, DIRECTORY)
        try:
            copy_tree(source, target, facts.tell, hidden=hidden)
            os.fchmod(target, os.fstat(source).st_mode & 0o777 | 0o700)
        finally:
            os.close(target)
    finally:
        os.close(source)
