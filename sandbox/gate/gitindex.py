"""Git's index file as its versions 2 to 4 have it; the source is gitformat-index(5).

What reads it is given a stranger's bytes: whatever is not an index raises one of `DAMAGED`. How long object ids are in
it, the file does not say: only with the right length it reads as an index.
"""

import collections
import hashlib
import itertools
import struct
from collections.abc import Iterator
from typing import Final

LARGEST: Final = 256 * 1024 * 1024
"""Bytes: an index of a million files."""
DAMAGED: Final = (ValueError, IndexError, struct.error)
EXTENDED: Final = 0x4000
"""Of the flags: two bytes more of them follow."""
LENGTH: Final = 0xFFF
"""Of the flags: how long the path is, if it is shorter than that."""
HEADER: Final = 12
_SUMS: Final = {20: "sha1", 32: "sha256"}
_BEFORE_ID: Final = 40  # times, device and inode, mode, owner, size
_MOST_NAMES: Final = 512 * 1024 * 1024  # bytes of all paths: ten times those of a million files
_ENOUGH: Final = 8  # entries that read well by chance: 1 in 2**96
_MOST_EXTENSIONS: Final = 64  # git knows eight
_LONGEST_NUMBER: Final = 5  # bytes: no path is longer than 2**32


def header(data: bytes) -> tuple[int, int]:
    """The version, and how many entries there are."""
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("not an index")
    return version, count


def id_size(data: bytes) -> int:
    """Bytes of an object's id: 20 (SHA-1) or 32 (SHA-256).

    Who chooses a repository's files can make the beginning read as both, by their ids, but not the sum at the end.
    """
    found = [size for size in _SUMS if _reads(data, size, _ENOUGH)]
    if len(found) > 1:
        found = [size for size in found if _reads(data, size, header(data)[1])]
    if not found:
        raise ValueError("neither an index of SHA-1 nor of SHA-256")
    return found[0]


def _reads(data: bytes, size: int, most: int) -> bool:
    """Whether so many entries can be read with ids of this size, and what follows if those are all."""
    try:
        last = collections.deque(itertools.islice(_entries(data, size), most), maxlen=1)
        if header(data)[1] <= most:
            collections.deque(extensions(data, last[0][2] if last else HEADER, size), maxlen=0)
    except DAMAGED:
        return False
    return True


def flags_at(size: int) -> int:
    """Where an entry's flags begin, two bytes long, before its path or more flags."""
    return _BEFORE_ID + size


def entries(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Of every entry: where it begins, its path, and where the next one begins."""
    return _entries(data, id_size(data))


def _entries(data: bytes, size: int) -> Iterator[tuple[int, bytes, int]]:
    version, count = header(data)
    start, path, room, before_name = HEADER, b"", _MOST_NAMES, flags_at(size) + 2
    for _ in range(count):
        (flags,) = struct.unpack_from(">H", data, start + before_name - 2)
        name = start + before_name + (2 if flags & EXTENDED else 0)
        if version == 4:
            cut, name = _varint(data, name)
            path = path[: len(path) - cut]
        else:
            path = b""
        end = data.index(b"\0", name)
        path += data[name:end]
        length, said = len(path), flags & LENGTH
        room -= length  # in version 4 every path may be a little longer than the one before
        if room < 0 or (said != length and not said == LENGTH < length):
            raise ValueError("paths without end, or of another length")
        after = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8
        yield start, path, after
        start = after


def extensions(data: bytes, position: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """What follows the entries, up to the sum at the end: each one's name, and all of it with name and length."""
    last = len(data) - size
    for _ in range(_MOST_EXTENSIONS):
        if position >= last:
            break
        name, length = struct.unpack_from(">4sI", data, position)
        end = position + 8 + length
        yield name, data[position:end]
        position = end
    if position != last:
        raise ValueError("it ends in the middle")


def summed(made: bytes, size: int) -> bytes:
    """An index with its sum."""
    return made + hashlib.new(_SUMS[size], made, usedforsecurity=False).digest()


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in git's variable-length form, and where the next byte is."""
    value = -1
    for place in range(position, position + _LONGEST_NUMBER):
        byte = data[place]
        value = ((value + 1) << 7) | (byte & 0x7F)
        if not byte & 0x80:
            return value, place + 1
    raise ValueError("a number without end")
