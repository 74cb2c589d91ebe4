"""The checkout as it is now, read by directory descriptors: never through a link, never onto another file system."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator

from sandbox.changes import Directory, File, Link, Node
from sandbox.errors import CheckoutRefused
from sandbox.gate.blobs import hash_fd
from sandbox.gate.syscalls import DIRECTORY, FILE, names_now, open_beneath, type_word
from sandbox.gate.upper import is_blocked, is_gone

OWNER_EXECUTES = 0o100
"""The bit that says whether a file is executable; git looks at the same one."""

_CHUNK = 1024 * 1024

ReadFile = Callable[[int], File | None]
"""Turns an open regular file into its digest and size; None if it is more than may be read."""


class Unusable(Exception):
    """An entry that is neither a file, a link nor a folder we can read; the text says why."""


@contextlib.contextmanager
def opened(root: int, path: bytes) -> Iterator[int]:
    """The folder `path` below `root`, open. Raises the OSErrors of `open_beneath`."""
    descriptor = open_beneath(root, path)
    try:
        yield descriptor
    finally:
        shut(descriptor)


def shut(descriptor: int) -> None:
    """Close what was only read through: whatever that says, nothing is lost by it."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


@contextlib.contextmanager
def opened_checkout(path: os.PathLike[str]) -> Iterator[int]:
    """A checkout's root, open. Raises CheckoutRefused if it is gone, or is no folder any more."""
    try:
        descriptor = os.open(path, DIRECTORY)
    except OSError as error:
        raise CheckoutRefused(f"{os.fspath(path)} cannot be opened: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        shut(descriptor)


def names_in(root: int, path: bytes) -> list[bytes] | None:
    """What the folder `path` below `root` holds, sorted; None if there is no such folder."""
    try:
        with opened(root, path) as directory:
            return sorted(names_now(directory))
    except OSError as error:
        if is_gone(error) or is_blocked(error):
            return None
        raise


def lstat(directory: int, name: bytes) -> os.stat_result | None:
    """What an entry is, links not followed; None if there is none."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None  # no such name can exist here
        raise


def facts_at(root: int, path: bytes) -> os.stat_result | None:
    """What an entry below `root` is, no link followed; None if there is none, or it cannot be reached."""
    folder, _, name = path.rpartition(b"/")
    try:
        with opened(root, folder) as directory:
            return lstat(directory, name)
    except OSError:
        return None


def node_at(directory: int, name: bytes, *, read: ReadFile = hash_fd) -> tuple[Node | None, os.stat_result | None]:
    """What stands at a name, and its facts as they were when the content had been read; (None, None) if nothing.

    Raises Unusable with the reason.
    """
    facts = lstat(directory, name)
    if facts is None:
        return None, None
    try:
        match stat.S_IFMT(facts.st_mode):
            case stat.S_IFDIR:
                return Directory(), facts
            case stat.S_IFLNK:
                return Link(os.readlink(name, dir_fd=directory)), facts
            case stat.S_IFREG:
                return _file_at(directory, name, read)
            case _:
                raise Unusable(f"is a {type_word(facts.st_mode)}")
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from error


def _file_at(directory: int, name: bytes, read: ReadFile) -> tuple[Node, os.stat_result]:
    descriptor = os.open(name, FILE, dir_fd=directory)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise Unusable(f"is a {type_word(facts.st_mode)}")
        content = read(descriptor)
        if content is None:
            raise Unusable(f"is too large to review ({facts.st_size:,} bytes)")
        facts = os.fstat(descriptor)
        return File(content.digest, content.size, bool(facts.st_mode & OWNER_EXECUTES)), facts
    finally:
        os.close(descriptor)


def same_content(first: int, second: int) -> bool:
    """Whether two open regular files hold the same bytes."""
    if os.fstat(first).st_size != os.fstat(second).st_size:
        return False
    position = 0
    while True:
        chunk = os.pread(first, _CHUNK, position)
        if chunk != os.pread(second, _CHUNK, position):
            return False
        if not chunk:
            return True
        position += len(chunk)
