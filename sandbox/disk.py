"""How much of the disk a session's workspace takes, and how much of it is left: looked at, estimated, judged.

A look walks all that the sandbox wrote, which takes seconds where that is much. Between looks the file system's own
count of what is free is enough: nobody can have written more than what has gone since.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.btrfs import promised_at
from sandbox.gate.syscalls import open_beneath
from sandbox.gate.upper import LONGEST, is_blocked, is_gone, opened_upper
from sandbox.limits import LimitName

GIB = 1024**3
OLD, SOON_OLD = 5.0, 1.0
"""Seconds after which a look is old: where the file system counts names, and where only a look does (btrfs)."""
COUNTLESS = 2**62
"""Free names of a file system that does not count them."""


@dataclass(frozen=True)
class Room:
    """An amount of disk: bytes that are really allocated, however long a file says it is, and names of files."""

    size: int
    files: int

    def __add__(self, other: "Room") -> "Room":
        return Room(self.size + other.size, self.files + other.files)

    def __sub__(self, other: "Room") -> "Room":
        return Room(self.size - other.size, self.files - other.files)


FASTEST = Room(8 * GIB, 400_000)
"""What nothing inside can write in a second."""
SLACK = Room(64 * 1024**2, 10_000)
"""What may still be written when a limit is reached, so that there is a way to make room again."""


def larger(one: Room, other: Room) -> Room:
    """The larger of both, bytes and files apart."""
    return Room(max(one.size, other.size), max(one.files, other.files))


def smaller(one: Room, other: Room) -> Room:
    """The smaller of both, bytes and files apart."""
    return Room(min(one.size, other.size), min(one.files, other.files))


def free_at(path: Path) -> Room:
    """What the file system of a path has left for everybody. Raises OSError."""
    facts = os.statvfs(path)
    if facts.f_files:
        return Room(facts.f_bavail * facts.f_frsize, facts.f_favail)
    return Room(facts.f_bavail * facts.f_frsize - promised_at(path), COUNTLESS)


def taken_at(path: Path) -> Room:
    """What everybody has taken of it. Names apart: XFS makes room for them of that for bytes. Raises OSError."""
    facts = os.statvfs(path)
    size = (facts.f_blocks - facts.f_bfree) * facts.f_frsize
    if facts.f_files:
        return Room(size, facts.f_files - facts.f_ffree)
    return Room(size + promised_at(path), 0)


def floor_at(path: Path) -> Room:
    """What a sandbox leaves free there: 2 GiB or 2 %, but never more than half of what is free at its start.

    Raises OSError.
    """
    facts, free = os.statvfs(path), free_at(path)
    size = min(max(2 * GIB, facts.f_blocks * facts.f_frsize // 50), free.size // 2)
    return Room(max(size, GIB // 16), min(max(10_000, facts.f_files // 100), free.files // 2))


def seconds_of(left: Room) -> float:
    """How long that lasts, whatever writes."""
    return min(left.size / FASTEST.size, left.files / FASTEST.files)


def over(used: Room, most: Room) -> LimitName | None:
    """Which of a session's own limits is reached."""
    if used.size >= most.size:
        return "disk"
    return "files" if used.files >= most.files else None


def under(free: Room, floor: Room) -> LimitName | None:
    """Which of the machine's is."""
    if free.size <= floor.size:
        return "free disk"
    return "free files" if free.files < floor.files else None


class Meter:
    """What one workspace takes. `look` blocks, for as long as `seconds` the last time; `estimate` hardly does.

    `uppers` are its layers. The file system is asked at the folder above them: within, it may answer for a project.
    """

    def __init__(self, *uppers: Path, taken_at: Callable[[Path], Room] = taken_at) -> None:
        self.place = uppers[0].parent
        self._uppers = uppers
        self._taken_at = taken_at
        self._used = Room(0, 0)
        self._taken: Room | None = None
        self._looked = 0.0
        self.seconds = 0.0

    def free(self) -> Room:
        """What is left where the workspace is. Raises OSError."""
        return free_at(self.place)

    def is_old(self) -> bool:
        """Whether the last look is too long ago: who made room meanwhile hides what was written. Raises OSError."""
        counts = self.free().files != COUNTLESS
        age = max(OLD, 50 * self.seconds) if counts else max(SOON_OLD, 4 * self.seconds)
        return time.monotonic() - self._looked > age and self._taken_at(self.place) != self._taken

    def look(self) -> Room:
        """What the workspace takes. Where a folder is closed to us, all that was written since the last look counts.

        Raises OSError, StateError.
        """
        began, taken = time.monotonic(), self._taken_at(self.place)
        used, is_whole = Room(0, 0), True
        for upper in self._uppers:
            found, is_seen = _walked(upper)
            used, is_whole = used + found, is_whole and is_seen
        self._looked = time.monotonic()
        self.seconds = self._looked - began
        if not is_whole:
            used = larger(used, self.estimate())
        self._used, self._taken = used, taken
        return used

    def estimate(self) -> Room:
        """What it takes at most, if nobody else has made room since the first look. Raises OSError."""
        if self._taken is None:
            return self._used
        return self._used + larger(Room(0, 0), self._taken_at(self.place) - self._taken)


def _walked(upper: Path) -> tuple[Room, bool]:
    """All that is there, each file once; and whether all of it could be seen."""
    size = files = 0
    is_whole = True
    shared: set[int] = set()
    waiting = [b""]
    with opened_upper(upper) as root:
        while waiting:
            path = waiting.pop()
            try:
                for name, facts in _entries(root, path):
                    if stat.S_ISDIR(facts.st_mode):
                        waiting.append(path + b"/" + name if path else name)
                    elif facts.st_nlink > 1:
                        if facts.st_ino in shared:
                            continue
                        shared.add(facts.st_ino)
                    files += 1
                    size += facts.st_blocks * 512
            except OSError as error:
                is_whole &= is_gone(error) or is_blocked(error)  # it was moved away while we looked
    return Room(size, files), is_whole


def _entries(root: int, path: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """What a folder holds, one by one: it may be a million. Raises OSError."""
    if len(path) > LONGEST:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    descriptor = open_beneath(root, path)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    yield os.fsencode(entry.name), entry.stat(follow_symlinks=False)
    finally:
        os.close(descriptor)
