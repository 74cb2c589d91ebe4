"""What changed in the upper layer since the last look at it: the cheap question after every call.

Nothing is compared with the tree. An entry whose inode, size, mode and change time are as they were is as it was: the
change time is the kernel's, no program can set it. Whatever runs inside may write meanwhile: what cannot be read is
left out, nothing is followed, and a look ends at a fixed number of entries.
"""

import hashlib
import os
import stat
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sandbox.gate.blobs import Blobs
from sandbox.gate.host import OWNER_EXECUTES, facts_at, lstat, opened
from sandbox.gate.ignore import Ignored
from sandbox.gate.names import is_git, is_reserved
from sandbox.gate.syscalls import DIRECTORY, FILE
from sandbox.gate.upper import Entry, Level, levels

Kind = Literal["file", "directory", "opaque", "link", "whiteout", "special", "gone"]

MOST_ENTRIES = 100_000
MOST_NAMES = 32 * 1024 * 1024  # bytes of paths in one look: in a deep tree every path is long
LONGEST_PATH = 1_000
"""Bytes of a folder's path from which on it is not entered: the cost would grow with the square of the depth."""
LARGEST = 512 * 1024  # bytes of a file that is read to tell what changed in it
MOST_READ = 64 * 1024 * 1024  # bytes that one look reads, all files together
_FACTS = struct.Struct("<IQqq")  # mode, inode, size, ctime_ns
_SAME_TICK = 20_000_000  # nanoseconds: a change time this young may be that of a later write, too


@dataclass(frozen=True)
class Trace:
    """One path that is not what it was at the last look.

    `digest` is that of its content, if that was read; a text is in the blob store by that name. `gone`: the upper
    layer holds nothing here any more, so the checkout's own shows.
    """

    path: bytes
    kind: Kind
    facts: bytes = b""
    digest: str = ""


@dataclass(frozen=True)
class Look:
    """What one look found. Not `is_whole`: a limit ended it, and what it did not reach is not in it."""

    changed: tuple[Trace, ...]
    is_whole: bool = True


@dataclass
class Layer:
    """The upper layer of a session as it was at the last look; `look` is called by one thread at a time."""

    upper: Path
    lower: Path
    blobs: Blobs
    ignored: Ignored
    known: dict[bytes, Trace] = field(default_factory=dict)
    young: set[bytes] = field(default_factory=set)
    """Files whose change time did not yet tell them from a write right after the last look."""
    most: int = MOST_ENTRIES

    def recall(self, traces: Mapping[bytes, Trace]) -> None:
        """Begin with what an earlier process saw."""
        self.known = {path: trace for path, trace in traces.items() if trace.kind != "gone"}

    def look(self) -> Look:
        """What changed since the last look. Raises OSError if one of the two trees cannot be opened; OutOfSpace."""
        upper = os.open(self.upper, DIRECTORY)
        try:
            checkout = os.open(self.lower, DIRECTORY)
            try:
                return _Looking(self, upper, checkout).run()
            finally:
                os.close(checkout)
        finally:
            os.close(upper)


