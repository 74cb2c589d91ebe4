"""What a sandbox wrote where the host cannot see it, kept as an overlay's upper layer: the gate reads nothing else.

The guest tells the facts of every entry; what is new against the last time is fetched, what is gone becomes a whiteout
where a layer below would show through. Nothing that is told is believed: paths are checked, and every write goes
through directory descriptors below the layer's root, so that no name and no link leads out of it.
"""

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread

from sandbox.disk import SLACK, Meter, Room, floor_at, over, under
from sandbox.errors import FileError, OutOfSpace, SandboxLost
from sandbox.gate.collect import SIZE_LIMIT
from sandbox.gate.discard import remove_tree
from sandbox.gate.folders import above
from sandbox.gate.host import lstat, opened
from sandbox.gate.syscalls import DIRECTORY
from sandbox.gate.upper import OPAQUE, kind_of
from sandbox.workspace.layers import opened_layers
from sandbox.workspace.overlay import Overlay

ROW = struct.Struct(">HHIQQQ")
"""Bytes of the path and of the link's target, mode, inode, size, ctime; a test holds it against the guest's own."""
MOST_ROWS = 2_000_000
CLOSED = 0
UNREADABLE = stat.S_IFIFO if os.geteuid() == 0 else stat.S_IFREG
"""What stands for a file that the tools closed to themselves: something that nobody here can read either."""
_BLOCK = 4096
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Fetch = Callable[[bytes], Awaitable[bytes]]
"""Reads a file of the workspace by its path. Raises FileError, SandboxLost."""


class Row(NamedTuple):
    """An entry as the guest tells it. A mode of 0 is a folder that cannot be looked into."""

    mode: int
    inode: int
    size: int
    changed: int
    target: bytes


Rows = Mapping[bytes, Row]


@dataclass(frozen=True)
class Difference:
    """What is not as it was the last time: `gone` and `come`, folders before what is in them."""

    gone: Sequence[bytes]
    come: Sequence[bytes]


def parsed(data: bytes) -> Rows:
    """The guest's rows by path. Raises SandboxLost for anything that a guest of ours would not send."""
    rows: dict[bytes, Row] = {}
    place = 0
    try:
        while place < len(data):
            path_length, target_length, mode, inode, size, changed = ROW.unpack_from(data, place)
            start = place + ROW.size
            middle = start + path_length
            place = middle + target_length
            path = data[start:middle]
            if place > len(data) or not _is_path(path) or len(rows) >= MOST_ROWS:
                raise SandboxLost("the sandbox broke the protocol")
            rows[path] = Row(mode, inode, size, changed, data[middle:place])
    except struct.error as error:
        raise SandboxLost("the sandbox broke the protocol") from error
    return rows


def difference(before: Rows, now: Rows) -> Difference:
    """What came and went between two looks. What lies in a folder that cannot be looked into is as it was."""
    closed = {path for path, row in now.items() if row.mode == CLOSED}
    gone = [path for path in before if path not in now and not any(folder in closed for folder in above(path))]
    come = [path for path, row in now.items() if before.get(path) != row and path not in closed]
    return Difference(sorted(gone), sorted(come))


