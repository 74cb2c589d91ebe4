"""Names that the checkout's file system cannot hold, or not apart: tried in a folder of our own before the commit."""

import errno
import os
from collections.abc import Iterable

from sandbox.changes import Change
from sandbox.escape import escape
from sandbox.gate.collisions import compares_bytes
from sandbox.gate.preimages import Conflict
from sandbox.gate.syscalls import names_now

_CANNOT = (errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG, errno.EPERM, errno.EACCES, errno.ENOENT, errno.EPROTO)


def unfit(directory: int, changes: Iterable[Change]) -> list[Conflict]:
    """The changes whose path has a name that cannot be made in `directory`, an empty one of ours in the checkout.

    Past the commit such a name would leave the apply half done. Nothing is tried where every name can be held.
    Raises OSError for what has nothing to do with names: no space, an I/O error.
    """
    if compares_bytes(directory):
        return []
    verdicts: dict[bytes, str | None] = {}
    return [Conflict(change.path, reason) for change in changes if (reason := _problem(directory, change, verdicts))]


def _problem(directory: int, change: Change, verdicts: dict[bytes, str | None]) -> str | None:
    if change.after is None or change.before is not None:
        return None  # it stands there under this very name
    for name in change.path.split(b"/"):
        if name not in verdicts:
            verdicts[name] = _tried(directory, name)
        if verdicts[name]:
            return verdicts[name]
    return None


def _tried(directory: int, name: bytes) -> str | None:
    """What becomes of a file of this name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.close(os.open(name, flags, 0o600, dir_fd=directory))
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return f"has a name that the checkout's file system cannot hold: {escape(name)} ({error.strerror})"
    try:
        made = names_now(directory)
    finally:
        os.unlink(name, dir_fd=directory)
    if made == [name]:
        return None
    return f"would be called {' '.join(map(escape, made))} by the checkout's file system, and not {escape(name)}"