class _Looking:
    """One walk over the upper layer, which reads only what has new facts."""

    def __init__(self, layer: Layer, upper: int, checkout: int) -> None:
        self._layer = layer
        self._upper = upper
        self._checkout = checkout
        self._began = time.time_ns()
        self._present: dict[bytes, Trace] = {}
        self._changed: list[Trace] = []
        self._young: set[bytes] = set()
        self._closed: set[bytes] = set()
        self._names = 0
        self._room = MOST_READ
        self._is_whole = True

    def run(self) -> Look:
        for level in levels(self._upper, lambda path, _error: self._closed.add(path)):
            if level.path:
                self._folder(level)
            for entry in level.entries:
                self._entry(level, entry)
            if not self._is_whole:
                level.descend.clear()
        layer = self._layer
        self._changed += self._gone()
        layer.known = self._present if self._is_whole else {**layer.known, **self._present}
        layer.young = self._young
        return Look(tuple(self._changed), self._is_whole)

    def _entry(self, level: Level, entry: Entry) -> None:
        if is_git(entry.name) or is_reserved(entry.name):
            return  # nothing of those ever leaves as a file
        path = level.below(entry.name)
        self._names += len(path)
        if len(self._present) >= self._layer.most or self._names > MOST_NAMES:
            self._is_whole = False
            return
        match entry.kind:
            case "directory":
                if len(path) > LONGEST_PATH:
                    self._closed.add(path)
                elif not self._layer.ignored.matches(path, True):
                    level.descend.append(entry.name)
            case "file":
                self._file(level, entry.name, path)
            case "whiteout":
                self._meet(Trace(path, "whiteout"))  # the kernel shares one inode among them: no fact of it counts
            case kind if facts := lstat(level.descriptor, entry.name):
                self._meet(Trace(path, kind, _facts(facts)))

    def _folder(self, level: Level) -> None:
        """A folder that was only made to hold something below it is as it was."""
        mode = os.fstat(level.descriptor).st_mode
        trace = Trace(level.path, "opaque" if level.opaque else "directory", struct.pack("<I", mode))
        is_copy = level.path not in self._layer.known and trace.kind == "directory"
        if is_copy and (host := facts_at(self._checkout, level.path)) is not None and host.st_mode == mode:
            self._present[level.path] = trace
        else:
            self._meet(trace)

    def _meet(self, trace: Trace) -> None:
        self._present[trace.path] = trace
        if self._layer.known.get(trace.path) != trace:
            self._changed.append(trace)

    def _file(self, level: Level, name: bytes, path: bytes) -> None:
        found = lstat(level.descriptor, name)
        if found is None:
            return  # gone between listing and looking: absent is what it is
        facts = _facts(found)
        if found.st_ctime_ns > self._began - _SAME_TICK:
            self._young.add(path)
        known = self._layer.known.get(path)
        if known is not None and known.facts == facts and path not in self._layer.young:
            self._present[path] = known
            return
        trace = Trace(path, "file", facts, self._read(level.descriptor, name, found.st_size))
        self._present[path] = trace
        if not self._is_same(trace, known, found.st_mode):
            self._changed.append(trace)

    def _is_same(self, trace: Trace, known: Trace | None, mode: int) -> bool:
        """Whether a file with new facts has the content and the execute bit it had: it was only touched or copied."""
        if known is None:
            host = facts_at(self._checkout, trace.path)
            return (
                host is not None
                and stat.S_ISREG(host.st_mode)
                and not (host.st_mode ^ mode) & OWNER_EXECUTES
                and bool(trace.digest)
                and trace.digest == self._host_digest(trace.path, host)
            )
        if known.kind != "file" or not (known.digest and trace.digest):
            return known.facts == trace.facts
        return known.digest == trace.digest and not (_FACTS.unpack(known.facts)[0] ^ mode) & OWNER_EXECUTES

    def _read(self, directory: int, name: bytes, size: int) -> str:
        """The digest of a file's content, a text kept; empty if it is not read or is not a file any more."""
        if size > min(LARGEST, self._room):
            return ""
        try:
            descriptor = os.open(name, FILE, dir_fd=directory)
        except OSError:
            return ""
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            data = _content(descriptor)
        except OSError:
            return ""
        finally:
            os.close(descriptor)
        self._room -= len(data)
        if len(data) > LARGEST:
            return ""
        return hashlib.sha256(data).hexdigest() if b"\0" in data else self._layer.blobs.put(data).digest

    def _host_digest(self, path: bytes, facts: os.stat_result) -> str:
        folder, _, name = path.rpartition(b"/")
        if facts.st_size > LARGEST:
            return ""
        try:
            with opened(self._checkout, folder) as directory:
                descriptor = os.open(name, FILE, dir_fd=directory)
            try:
                return hashlib.sha256(_content(descriptor)).hexdigest()
            finally:
                os.close(descriptor)
        except OSError:
            return ""

    def _gone(self) -> Iterator[Trace]:
        """What is not there any more; nobody knows that of what was not reached."""
        if not self._is_whole:
            return
        for path, trace in self._layer.known.items():
            if path in self._present:
                continue
            if self._closed and _is_in(self._closed, path):
                self._present[path] = trace
            else:
                yield Trace(path, "gone")


def _facts(facts: os.stat_result) -> bytes:
    return _FACTS.pack(facts.st_mode, facts.st_ino, facts.st_size, facts.st_ctime_ns)


def _content(descriptor: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size <= LARGEST and (piece := os.pread(descriptor, LARGEST + 1 - size, size)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _is_in(folders: set[bytes], path: bytes) -> bool:
    while path:
        if path in folders:
            return True
        path = path.rpartition(b"/")[0]
    return b"" in folders
