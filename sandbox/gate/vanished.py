"""Deletions that an overlay does not record: of what an apply has brought into a folder that the sandbox had made.

While it is mounted, an overlay takes a folder made inside for one of the upper layer alone. What is removed from it
leaves no whiteout, although the checkout has the same folder since the apply, and the next mount would show it again.
So the notes are asked: what a call removed without a trace, and the checkout holds as this session left it, was
deleted. What a person discarded has gone from the upper layer, too, but by no call.
"""

import os
import stat
from collections.abc import Collection

from sandbox.gate.folders import above
from sandbox.gate.host import lstat, opened
from sandbox.gate.manifest import Manifest
from sandbox.gate.origin import Origin
from sandbox.gate.provenance import history
from sandbox.gate.upper import is_opaque
from sandbox.sessions import Session


def removed_by_calls(session: Session) -> Collection[bytes]:
    """What calls took out of the upper layer with no trace. Without an apply, the checkout can hold none of it."""
    if not session.approvals.exists():
        return ()
    return history(session).removed()


def vanished(removed: Collection[bytes], upper: int, manifest: Manifest, origin: Origin | None = None) -> list[bytes]:
    """What of that is deleted: the topmost of each, where the folder around it is the sandbox's own.

    `upper` is the upper layer, open. A frozen base (`origin`) does not get what an apply brings, so there it is the
    same at the top of the checkout; what the base does hold would have left a whiteout.
    """
    tops = {top for path in removed if path in manifest and (top := _top_missing(upper, path, origin))}
    return sorted(top for top in tops if not tops & set(above(top)))


def hide(upper: int, path: bytes) -> None:
    """Make the whiteout that is missing. Only while nothing has the upper layer mounted. Raises OSError."""
    folder, _, name = path.rpartition(b"/")
    with opened(upper, folder) as directory:
        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=directory)


def _top_missing(upper: int, path: bytes, origin: Origin | None) -> bytes:
    """The first part of a path that the upper layer lacks, if its folder is there and hides nothing; else empty."""
    for top in (*reversed(list(above(path))), path):
        folder, _, name = top.rpartition(b"/")
        try:
            with opened(upper, folder) as directory:
                if lstat(directory, name) is None:
                    shows_below = folder == b"" if origin is None else origin.holds(top)
                    return b"" if shows_below or is_opaque(directory) else top
        except OSError:
            return b""
    return b""
