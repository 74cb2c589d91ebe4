"""The facts of a whole checkout, in one walk: what a session's start costs."""

import contextlib
import os
import stat
import struct
from collections.abc import Iterator

from sandbox.gate.names import is_reserved
from sandbox.gate.syscalls import open_beneath

FACTS = struct.Struct("<IQQqqq")  # mode, device, inode, size, mtime_ns, ctime_ns
INODE = struct.Struct("<QQ")
INODE_AT = struct.calcsize("<I")
FOLDER = FACTS.pack(stat.S_IFDIR, 0, 0, 0, 0, 0)
UNKNOWN = bytes(FACTS.size)  # the facts of nothing


def pack(facts: os.stat_result) -> bytes:
    """The facts that count, as bytes. Of a directory only that it is one: its times move with every entry."""
    if stat.S_ISDIR(facts.st_mode):
        return FACTS.pack(stat.S_IFDIR, 0, 0, 0, 0, 0)
    return FACTS.pack(facts.st_mode, facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def scan_tree(root: int, index: dict[bytes, int], facts: list[bytes], before: int) -> None:
    """Note the facts of every path of an open tree in `facts`, and its place there in `index`.

    What changed at or after `before` (nanoseconds, as ctime has them) has unknown facts.
    """
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        with _opened(root, path) as descriptor:
            if descriptor is not None:
                waiting += _scan_folder(descriptor, path + b"/" if path else b"", index, facts, before)


def _scan_folder(
    descriptor: int, prefix: bytes, index: dict[bytes, int], facts: list[bytes], before: int
) -> list[bytes]:
    """Note every entry of an open folder, and return the folders in it. This loop is what a session's start costs."""
    folders: list[bytes] = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if name[:1] == b"." and (name == b".git" or is_reserved(name)):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone between listing and looking: absent is what it is
            path = prefix + name
            index[path] = len(facts)
            if entry.is_dir(follow_symlinks=False):
                facts.append(FOLDER)
                folders.append(path)
            else:
                facts.append(pack(found) if found.st_ctime_ns < before else UNKNOWN)
    return folders


@contextlib.contextmanager
def _opened(root: int, path: bytes) -> Iterator[int | None]:
    try:
        descriptor = open_beneath(root, path)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
