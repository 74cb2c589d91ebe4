"""Git's index for a work tree without the hidden files: git takes them for skipped, not for deleted.

Without it, `git status` inside lists every hidden file that git has as deleted, and `git commit -a` makes it so. Git
has a mark for "in the index, and not in the work tree on purpose" (skip-worktree), which is set here in a copy.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Final

from sandbox.gate.tracked import varint

_ENTRY: Final = 62
"""Bytes before the name: times, ids, size, the object's SHA-1, flags."""
_EXTENDED: Final = 0x4000
_SKIPPED: Final = 0x4000  # of the second flags
_SHA1: Final = 20
_OFFSETS: Final = (b"EOIE", b"IEOT")
"""Extensions that say where entries begin: git can do without, and they would be wrong."""
_SPLIT: Final = b"link"


def skipping(data: bytes, is_hidden: Callable[[bytes], bool]) -> bytes | None:
    """The index with every hidden path marked as skipped; None for one in a form we do not know (SHA-256, split)."""
    try:
        return _rewritten(data, is_hidden)
    except (ValueError, IndexError, struct.error):
        return None


def _rewritten(data: bytes, is_hidden: Callable[[bytes], bool]) -> bytes:
    signature, version, count = struct.unpack_from(">4sII", data)
    if signature != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("not an index")
    body = data[:-_SHA1]
    pieces: list[bytes] = []
    position, path = 12, b""
    for _ in range(count):
        entry, path, position = _entry(body, position, path, version)
        pieces.append(_skipped(entry, version) if is_hidden(path) else entry)
    pieces += _extensions(body, position)
    made = struct.pack(">4sII", signature, max(version, 3), count) + b"".join(pieces)
    has_sum = any(data[-_SHA1:])  # `index.skipHash` leaves it out
    return made + (hashlib.sha1(made, usedforsecurity=False).digest() if has_sum else bytes(_SHA1))


def _entry(body: bytes, start: int, before: bytes, version: int) -> tuple[bytes, bytes, int]:
    """The bytes of an entry, its path, and where the next one begins; `before` is the path of the one before."""
    (flags,) = struct.unpack_from(">H", body, start + _ENTRY - 2)
    name = start + _ENTRY + (2 if flags & _EXTENDED else 0)
    if version == 4:
        cut, name = varint(body, name)
        end = body.index(b"\0", name)
        return body[start : end + 1], before[: len(before) - cut] + body[name:end], end + 1
    end = body.index(b"\0", name)
    after = start + (end - start + 8) // 8 * 8
    return body[start:after], body[name:end], after


def _skipped(entry: bytes, version: int) -> bytes:
    (flags,) = struct.unpack_from(">H", entry, _ENTRY - 2)
    more, rest = 0, entry[_ENTRY:]
    if flags & _EXTENDED:
        (more,) = struct.unpack_from(">H", entry, _ENTRY)
        rest = entry[_ENTRY + 2 :]
    made = entry[: _ENTRY - 2] + struct.pack(">HH", flags | _EXTENDED, more | _SKIPPED) + rest
    if version == 4:
        return made
    made = made.rstrip(b"\0")  # no name ends in one
    return made + bytes(8 - len(made) % 8)


def _extensions(body: bytes, position: int) -> Iterator[bytes]:
    while position < len(body):
        name, size = struct.unpack_from(">4sI", body, position)
        end = position + 8 + size
        if name == _SPLIT or end > len(body):
            raise ValueError("a part of another index, or not one")
        if name not in _OFFSETS:
            yield body[position:end]
        position = end
