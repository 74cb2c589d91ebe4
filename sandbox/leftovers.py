"""What a crash can leave in our own state folder: half-removed sessions, and files that never got their name."""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sandbox.errors import SessionBusy
from sandbox.gate.discard import remove_tree
from sandbox.sessions import Session, Sessions, is_session_id

OLD = 3600.0
"""Seconds after which a file without its name is nobody's any more: writing one takes less."""

_REMOVED = re.compile(r"\.(.+)\.removed")


def remove(session: Session, prepare: Callable[[], None] = lambda: None) -> None:
    """Delete a session's folder, and all that is in it. `prepare` is called first. Raises SessionBusy.

    It is moved aside in one step while we hold it: a crash leaves all of it, or nothing that any list would show.
    """
    doomed = session.path.with_name(f".{session.id}.removed")
    with session.hold():
        prepare()
        session.path.rename(doomed)
    remove_tree(doomed)  # only now: on NFS a folder stays for as long as a file of it is open, and the lock was


def sweep(sessions: Sessions, *, older: float = OLD) -> int:
    """Remove what crashes left; how much that was. A session that runs is left alone.

    `older` is in seconds: how long nobody must have written a file that never got its name.
    """
    doomed = left(sessions, older=older)
    for path in doomed:
        with contextlib.suppress(OSError):  # another user's files in it: `paddock doctor` is where that is mended
            remove_tree(path)
    return sum(not os.path.lexists(path) for path in doomed)


def left(sessions: Sessions, *, older: float = OLD) -> Sequence[Path]:
    """What such a sweep removes."""
    doomed = list(_half_removed(sessions))
    for session in sessions.all():
        with contextlib.suppress(SessionBusy), session.hold():
            doomed += _unnamed(session, before=time.time() - older)
    return doomed


def room(path: Path) -> int:
    """Bytes that a file or a folder of ours takes on the disk; what cannot be read there counts as nothing."""
    try:
        total = path.lstat().st_blocks
        for folder, names, files in os.walk(path):
            for name in (*names, *files):
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_blocks
    except FileNotFoundError:
        return 0
    return 512 * total


def _half_removed(sessions: Sessions) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(sessions.folder):
            found = _REMOVED.fullmatch(name)
            if found and is_session_id(found[1]):
                yield sessions.folder / name


def _unnamed(session: Session, *, before: float) -> Iterator[Path]:
    """Files that were being written when their writer died, and trees that were being discarded."""
    yield from session.path.glob("discarded-????????")
    for path in (*session.path.glob("*.partial"), *session.blobs.glob(".partial-*")):
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < before:
                yield path
