"""Read an overlay's upper directory: entries, whiteouts, opaque folders; nothing in it is believed or followed.

Mounted with `userxattr`, the kernel writes its marks where an unprivileged process can read them: a whiteout is a
character device 0:0, an opaque folder carries `user.overlay.opaque` = "y". The same attribute set from inside arrives
as `user.overlay.overlay.opaque`, which means nothing here. Whiteouts written as attributes (`user.overlay.whiteout`)
are never made by a mount of ours.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sandbox.errors import StateError
from sandbox.gate.syscalls import DIRECTORY, open_beneath

Kind = Literal["file", "directory", "link", "whiteout", "special"]

OnUnreadable = Callable[[bytes, OSError], None]

OPAQUE = "user.overlay.opaque"
"""What the kernel marks a folder with that hides the one below it."""

LONGEST = 64 * 1024
"""Bytes of a folder's path. The kernel takes 4,096 in one call; but a folder can be made in a folder without end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder of the upper layer, and what it means to the overlay. A folder may hold a million."""

    name: bytes
    kind: Kind


@dataclass
class Level:
    """One folder: open as `descriptor` until the next one is asked for.

    `opaque`: nothing of the checkout's folder shines through, because of a mark here or on a folder above; the kernel
    only marks the topmost. What the reader puts into `descend` is visited next.
    """

    path: bytes
    descriptor: int
    opaque: bool
    entries: list[Entry]
    descend: list[bytes] = field(default_factory=list)

    def below(self, name: bytes) -> bytes:
        """The path of an entry."""
        return self.path + b"/" + name if self.path else name

    def facts(self, name: bytes) -> os.stat_result:
        """What lstat says of an entry. Raises OSError."""
        return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)


def kind_of(facts: os.stat_result) -> Kind:
    """What an entry with these facts means to the overlay."""
    match stat.S_IFMT(facts.st_mode):
        case stat.S_IFREG:
            return "file"
        case stat.S_IFDIR:
            return "directory"
        case stat.S_IFLNK:
            return "link"
        case stat.S_IFCHR if facts.st_rdev == 0:
            return "whiteout"
        case _:
            return "special"


def levels(root: int, on_unreadable: OnUnreadable, *, start: bytes = b"") -> Iterator[Level]:
    """Every folder below an open directory that the reader asks for, parents first, each opened from the root anew.

    The first is `start`. Opened so, a folder that is moved or swapped for a link while we read is an error and not a
    way out; and depth costs neither stack nor descriptors. Errors go to `on_unreadable` with the path.
    """
    waiting: list[tuple[bytes, list[bytes], bool]] = [(b"", [start], False)]
    while waiting:
        parent, names, hidden = waiting[-1]
        if not names:
            waiting.pop()
            continue
        name = names.pop()
        path = parent + b"/" + name if parent else name
        try:
            level = _open_level(root, path, hidden)
        except OSError as error:
            on_unreadable(path, error)
            continue
        try:
            yield level
        finally:
            os.close(level.descriptor)
        if level.descend:
            waiting.append((path, sorted(level.descend, reverse=True), level.opaque))


def _open_level(root: int, path: bytes, hidden: bool) -> Level:
    if len(path) > LONGEST:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    descriptor = open_beneath(root, path)
    try:
        with os.scandir(descriptor) as entries:
            found = [Entry(os.fsencode(entry.name), _kind(entry)) for entry in entries]
        found.sort(key=lambda entry: entry.name)
        return Level(path, descriptor, hidden or is_opaque(descriptor), found)
    except BaseException:
        os.close(descriptor)
        raise


@contextlib.contextmanager
def opened_upper(path: Path) -> Iterator[int]:
    """The upper layer of a session, open. Raises StateError."""
    try:
        descriptor = os.open(path, DIRECTORY)
    except OSError as error:
        raise StateError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _kind(entry: "os.DirEntry[str]") -> Kind:
    """The same as the listing has it, so that nothing is asked of the common ones."""
    if entry.is_file(follow_symlinks=False):
        return "file"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "link" if entry.is_symlink() else kind_of(entry.stat(follow_symlinks=False))


def is_opaque(descriptor: int) -> bool:
    """Whether an open folder of the upper layer hides the checkout's folder of the same path."""
    with contextlib.suppress(OSError):
        return os.getxattr(descriptor, OPAQUE) == b"y"
    return False


def is_gone(error: OSError) -> bool:
    """Whether an error says that there is nothing at a path."""
    return error.errno == errno.ENOENT


def is_blocked(error: OSError) -> bool:
    """Whether an error says that a link or a file stands where a folder was expected."""
    return error.errno in (errno.ELOOP, errno.ENOTDIR)
