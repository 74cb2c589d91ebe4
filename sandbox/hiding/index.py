"""Git's index for a work tree without the hidden files: git takes them for skipped, not for deleted.

Without it, `git status` inside lists every hidden file that git has as deleted, and `git commit -a` makes it so. Git
has a mark for "in the index, and not in the work tree on purpose" (skip-worktree), which is set here in a copy.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Final

from sandbox.gate import gitindex
from sandbox.gate.gitindex import BEFORE_NAME, EXTENDED

_SKIPPED: Final = 0x4000  # of the second flags
_SHA1: Final = 20
_OFFSETS: Final = (b"EOIE", b"IEOT")
"""Extensions that say where entries begin: git can do without, and they would be wrong."""
_SPLIT: Final = b"link"


def skipping(data: bytes, is_hidden: Callable[[bytes], bool]) -> bytes | None:
    """The index with every hidden path marked as skipped; None for one in a form we do not know (SHA-256, split)."""
    try:
        return _rewritten(data, is_hidden)
    except gitindex.DAMAGED:
        return None


def _rewritten(data: bytes, is_hidden: Callable[[bytes], bool]) -> bytes:
    version, count = gitindex.header(data)
    body = data[:-_SHA1]
    pieces: list[bytes] = []
    position = gitindex.HEADER
    for start, path, end in gitindex.entries(body):
        pieces.append(_skipped(body[start:end], version) if is_hidden(path) else body[start:end])
        position = end
    pieces += _extensions(body, position)
    made = struct.pack(">4sII", b"DIRC", max(version, 3), count) + b"".join(pieces)
    has_sum = any(data[-_SHA1:])  # `index.skipHash` leaves it out
    return made + (hashlib.sha1(made, usedforsecurity=False).digest() if has_sum else bytes(_SHA1))


def _skipped(entry: bytes, version: int) -> bytes:
    (flags,) = struct.unpack_from(">H", entry, BEFORE_NAME - 2)
    more, rest = 0, entry[BEFORE_NAME:]
    if flags & EXTENDED:
        (more,) = struct.unpack_from(">H", entry, BEFORE_NAME)
        rest = entry[BEFORE_NAME + 2 :]
    made = entry[: BEFORE_NAME - 2] + struct.pack(">HH", flags | EXTENDED, more | _SKIPPED) + rest
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
