"""Drop what a sandbox wrote: all of it or single paths, while nothing runs on it.

Everything goes by directory descriptors and never follows a link: the names and links below `upper` are hostile. The
walk is iterative, because a tool can nest directories deeper than Python's stack.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from sandbox.errors import FileError, StateError
from sandbox.gate.manifest import Manifest
from sandbox.gate.syscalls import DIRECTORY, names_now
from sandbox.gate.upper import OPAQUE
from sandbox.sessions import Session


def discard_all(session: Session) -> None:
    """Drop every change of a session. The caller holds the session.

    The old tree is first moved aside in one step, so that a crash leaves either all changes or none.
    """
    _forget(session, [b""])
    mode = stat.S_IMODE(session.upper.lstat().st_mode)
    trash = session.path / f"discarded-{os.urandom(4).hex()}"
    session.upper.rename(trash)
    session.upper.mkdir(mode=0o700)
    session.upper.chmod(mode)
    remove_tree(trash)
    discard_git(session)


def discard_git(session: Session) -> None:
    """Drop what was written in git's folders outside the checkout, in one step. The caller holds the session."""
    if session.git.exists():
        trash = session.path / f"discarded-{os.urandom(4).hex()}"
        session.git.rename(trash)
        remove_tree(trash)


def discard_paths(session: Session, checkout: Path, paths: Iterable[bytes]) -> None:
    """Drop the changes at these paths (relative to the checkout) and below them. The caller holds the session.

    Raises: FileError("other") for a path inside a folder that was deleted or replaced as a whole: it cannot come back
    alone, and the text names the folder to discard instead.
    """
    gone = sorted(paths)
    _forget(session, gone)
    for path in gone:
        _discard(session, checkout, path)


def _forget(session: Session, paths: Iterable[bytes]) -> None:
    """Void what was decided about the contents that go: should the sandbox write them again, that is a new change."""
    with contextlib.suppress(StateError):  # nothing was noted yet, or nothing that can be read
        Manifest.load(session.manifest).forget_settled(paths)


def remove_tree(path: Path) -> None:
    """Delete a file, link or whole tree of any depth, whatever its modes. An absent one is fine."""
    with _opened(os.fsencode(path.parent)) as parent:
        _remove(parent, os.fsencode(path.name))


def _discard(session: Session, checkout: Path, path: bytes) -> None:
    parts = path.rstrip(b"/").split(b"/")
    if not path or any(part in (b"", b".", b"..") for part in parts):
        raise StateError(f"{os.fsdecode(path)!r} is not a path below the checkout")
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(_opened(os.fsencode(session.upper)))]
        for number, part in enumerate(parts[:-1]):
            above = b"/".join(parts[: number + 1])
            if not _is_merged(folders[-1], part, above):
                return  # nothing was written below here
            folders.append(stack.enter_context(_opened(part, folders[-1])))
        _remove(folders[-1], parts[-1])
        _prune(folders, parts, checkout)


def _is_merged(folder: int, name: bytes, above: bytes) -> bool:
    """Whether `name` is a folder whose lower entries still shine through. False if the upper does not hold it."""
    try:
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(facts.st_mode):
        with _opened(name, folder) as opened:
            if not _is_opaque(opened):
                return True
    shown = os.fsdecode(above)
    raise FileError("other", shown, "was deleted or replaced as a whole: discard it as a whole")


def _is_opaque(folder: int) -> bool:
    try:
        return os.getxattr(folder, OPAQUE) == b"y"
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise


def _prune(folders: list[int], parts: list[bytes], checkout: Path) -> None:
    """Take away the folders that only held what was discarded, deepest first; those of the checkout may stay."""
    for depth in range(len(folders) - 1, 0, -1):
        relative = b"/".join(parts[:depth])
        if os.path.lexists(os.path.join(os.fsencode(checkout), relative)):
            return
        try:
            os.rmdir(parts[depth - 1], dir_fd=folders[depth - 1])
        except OSError:  # it holds other changes
            return


def _remove(parent: int, name: bytes) -> None:
    """Delete `name` below the folder `parent`, depth first, with two open descriptors at any depth.

    The way up is `..` of the child: nothing runs here that could move it in between.
    """
    if _removed(parent, name):
        return
    folder = _entered(parent, name)
    try:
        trail = [(name, _emptied(folder))]
        while trail:
            current, left = trail[-1]
            below = left.pop() if left else b".."
            above, folder = folder, _entered(folder, below)
            os.close(above)
            if below == b"..":
                os.rmdir(current, dir_fd=folder)
                trail.pop()
            else:
                trail.append((below, _emptied(folder)))
    finally:
        os.close(folder)


def _emptied(folder: int) -> list[bytes]:
    """Delete what takes one step each in a folder; the folders that have to be emptied first."""
    return [name for name in names_now(folder) if not _removed(folder, name)]


def _removed(parent: int, name: bytes) -> bool:
    """Delete `name` if that takes one step. False: it is a folder that holds something."""
    try:
        facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return True
    if not stat.S_ISDIR(facts.st_mode):
        os.unlink(name, dir_fd=parent)
        return True
    try:
        os.rmdir(name, dir_fd=parent)  # overlay's own scratch folder is root's, but empty and in a folder of ours
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _entered(parent: int, name: bytes) -> int:
    """A descriptor of a folder, made ours to empty if a tool took its permissions away."""
    try:
        folder = os.open(name, DIRECTORY, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        folder = os.open(name, DIRECTORY, dir_fd=parent)
    facts = os.fstat(folder)
    if facts.st_mode & 0o700 != 0o700 and facts.st_uid == os.geteuid():
        os.fchmod(folder, 0o700)
    return folder


@contextlib.contextmanager
def _opened(path: bytes, parent: int | None = None) -> Iterator[int]:
    folder = os.open(path, DIRECTORY, dir_fd=parent)
    try:
        yield folder
    finally:
        os.close(folder)
