"""Take files of the upper directory into the blob store, or say why they stay; ignored ones only when they moved."""

import os
import stat
import time

from sandbox.changes import File
from sandbox.gate.blobs import Blobs
from sandbox.gate.host import OWNER_EXECUTES, Unusable, lstat, same_content
from sandbox.gate.ignore import Ignored
from sandbox.gate.manifest import Manifest, Renewal
from sandbox.gate.syscalls import FILE
from sandbox.gate.upper import Level

TOTAL_LIMIT = 4 * 1024**3
"""Bytes that one look takes in, all files together: the store lies on the user's disk. Ignored files have their own."""

NAMES_LIMIT = 512 * 1024 * 1024
"""Bytes of all paths of one look together: a million of the usual ones take a tenth of it."""

_SPARSE = 16 * 1024 * 1024  # bytes from which on a file that is nearly all holes is not worth its size on our disk
_SETTLED = 2_000_000_000  # nanoseconds: a change time this old cannot be that of a later write too
_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


class Stays(Exception):
    """A file that cannot leave the sandbox; the text says why."""


class Contents:
    """What collecting reads through.

    A sandbox that installs packages leaves tens of thousands of ignored files; hashing them at the end of every turn
    would take seconds. Their facts decide instead (the change time is the kernel's, no program can set it), from the
    second look on. Whatever is not ignored is hashed every time. `ignored` are those of the files taken that are.
    """

    def __init__(
        self, blobs: Blobs, limit: int, ignored: Ignored, seen: Manifest | None, *, room: int = TOTAL_LIMIT
    ) -> None:
        self.limit = limit
        self.ignored: set[bytes] = set()
        self._blobs = blobs
        self._ignored = ignored
        self._seen = seen
        self._learned: dict[bytes, Renewal] = {}
        self._names = NAMES_LIMIT
        self._room = {False: room, True: room}  # what is ignored must not crowd out what is not

    def changed(self, path: bytes, *, directory: int, host: int | None) -> File | None:
        """The content of the sandbox's file at `path`, kept; None if the checkout's equals it in all that travels.

        The file's folder is open as `directory`, and the checkout's of the same path as `host`, if there is one.
        Raises: Stays; Unusable if the checkout's file cannot be read; OSError; OutOfSpace.
        """
        name = path.rpartition(b"/")[2]
        descriptor = os.open(name, FILE, dir_fd=directory)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Stays("was replaced while it was being read")
            if host is not None and _is_same(name, descriptor, facts, host):
                return None
            if facts.st_mode & _SPECIAL_BITS:
                mode = f"{stat.S_IMODE(facts.st_mode):o}"
                raise Stays(f"has the mode {mode}: setuid, setgid and sticky bits stay")
            return self._take(path, descriptor, facts)
        finally:
            os.close(descriptor)

    def make_room_for_names(self, level: Level) -> None:
        """Keep the paths of a whole look in bounds: a million names in a folder of a long path. Raises Stays."""
        size = len(level.entries) * (len(level.path) + 1) + sum(len(entry.name) for entry in level.entries)
        if size > self._names:
            raise Stays(f"holds paths that bring those of all changes over the limit of {NAMES_LIMIT:,} bytes")
        self._names -= size

    def remember(self) -> None:
        """Keep what was learned for the next look."""
        if self._seen is not None:
            self._seen.renew(self._learned)
            self._learned = {}

    def _take(self, path: bytes, descriptor: int, facts: os.stat_result) -> File:
        is_ignored = self._ignored.leaves_out(path, False)
        if is_ignored:
            self.ignored.add(path)
        self._make_room(facts, is_ignored)
        if self._seen is None or not is_ignored:
            return self._read(descriptor, facts)
        known = self._seen.base(path)
        if isinstance(known, File) and self._seen.matches(path, facts) and self._blobs.holds(known):
            return known
        found = self._read(descriptor, facts)
        if facts.st_ctime_ns < time.time_ns() - _SETTLED:
            self._learned[path] = Renewal(facts, found)
        return found

    def _make_room(self, facts: os.stat_result, is_ignored: bool) -> None:
        size = facts.st_size
        if size > self.limit:
            raise Stays(f"has {size:,} bytes, over the limit of {self.limit:,}")
        if size >= _SPARSE and facts.st_blocks * 512 < size // 8:
            raise Stays(f"has {size:,} bytes, nearly all of them holes: sparse files stay")
        if size > self._room[is_ignored]:
            raise Stays(f"has {size:,} bytes, which bring all changes over what one look takes in")
        self._room[is_ignored] -= size

    def _read(self, descriptor: int, facts: os.stat_result) -> File:
        content = self._blobs.put_fd(descriptor, self.limit)
        if content is None:
            raise Stays("grew over the limit while it was being read")
        return File(content.digest, content.size, bool(facts.st_mode & OWNER_EXECUTES))


def _is_same(name: bytes, descriptor: int, facts: os.stat_result, host: int) -> bool:
    """Whether the checkout's file of this name equals an open one in content and in every bit that could travel."""
    other = lstat(host, name)
    if other is None or not stat.S_ISREG(other.st_mode) or other.st_size != facts.st_size:
        return False
    if (other.st_mode ^ facts.st_mode) & (_SPECIAL_BITS | OWNER_EXECUTES):
        return False
    try:
        opposite = os.open(name, FILE, dir_fd=host)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from error
    try:
        return same_content(descriptor, opposite)
    finally:
        os.close(opposite)
