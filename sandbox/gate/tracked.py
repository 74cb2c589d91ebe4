"""Which paths git tracks, read from the checkout's own index file: git is never run on a checkout.

Ignore rules do not hold for a tracked file. The index is data to us: nothing that it names is opened, and one that we
cannot read counts as empty, so that an ignored file is at worst listed apart.
"""

import os
import stat
import struct
from pathlib import Path

from sandbox.gate.host import opened_checkout
from sandbox.gate.syscalls import FILE, open_beneath

LARGEST_INDEX = 256 * 1024 * 1024  # bytes: an index of a million files
_NAMES = 512 * 1024 * 1024  # bytes of all paths: ten times those of a million files
_ENTRY = 62  # bytes before the name: times, ids, size, the object's SHA-1, flags
_EXTENDED, _NAME_LENGTH = 0x4000, 0x0FFF


def tracked(checkout: Path) -> frozenset[bytes]:
    """The paths in a checkout's index; empty if there is none, or it is in a form we do not know (SHA-256, split)."""
    data = _index_of(checkout)
    try:
        return frozenset(_paths(data))
    except (ValueError, IndexError, struct.error):
        return frozenset()


def _paths(data: bytes) -> list[bytes]:
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("not an index")
    found: list[bytes] = []
    position, before, room = 12, b"", _NAMES
    for _ in range(count):
        (flags,) = struct.unpack_from(">H", data, position + _ENTRY - 2)
        start = position + _ENTRY + (2 if flags & _EXTENDED else 0)
        if version == 4:
            cut, start = varint(data, start)
            before = before[: len(before) - cut]
        else:
            before = b""
        end = data.index(b"\0", start)
        before += data[start:end]
        room -= len(before)  # in version 4 every path may be a little longer than the one before
        if room < 0:
            raise ValueError("paths without end")
        found.append(before)
        position = end + 1 if version == 4 else position + (end - position + 8) // 8 * 8
    return found


def varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in git's variable-length form, and where the next byte is."""
    byte = data[position]
    value = byte & 0x7F
    while byte & 0x80:
        position += 1
        byte = data[position]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, position + 1


def _index_of(checkout: Path) -> bytes:
    """The index of a plain repository, or of a linked worktree, whose `.git` is a file that says where to look."""
    try:
        with opened_checkout(checkout) as root:
            if stat.S_ISREG(os.stat(b".git", dir_fd=root, follow_symlinks=False).st_mode):
                return _linked(root, checkout)
            descriptor = open_beneath(root, b".git")
    except OSError:
        return b""
    try:
        return _read(b"index", descriptor)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _linked(root: int, checkout: Path) -> bytes:
    text = _read(b".git", root)
    if not text.startswith(b"gitdir: "):
        return b""
    folder = os.path.join(os.fsencode(checkout), text[len(b"gitdir: ") :].rstrip(b"\n"))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _read(b"index", descriptor)
    finally:
        os.close(descriptor)


def _read(name: bytes, directory: int) -> bytes:
    with os.fdopen(os.open(name, FILE, dir_fd=directory), "rb") as file:
        facts = os.fstat(file.fileno())
        return file.read() if stat.S_ISREG(facts.st_mode) and facts.st_size <= LARGEST_INDEX else b""
