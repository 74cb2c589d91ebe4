"""The mask: a layer of ours between what the sandbox writes and the checkout, which holds what is not to be seen.

An overlay takes the first of its lower layers that has a name. A whiteout there (a character device 0:0) makes the
name absent inside, and a file stands in for the one below. The layer cannot be written from inside, and what the
sandbox changes lies in another one: so no deletion can be mistaken, and a discard uncovers nothing.
"""

import errno
import os
import stat
from pathlib import Path

from sandbox.errors import OutOfSpace, StateError
from sandbox.gate.discard import remove_tree
from sandbox.gate.folders import above
from sandbox.gate.host import facts_at, opened_checkout
from sandbox.hiding.hidden import Hidden
from sandbox.sessions import Session


def lay(session: Session, checkout: Path, hidden: Hidden) -> None:
    """Make the session's mask anew. The caller holds the session, and nothing has the old one mounted.

    Raises: OutOfSpace; StateError where whiteouts cannot be made: then nothing may start.
    """
    lay_over(session.mask, checkout, hidden)


def lay_over(mask: Path, tree: Path, hidden: Hidden) -> None:
    """The same for any folder that is seen inside. Raises what `lay` raises."""
    try:
        remove_tree(mask)
        with opened_checkout(tree) as root:
            _Laying(root, mask).run(hidden)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpace(f"secrets cannot be hidden: {error.strerror}") from error
        raise StateError(
            f"secrets cannot be hidden under {mask} ({error.strerror}), so nothing was started: set "
            "XDG_STATE_HOME to a folder on a local file system"
        ) from error


class _Laying:
    """Makes the layer; the folders in it look as the checkout's own do, for they are what is seen inside."""

    def __init__(self, root: int, mask: Path) -> None:
        self._root = root
        self._mask = os.fsencode(mask)
        self._folders: list[bytes] = []
        self._known: set[bytes] = set()

    def run(self, hidden: Hidden) -> None:
        os.mkdir(self._mask, 0o700)
        absent = {secret.path for secret in hidden.secrets}
        for path in sorted({*absent, *hidden.coming}):
            self._make_folders(path)
            os.mknod(self._at(path), stat.S_IFCHR, os.makedev(0, 0))
        for path, content in hidden.replaced.items():
            if not any(folder in absent for folder in (path, *above(path))):
                self._make_folders(path)
                self._stand_in(path, content)
        for folder in (*reversed(self._folders), b""):
            _dress(self._at(folder), facts_at(self._root, folder) if folder else os.fstat(self._root))

    def _at(self, path: bytes) -> bytes:
        return os.path.join(self._mask, path) if path else self._mask

    def _make_folders(self, path: bytes) -> None:
        for folder in reversed(list(above(path))):
            if folder not in self._known:
                os.mkdir(self._at(folder), 0o700)
                self._folders.append(folder)
                self._known.add(folder)

    def _stand_in(self, path: bytes, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._at(path), flags, 0o600), "wb") as file:
            file.write(content)
        _dress(self._at(path), facts_at(self._root, path))


def _dress(path: bytes, facts: os.stat_result | None) -> None:
    """Give a file or folder of the mask the owner, mode and times of the one below; one that has gone keeps ours."""
    if facts is None:
        return
    own = os.lstat(path)
    if os.geteuid() == 0 and (own.st_uid, own.st_gid) != (facts.st_uid, facts.st_gid):
        os.chown(path, facts.st_uid, facts.st_gid, follow_symlinks=False)
    os.chmod(path, stat.S_IMODE(facts.st_mode))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