class Mirror:
    """The upper layer of one workspace, which may take `most`. `below` are the layers under it, the topmost first."""

    def __init__(self, overlay: Overlay, below: Sequence[Path], most: Room) -> None:
        self._upper = overlay.upper
        self._meter = Meter(overlay.upper)
        self._most = most + SLACK
        self._floor = floor_at(overlay.upper)
        self._unseen = SLACK  # what was brought home since it was last looked at how much is there
        self._work = overlay.work
        self._below = below
        self._rows: Rows = {}

    def begin(self, rows: Rows) -> None:
        """Take this as what the layers make: the workspace has just been filled from them."""
        self._rows = rows

    async def follow(self, rows: Rows, fetch: Fetch) -> None:
        """Write down what is new. Cut short, it goes on the next time. Raises OutOfSpace, SandboxLost.

        It is cut short by the session's disk limits, too: what the engine's disk holds, nobody else bounds.
        """
        found = difference(self._rows, rows)
        if not (found.gone or found.come):
            return
        done = dict(self._rows)
        try:
            await anyio.to_thread.run_sync(self._take_away, found.gone)
            for path in found.gone:
                done.pop(path, None)
            for path in found.come:
                if over(self._unseen, SLACK):
                    await anyio.to_thread.run_sync(self._require_room)
                if await self._bring(path, rows[path], fetch):
                    self._unseen += Room(min(rows[path].size, SIZE_LIMIT), 1)
                    done[path] = rows[path]
                else:
                    done.pop(path, None)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OutOfSpace(f"what the sandbox wrote does not fit on this disk: {error.strerror}") from error
            raise
        finally:
            self._rows = done

    async def _bring(self, path: bytes, row: Row, fetch: Fetch) -> bool:
        """Write one entry; False if it has gone since it was told of."""
        content = b""
        if stat.S_ISREG(row.mode) and 0 < row.size <= SIZE_LIMIT:
            try:
                content = await fetch(path)
            except FileError as error:
                if error.kind == "denied":
                    row = row._replace(mode=UNREADABLE)
                elif error.kind != "too-large":
                    return False
        await anyio.to_thread.run_sync(self._write, path, row, content)
        return True

    def _require_room(self) -> None:
        """Raises OutOfSpace if what is at home has reached a limit: whether it has is looked at now and then."""
        if reached := over(self._meter.look(), self._most) or under(self._meter.free(), self._floor):
            raise OutOfSpace(
                f"not all that the sandbox wrote could be brought home, for its limit is reached ({reached}): "
                "delete some of it there"
            )
        self._unseen = Room(0, 0)

    def _take_away(self, gone: Sequence[bytes]) -> None:
        removed: set[bytes] = set()
        with opened_layers([one for one in self._below if one.exists()]) as below:
            for path in gone:
                if any(folder in removed for folder in above(path)):
                    continue  # it went with that
                removed.add(path)
                shows = below.at(path) is not None
                with self._folder(path) as (here, name):
                    self._clear(path, here, name)
                    if shows:
                        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=here)

    def _write(self, path: bytes, row: Row, content: bytes) -> None:
        with self._folder(path) as (here, name):
            there = lstat(here, name)
            kind = None if there is None else kind_of(there)
            if stat.S_ISDIR(row.mode):
                if kind != "directory":
                    self._make_folder(path, here, name, hides=kind is not None)
                os.chmod(name, stat.S_IMODE(row.mode) & 0o777 | 0o700, dir_fd=here)
                return
            if kind == "directory":
                self._clear(path, here, name)
            partial = self._work / "partial"  # beside the layer, where no name of the sandbox's can be
            partial.unlink(missing_ok=True)
            _make(partial, row, content)
            os.rename(partial, name, dst_dir_fd=here)

    def _make_folder(self, path: bytes, here: int, name: bytes, *, hides: bool) -> None:
        """A folder; where something of ours stood that was none, the one below must not shine through again."""
        if hides:
            self._clear(path, here, name)
        os.mkdir(name, 0o700, dir_fd=here)
        if hides:
            descriptor = os.open(name, DIRECTORY, dir_fd=here)
            try:
                os.setxattr(descriptor, OPAQUE, b"y")
            finally:
                os.close(descriptor)

    def _clear(self, path: bytes, here: int, name: bytes) -> None:
        there = lstat(here, name)
        if there is None:
            return
        if stat.S_ISDIR(there.st_mode):
            remove_tree(self._upper / os.fsdecode(path))
        else:
            os.unlink(name, dir_fd=here)

    @contextlib.contextmanager
    def _folder(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """The folder of an entry, open and made if need be, and the entry's name."""
        folder, _, name = path.rpartition(b"/")
        root = os.open(self._upper, DIRECTORY)
        try:
            for one in reversed(list(above(path))):
                self._ensure_folder(root, one)
            with opened(root, folder) as here:
                yield here, name
        finally:
            os.close(root)

    def _ensure_folder(self, root: int, path: bytes) -> None:
        folder, _, name = path.rpartition(b"/")
        with opened(root, folder) as here:
            there = lstat(here, name)
            if there is None:
                os.mkdir(name, 0o755, dir_fd=here)
            elif not stat.S_ISDIR(there.st_mode):
                raise SandboxLost("the sandbox broke the protocol")


def _make(path: Path, row: Row, content: bytes) -> None:
    if stat.S_ISLNK(row.mode):
        os.symlink(row.target, os.fsencode(path))
        return
    if not stat.S_ISREG(row.mode):
        os.mknod(path, stat.S_IFSOCK if stat.S_ISSOCK(row.mode) else stat.S_IFIFO)  # devices only root can make
        return
    with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
        file.truncate(row.size)  # first: XFS takes more than is written where a file grows, and fills small holes so
        for start, end in _pieces(content[: row.size]):  # what was not fetched is refused for its length
            os.pwrite(file.fileno(), content[start:end], start)
        os.fchmod(file.fileno(), stat.S_IMODE(row.mode))


def _pieces(content: bytes) -> Iterator[tuple[int, int]]:
    """Where what is not zeros begins and ends, to a block: what takes no room inside takes none at home."""
    begun: int | None = None
    for start in range(0, len(content), _BLOCK):
        is_hole = not content[start : start + _BLOCK].strip(b"\0")
        if is_hole and begun is not None:
            yield begun, start
            begun = None
        elif not is_hole and begun is None:
            begun = start
    if begun is not None:
        yield begun, len(content)


def _is_path(path: bytes) -> bool:
    return bool(path) and b"\0" not in path and not any(part in (b"", b".", b"..") for part in path.split(b"/"))
