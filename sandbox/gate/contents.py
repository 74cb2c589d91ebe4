"""Take files of the upper directory into the blob store; those that ignore rules match only when they have moved."""

import os
import time

from sandbox.changes import File
from sandbox.gate.blobs import Blobs
from sandbox.gate.host import OWNER_EXECUTES
from sandbox.gate.ignore import Ignored
from sandbox.gate.manifest import Manifest, Renewal

TOTAL_LIMIT = 4 * 1024**3
"""Bytes that one look takes in, all files together: the store lies on the user's disk."""

_SPARSE = 16 * 1024 * 1024  # bytes from which on a file that is nearly all holes is not worth its size on our disk
_SETTLED = 2_000_000_000  # nanoseconds: a change time this old cannot be that of a later write too


class Contents:
    """What collecting reads through.

    A sandbox that installs packages leaves tens of thousands of ignored files; hashing them at the end of every turn
    would take seconds. Their facts decide instead (the change time is the kernel's, no program can set it), from the
    second look on. Whatever is not ignored is hashed every time.
    """

    def __init__(self, blobs: Blobs, limit: int, ignored: Ignored, seen: Manifest | None) -> None:
        self.limit = limit
        self._blobs = blobs
        self._ignored = ignored
        self._seen = seen
        self._learned: dict[bytes, Renewal] = {}
        self._room = TOTAL_LIMIT

    def refusal(self, facts: os.stat_result) -> str | None:
        """Why a file of these facts is not taken, or None if it is."""
        if facts.st_size > self.limit:
            return f"has {facts.st_size:,} bytes, over the limit of {self.limit:,}"
        if facts.st_size >= _SPARSE and facts.st_blocks * 512 < facts.st_size // 8:
            return f"has {facts.st_size:,} bytes, nearly all of them holes: sparse files stay"
        if facts.st_size > self._room:
            return f"has {facts.st_size:,} bytes, which bring all changes over the limit of {TOTAL_LIMIT:,}"
        return None

    def take(self, path: bytes, descriptor: int, facts: os.stat_result) -> File | None:
        """The content of an open regular file, kept; None if it grew over the limit. Raises OSError, OutOfSpace."""
        self._room -= facts.st_size
        if self._seen is None or not self._ignored.leaves_out(path, False):
            return self._read(descriptor, facts)
        known = self._seen.base(path)
        if isinstance(known, File) and self._seen.matches(path, facts) and self._blobs.holds(known):
            return known
        found = self._read(descriptor, facts)
        if found is not None and facts.st_ctime_ns < time.time_ns() - _SETTLED:
            self._learned[path] = Renewal(facts, found)
        return found

    def remember(self) -> None:
        """Keep what was learned for the next look."""
        if self._seen is not None:
            self._seen.renew(self._learned)
            self._learned = {}

    def _read(self, descriptor: int, facts: os.stat_result) -> File | None:
        content = self._blobs.put_fd(descriptor, self.limit)
        if content is None:
            return None
        return File(content.digest, content.size, bool(facts.st_mode & OWNER_EXECUTES))
