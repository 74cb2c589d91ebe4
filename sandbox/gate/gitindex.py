"""Git's index file as its versions 2 to 4 have it, with SHA-1; the source is gitformat-index(5).

What reads it is given a stranger's bytes: whatever is not an index raises one of `DAMAGED`.
"""

import struct
from collections.abc import Iterator
from typing import Final

LARGEST: Final = 256 * 1024 * 1024
"""Bytes: an index of a million files."""
DAMAGED: Final = (ValueError, IndexError, struct.error)
BEFORE_NAME: Final = 62
"""Bytes of an entry before the name: times, ids, size, the object's SHA-1, flags."""
EXTENDED: Final = 0x4000
"""Of the flags: two bytes more of them follow."""
HEADER: Final = 12
_MOST_NAMES: Final = 512 * 1024 * 1024  # bytes of all paths: ten times those of a million files


def header(data: bytes) -> tuple[int, int]:
    """The version, and how many entries there are."""
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("not an index")
    return version, count


def entries(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Of every entry: where it begins, its path, and where the next one begins."""
    version, count = header(data)
    start, path, room = HEADER, b"", _MOST_NAMES
    for _ in range(count):
        (flags,) = struct.unpack_from(">H", data, start + BEFORE_NAME - 2)
        name = start + BEFORE_NAME + (2 if flags & EXTENDED else 0)
        if version == 4:
            cut, name = _varint(data, name)
            path = path[: len(path) - cut]
        else:
            path = b""
        end = data.index(b"\0", name)
        path += data[name:end]
        room -= len(path)  # in version 4 every path may be a little longer than the one before
        if room < 0:
            raise ValueError("paths without end")
        after = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8
        yield start, path, after
        start = after


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in git's variable-length form, and where the next byte is."""
    byte = data[position]
    value = byte & 0x7F
    while byte & 0x80:
        position += 1
        byte = data[position]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, position + 1
