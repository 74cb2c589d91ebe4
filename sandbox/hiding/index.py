"""Git's index for a work tree without the hidden files: git takes them for skipped, not for deleted.

Without it, `git status` inside lists every hidden file that git has as deleted, and `git commit -a` makes it so. Git
has a mark for "in the index, and not in the work tree on purpose" (skip-worktree), which is set here in a copy.
"""

import struct
from collections.abc import Callable
from typing import Final

from sandbox.gate import gitindex
from sandbox.gate.gitindex import EXTENDED
from sandbox.gate.splitindex import whole
from sandbox.hiding.contents import read

_SKIPPED: Final = 0x4000  # of the second flags
_OFFSETS: Final = (b"EOIE", b"IEOT")
"""Extensions that say where entries begin: git can do without, and they would be wrong."""


def skipping(directory: int, name: bytes, is_hidden: Callable[[bytes], bool]) -> bytes | None:
    """The index at a name with every hidden path marked as skipped; None if there is none, or none that can be read."""
    data = read(directory, name, gitindex.LARGEST)
    try:
        return None if data is None else _rewritten(data, directory, is_hidden)
    except gitindex.DAMAGED:
        return None


def _rewritten(data: bytes, directory: int, is_hidden: Callable[[bytes], bool]) -> bytes:
    data = whole(data, lambda name: read(directory, name, gitindex.LARGEST))
    size = gitindex.id_size(data)
    version, count = gitindex.header(data)
    pieces: list[bytes] = []
    position = gitindex.HEADER
    for start, path, end in gitindex.entries(data):
        pieces.append(_skipped(data[start:end], version, size) if is_hidden(path) else data[start:end])
        position = end
    pieces += [text for name, text in gitindex.extensions(data, position, size) if name not in _OFFSETS]
    made = struct.pack(">4sII", b"DIRC", max(version, 3), count) + b"".join(pieces)
    has_sum = any(data[-size:])  # `index.skipHash` leaves it out
    return gitindex.summed(made, size) if has_sum else made + bytes(size)


def _skipped(entry: bytes, version: int, size: int) -> bytes:
    at = gitindex.flags_at(size)
    (flags,) = struct.unpack_from(">H", entry, at)
    more, rest = 0, entry[at + 2 :]
    if flags & EXTENDED:
        (more,) = struct.unpack_from(">H", entry, at + 2)
        rest = entry[at + 4 :]
    made = entry[:at] + struct.pack(">HH", flags | EXTENDED, more | _SKIPPED) + rest
    if version == 4:
        return made
    made = made.rstrip(b"\0")  # no name ends in one
    return made + bytes(8 - len(made) % 8)
