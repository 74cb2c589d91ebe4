"""A file system in memory that folds names the way FAT or a Mac does, for kernels that have none: FUSE, spoken bare.

Run as a program, it mounts itself (which takes root) and serves until it is unmounted:
`python tests/foldingfs.py MOUNTPOINT fold` compares without case and Unicode form; `fat` refuses what FAT cannot hold
besides, and drops dots and blanks at the end of a name; `bytes` compares bytes.
"""

import contextlib
import ctypes
import errno
import os
import stat
import struct
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_IN = struct.Struct("<IIQQIIIHH")
_OUT = struct.Struct("<IiQ")
_ATTRIBUTES = struct.Struct("<6Q10I")
_ENTRY = struct.Struct("<4QII")
_SETATTR = struct.Struct("<II6Q8I")
_INIT = struct.Struct("<4IHHIIHHI28x")
_STATFS = struct.Struct("<5Q4I24x")
_READ = struct.Struct("<QQIIQII")

_SILENT = frozenset((2, 36, 42))  # FORGET, INTERRUPT, BATCH_FORGET get no answer


@dataclass
class Node:
    """A file, a link or a folder."""

    number: int
    mode: int
    data: bytearray = field(default_factory=bytearray)
    children: dict[object, tuple[bytes, "Node"]] = field(default_factory=dict)
    owner: tuple[int, int] = (0, 0)
    links: int = 1
    modified: int = 0
    changed: int = 0

    def touch(self, *, content: bool = True) -> None:
        self.changed = time.time_ns()
        if content:
            self.modified = self.changed

    def attributes(self) -> bytes:
        size = len(self.data)
        seconds = [moment // 10**9 for moment in (self.modified, self.modified, self.changed)]
        rest = [moment % 10**9 for moment in (self.modified, self.modified, self.changed)]
        blocks = (size + 511) // 512
        return _ATTRIBUTES.pack(
            *(self.number, size, blocks, *seconds),
            *(*rest, self.mode, self.links, *self.owner, 0, 4096, 0),
        )


def by_bytes(name: bytes) -> tuple[bytes, object]:
    return name, name


def folding(name: bytes) -> tuple[bytes, object]:
    """The name as it is kept, and what it is found by."""
    text = unicodedata.normalize("NFD", name.decode("utf-8", "surrogateescape"))
    return name, unicodedata.normalize("NFD", text.casefold())


def fat(name: bytes) -> tuple[bytes, object]:
    try:
        text = name.decode().rstrip(" .")
    except UnicodeDecodeError as error:
        raise OSError(errno.EINVAL, "") from error
    if not text or set(text) & set('"*:<>?|\\') or min(text) < " ":
        raise OSError(errno.EINVAL, "")
    return text.encode(), text.casefold()


class Served:
    """The tree, and one method for each request of the kernel."""

    def __init__(self, spelled: Callable[[bytes], tuple[bytes, object]]) -> None:
        self._spelled = spelled
        self._nodes: dict[int, Node] = {}
        root = self._make(stat.S_IFDIR | 0o755, (os.getuid(), os.getgid()))
        assert root.number == 1
        self._requests = {
            1: self._lookup, 3: self._getattr, 4: self._setattr, 5: self._readlink, 6: self._symlink, 8: self._mknod,
            9: self._mkdir, 10: self._unlink, 11: self._unlink, 12: self._rename, 13: self._link, 14: self._open,
            15: self._read, 16: self._write, 17: self._statfs, 18: self._nothing, 20: self._nothing,
            25: self._nothing, 26: self._init, 27: self._open, 28: self._readdir, 29: self._nothing,
            30: self._nothing, 35: self._create, 45: self._rename2,
        }  # fmt: skip

    def answer(self, request: bytes) -> bytes | None:
        """What goes back to the kernel; None if nothing does."""
        _, code, unique, number, uid, gid, *_ = _IN.unpack_from(request)
        if code in _SILENT:
            return None
        self._asker = (uid, gid)
        try:
            respond = self._requests.get(code, self._unknown)
            body, failed = respond(self._nodes.get(number), request[_IN.size :]), 0
        except OSError as error:
            body, failed = b"", -(error.errno or errno.EIO)
        return _OUT.pack(_OUT.size + len(body), failed, unique) + body

    def _make(self, mode: int, owner: tuple[int, int], data: bytes = b"") -> Node:
        node = Node(len(self._nodes) + 1, mode, bytearray(data), owner=owner)
        node.touch()
        self._nodes[node.number] = node
        return node

    def _find(self, folder: Node, name: bytes) -> tuple[object, Node | None]:
        key = self._spelled(name)[1]
        return key, folder.children.get(key, (b"", None))[1]

    def _add(self, folder: Node, name: bytes, node: Node) -> bytes:
        kept, key = self._spelled(name)
        if key in folder.children:
            raise OSError(errno.EEXIST, "")
        folder.children[key] = (kept, node)
        folder.touch()
        return self._entry(node)

    def _entry(self, node: Node) -> bytes:
        return _ENTRY.pack(node.number, 0, 0, 0, 0, 0) + node.attributes()

    def _init(self, _node, body):
        return _INIT.pack(7, 31, 1 << 16, 0, 16, 12, 1 << 16, 1, 0, 0, 0)

    def _nothing(self, _node, _body):
        return b""

    def _unknown(self, _node, _body):
        raise OSError(errno.ENOSYS, "")

    def _lookup(self, node, body):
        try:
            found = self._find(node, body[:-1])[1]
        except OSError:
            found = None  # FAT says of a name it cannot hold that it is not there
        if found is None:
            raise OSError(errno.ENOENT, "")
        return self._entry(found)

    def _getattr(self, node, _body):
        return struct.pack("<QII", 0, 0, 0) + node.attributes()

    def _setattr(self, node, body):
        valid, _, _, size, _, _, mtime, _, _, nanoseconds, _, mode, _, uid, gid, _ = _SETATTR.unpack_from(body)
        if valid & 1:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        if valid & 6:
            node.owner = (uid if valid & 2 else node.owner[0], gid if valid & 4 else node.owner[1])
        if valid & 8:
            del node.data[size:]
            node.data.extend(bytes(size - len(node.data)))
        node.touch(content=bool(valid & (8 | 256)))
        if valid & 32 and not valid & 256:
            node.modified = mtime * 10**9 + nanoseconds
        return self._getattr(node, b"")

    def _readlink(self, node, _body):
        return bytes(node.data)

    def _symlink(self, node, body):
        name, target = body[:-1].split(b"\0")
        return self._add(node, name, self._make(stat.S_IFLNK | 0o777, self._asker, target))

    def _mknod(self, node, body):
        (mode,) = struct.unpack_from("<I", body)
        return self._add(node, body[16:-1], self._make(mode, self._asker))

    def _mkdir(self, node, body):
        (mode,) = struct.unpack_from("<I", body)
        return self._add(node, body[8:-1], self._make(stat.S_IFDIR | mode, self._asker))

    def _create(self, node, body):
        _, mode = struct.unpack_from("<II", body)
        return self._add(node, body[16:-1], self._make(mode, self._asker)) + self._open(None, b"")

    def _link(self, node, body):
        found = self._nodes[struct.unpack_from("<Q", body)[0]]
        answer = self._add(node, body[8:-1], found)
        found.links += 1
        found.touch(content=False)
        return answer

    def _unlink(self, node, body):
        key, found = self._find(node, body[:-1])
        if found is None:
            raise OSError(errno.ENOENT, "")
        if found.children:
            raise OSError(errno.ENOTEMPTY, "")
        self._drop(node, key)
        return b""

    def _drop(self, folder: Node, key: object) -> None:
        found = folder.children.pop(key)[1]
        found.links -= 1
        found.touch(content=False)
        folder.touch()

    def _rename(self, node, body):
        return self._rename2(node, body[:8] + bytes(8) + body[8:])

    def _rename2(self, node, body):
        target, flags, _ = struct.unpack_from("<QII", body)
        old, new = body[16:-1].split(b"\0")
        other = self._nodes[target]
        source, moved = self._find(node, old)
        (kept, key), there = self._spelled(new), self._find(other, new)[1]
        if moved is None:
            raise OSError(errno.ENOENT, "")
        if flags == 2 and there is not None:
            node.children[source], other.children[key] = (
                (node.children[source][0], there),
                (other.children[key][0], moved),
            )
        elif flags == 1 and there is not None:
            raise OSError(errno.EEXIST, "")
        else:
            if there not in (None, moved):
                self._drop(other, key)
            del node.children[source]
            other.children[key] = (kept, moved)
        for one in (node, other):
            one.touch()
        moved.touch(content=False)
        return b""

    def _open(self, _node, _body):
        return struct.pack("<QIi", 0, 0, 0)

    def _read(self, node, body):
        _, offset, size, *_ = _READ.unpack_from(body)
        return bytes(node.data[offset : offset + size])

    def _write(self, node, body):
        _, offset, size, *_ = _READ.unpack_from(body)
        node.data.extend(bytes(max(0, offset - len(node.data))))
        node.data[offset : offset + size] = body[_READ.size :][:size]
        node.touch()
        return struct.pack("<II", size, 0)

    def _statfs(self, _node, _body):
        return _STATFS.pack(1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 4096, 255, 4096, 0)

    def _readdir(self, node, body):
        _, offset, size, *_ = _READ.unpack_from(body)
        answer = b""
        for position, (name, child) in list(enumerate(node.children.values(), start=1))[offset:]:
            row = struct.pack("<QQII", child.number, position, len(name), stat.S_IFMT(child.mode) >> 12) + name
            row += bytes(-len(row) % 8)
            if len(answer) + len(row) > size:
                break
            answer += row
        return answer


@contextlib.contextmanager
def mounted(mountpoint: Path, kind: str) -> Iterator[Path]:
    """One of these file systems, empty, at a folder that is there; unmounted at the end."""
    with subprocess.Popen([sys.executable, __file__, mountpoint, kind], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"mounted\n", "this test mounts a file system, which takes root and FUSE"
            yield mountpoint
        finally:
            subprocess.run(["umount", mountpoint], check=True)


def main() -> None:
    """Mount, and serve."""
    mountpoint, kind = sys.argv[1:]
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other,default_permissions"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"folding", os.fsencode(mountpoint), b"fuse.folding", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), mountpoint)
    sys.stdout.write("mounted\n")
    sys.stdout.flush()
    served = Served({"fold": folding, "fat": fat, "bytes": by_bytes}[kind])
    while True:
        try:
            answer = served.answer(os.read(device, 1 << 18))
            if answer is not None:
                os.write(device, answer)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return  # unmounted
            if error.errno not in (errno.EINTR, errno.ENOENT, errno.EAGAIN):  # ENOENT: the asker gave up
                raise


if __name__ == "__main__":
    main()
