"""Copy entries of the user's tree as they are: by directory descriptors, through no link, onto no other file system.

The user may go on working meanwhile. A file that is written to while it is copied is copied again; one that never holds
still is taken as it was caught, and its facts are then not known, so that the gate compares its content.
"""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sandbox.escape import escape
from sandbox.gate.host import lstat, shut
from sandbox.gate.names import is_reserved
from sandbox.gate.syscalls import FILE, names_now, open_beneath
from sandbox.hiding.hidden import NOTHING, Hidden

TRIES = 3
_FICLONE = 0x40049409
_CHUNK = 1024 * 1024
_LARGE = 64 * 1024  # bytes from which on sharing blocks is cheaper than writing them
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT_BITS = 0o7777

Tell = Callable[[bytes, os.stat_result | None], None]
"""Hears of every path that was copied, with the source's facts; None where they are not those of what was copied."""


class Uncopyable(Exception):
    """Something that a copy would not show as it is; the text says what and why."""


@dataclass(frozen=True)
class _Folder:
    path: bytes
    facts: os.stat_result


def copy_tree(source: int, target: int, tell: Tell, *, hidden: Hidden = NOTHING) -> None:
    """Copy what an open folder holds into an open, empty one; sockets, fifos, devices and what is hidden are left out.

    What lies on another file system is an empty folder, as it is below an overlay. Raises Uncopyable, OSError.
    """
    waiting = [b""]
    folders: list[_Folder] = []
    while waiting:
        path = waiting.pop()
        with opened_or_none(source, path) as here:
            if here is None:
                continue
            with _opened(target, path) as there:
                for name in names_of(here, path):
                    below = path + b"/" + name if path else name
                    found = None if is_unseen(hidden, below) else lstat(here, name)
                    if found is not None and stat.S_ISDIR(found.st_mode):
                        os.mkdir(name, 0o700, dir_fd=there)
                        tell(below, found)
                        folders.append(_Folder(below, found))
                        waiting.append(below)
                    elif found is not None and is_copied(found):
                        copy_entry(here, there, name, partial(tell, below))
    for folder in reversed(folders):  # their times last: every entry that is made in one moves them
        with _opened(target, folder.path) as there:
            give_facts(there, folder.facts)


def copy_entry(
    source: int, target: int, name: bytes, tell: Callable[[os.stat_result | None], None], *, under: bytes = b""
) -> None:
    """Copy one file or link from one open folder into another, `under` another name if one is given.

    One that is gone by now is left out, and not told. Raises Uncopyable if it cannot be read, OSError.
    """
    made = under or name
    try:
        found = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), made, dir_fd=target)
            _give_link_facts(target, made, found)
            tell(found)
        elif stat.S_ISREG(found.st_mode):
            tell(_copy_file(source, target, name, made))
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Uncopyable(f"{escape(name)} cannot be read: {error.strerror}") from error
        raise


def _copy_file(source: int, target: int, name: bytes, made: bytes) -> os.stat_result | None:
    """Copy a regular file; its facts, if they were the same before and after."""
    reading = os.open(name, FILE, dir_fd=source)
    try:
        before = os.fstat(reading)
        if not stat.S_ISREG(before.st_mode):
            return None
        writing = os.open(made, _NEW, 0o600, dir_fd=target)
        try:
            for number in range(TRIES):
                before = os.fstat(reading)
                _copy_content(reading, writing, before.st_size, is_again=number > 0)
                after = os.fstat(reading)
                if is_same_state(before, after):
                    give_facts(writing, after)
                    return after
            give_facts(writing, before)
            return None
        finally:
            os.close(writing)
    finally:
        shut(reading)


def _copy_content(reading: int, writing: int, size: int, *, is_again: bool) -> None:
    if size >= _LARGE and clone(reading, writing):
        return
    if is_again:
        os.ftruncate(writing, 0)
    position = 0
    while position < size and (piece := os.pread(reading, min(_CHUNK, size - position), position)):
        position += os.pwrite(writing, piece, position)


def clone(reading: int, writing: int) -> bool:
    """Make a file share all blocks of another, where the file system can: no content is copied."""
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError:
        return False
    return True


def is_same_state(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether nothing was written to a file between two looks, as far as the kernel's times are fine enough to say."""
    return (one.st_size, one.st_mtime_ns, one.st_ctime_ns) == (other.st_size, other.st_mtime_ns, other.st_ctime_ns)


def is_copied(facts: os.stat_result) -> bool:
    """Whether it is a file or a link: of anything else a copy would be something else."""
    return stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)


def is_unseen(hidden: Hidden, path: bytes) -> bool:
    """Whether the mask over the copy has this, or nothing in its place."""
    return path in hidden.replaced or hidden.covers(path)


def give_facts(descriptor: int, facts: os.stat_result) -> None:
    """Give an open file or folder of ours these rights and times: tools like make go by them."""
    if (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):  # only root can give to others; see `sandbox.workspace.base`
            os.fchown(descriptor, facts.st_uid, facts.st_gid)
    os.fchmod(descriptor, facts.st_mode & _KEPT_BITS)
    os.utime(descriptor, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _give_link_facts(target: int, name: bytes, facts: os.stat_result) -> None:
    if (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(PermissionError):
            os.chown(name, facts.st_uid, facts.st_gid, dir_fd=target, follow_symlinks=False)
    os.utime(name, ns=(facts.st_atime_ns, facts.st_mtime_ns), dir_fd=target, follow_symlinks=False)


def names_of(directory: int, path: bytes) -> list[bytes]:
    """What an open folder holds; at the top without what is ours in the middle of an apply."""
    return [name for name in names_now(directory) if path or not is_reserved(name)]


@contextlib.contextmanager
def opened_or_none(root: int, path: bytes) -> Iterator[int | None]:
    """A folder of the user's, open; None if it is gone or no folder any more, or lies on another file system.

    Raises Uncopyable if it may not be read.
    """
    try:
        descriptor = open_beneath(root, path)
    except PermissionError as error:
        raise Uncopyable(f"{escape(path)} cannot be read: {error.strerror}") from error
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
            raise
        yield None
        return
    try:
        yield descriptor
    finally:
        shut(descriptor)


@contextlib.contextmanager
def _opened(root: int, path: bytes) -> Iterator[int]:
    descriptor = open_beneath(root, path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
