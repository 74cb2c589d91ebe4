"""Git's index where most of it lies in a file that several share (`core.splitIndex`), put together again.

The source is gitformat-index(5), "Split index", and for the bitmaps gitformat-bitmap(5), appendix A. As in
`sandbox.gate.gitindex`, a stranger's bytes raise one of `DAMAGED`.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Final

from sandbox.gate.gitindex import EXTENDED, HEADER, LENGTH, entries, extensions, flags_at, header, id_size, summed

_LINK: Final = b"link"
_STAGE: Final = 0x3000  # of the flags
_WORD: Final = 64
_MOST: Final = 1_000_000  # entries, of which each takes half a kilobyte here
_SPARE: Final = 8
_NOWHERE: Final = "a bit for an entry that is not there"

Row = tuple[bytes, bytes]
"""An entry: its path, and all that stands before it."""


def whole(data: bytes, shared: Callable[[bytes], bytes | None]) -> bytes:
    """An index with what it shares; one that is not split, as it is. `shared` reads a file beside it, by name."""
    if _LINK not in data:  # which is cheaper to see than where the entries end
        return data
    size = id_size(data)
    found = list(extensions(data, max((end for _, _, end in entries(data)), default=HEADER), size))
    link = next((text[8:] for name, text in found if name == _LINK), None)
    if link is None:
        return data
    others = b"".join(text for name, text in found if name != _LINK)
    rows = list(_rows(data, size))
    if any(link[:size]):
        base = shared(b"sharedindex." + link[:size].hex().encode())
        if base is None or id_size(base) != size:
            raise ValueError("without what it shares")
        if header(data)[1] + header(base)[1] > _MOST:
            raise ValueError("more than is put together here")
        rows = _merged(list(_rows(base, size)), rows, link[size:], size)
    return _joined(rows, others, size)


def _rows(data: bytes, size: int) -> Iterator[Row]:
    for start, path, _ in entries(data):
        end = start + flags_at(size) + 2
        yield path, data[start : end + 2 if data[end - 2] & EXTENDED >> 8 else end]


def _merged(base: list[Row], mine: list[Row], bitmaps: bytes, size: int) -> list[Row]:
    """What is shared, without what is deleted, with what is replaced and what is new; replacements have no path."""
    deleted, bitmaps = _bits(bitmaps, len(base))
    replaced, _ = _bits(bitmaps, len(base))
    for number, place in enumerate(sorted(replaced)):
        base[place] = (base[place][0], mine[number][1])
    kept = [row for place, row in enumerate(base) if place not in deleted]
    return list({_order(row, size): row for row in (*kept, *mine[len(replaced) :])}.values())


def _joined(rows: list[Row], others: bytes, size: int) -> bytes:
    at = flags_at(size)
    made = []
    is_extended = False
    for path, head in sorted(rows, key=lambda row: _order(row, size)):
        (flags,) = struct.unpack_from(">H", head, at)
        is_extended = is_extended or bool(flags & EXTENDED)
        entry = head[:at] + struct.pack(">H", flags & ~LENGTH | min(len(path), LENGTH)) + head[at + 2 :] + path
        made.append(entry + bytes(8 - len(entry) % 8))
    return summed(struct.pack(">4sII", b"DIRC", 3 if is_extended else 2, len(made)) + b"".join(made) + others, size)


def _order(row: Row, size: int) -> tuple[bytes, int]:
    path, head = row
    return path, struct.unpack_from(">H", head, flags_at(size))[0] & _STAGE


def _bits(data: bytes, most: int) -> tuple[frozenset[int], bytes]:
    """Which bits are set in a compressed bitmap (EWAH) of at most so many, and what follows it."""
    _, count = struct.unpack_from(">II", data)
    if count > _SPARE + most // 16:  # two words for 64 bits are the most that any needs
        raise ValueError("a bitmap without end")
    words = struct.unpack_from(f">{count}Q", data, 8)
    found: list[int] = []
    at = position = 0
    while position < count:
        runs, literal = words[position] >> 1 & 0xFFFFFFFF, words[position] >> 33
        if words[position] & 1:
            if runs * _WORD > most - at:
                raise ValueError(_NOWHERE)
            found += range(at, at + runs * _WORD)
        at += runs * _WORD
        for word in words[position + 1 : position + 1 + literal]:
            if word.bit_length() > most - at:
                raise ValueError(_NOWHERE)
            found += [at + bit for bit in range(_WORD) if word >> bit & 1]
            at += _WORD
        position += 1 + literal
    return frozenset(found), data[8 + 8 * count + 4 :]
