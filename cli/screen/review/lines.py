"""A diff as rows of a table, unified or side by side; still raw bytes, which `paint` makes fit for a screen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Final

from sandbox.gate.diff import FileDiff, Hunk

MOST_ROWS: Final = 50_000
"""Rows of one change that are shown; what is cut off has to be confirmed in its own way."""

LONGEST_LINE: Final = 10_000
"""Bytes of one line that can be scrolled to."""


class Kind(Enum):
    """What a row is."""

    HUNK = "@"
    SAME = "="
    GONE = "-"
    COME = "+"
    PAIR = "|"  # side by side: a line that goes next to one that comes
    CUT = "…"


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `hunk` counts from 1, 0 is above them all; `old` and `new` are line numbers, 0 where there is no line.

    In a unified view `left` is the text, and `right` what it replaces or is replaced by, as far as that can be told.
    """

    kind: Kind
    hunk: int = 0
    old: int = 0
    new: int = 0
    left: bytes = b""
    right: bytes = b""


@dataclass(frozen=True)
class Document:
    """One change as rows. `starts` is the row of each hunk's head; `widest` the longest line, in bytes.

    `is_whole`: nothing was cut off.
    """

    rows: tuple[Row, ...]
    starts: tuple[int, ...]
    digits: int
    widest: int
    is_whole: bool


def unified(diff: FileDiff) -> Document:
    """One column, the way a patch reads."""
    return _document(diff, _unified_rows)


def side_by_side(diff: FileDiff) -> Document:
    """Two columns: what was on the left, what will be on the right."""
    return _document(diff, _paired_rows)


def middle(old: str, new: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where two versions of a line differ, from and to in each; all of both where they have too little in common."""
    shortest = min(len(old), len(new))
    start = 0
    while start < shortest and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < shortest - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    if (start + tail) * 3 < max(len(old), len(new)):
        return (0, 0), (0, 0)
    return (start, len(old) - tail), (start, len(new) - tail)


def _document(diff: FileDiff, of_hunk: Callable[[int, Hunk], Iterator[Row]]) -> Document:
    rows: list[Row] = []
    starts: list[int] = []
    is_whole = True
    for number, hunk in enumerate(diff.hunks, 1):
        starts.append(len(rows))
        rows.append(Row(Kind.HUNK, number, hunk.old_start, hunk.new_start, hunk.header.encode()))
        room = MOST_ROWS - len(rows)
        found = list(of_hunk(number, hunk))
        rows += found[: max(0, room)]
        if len(found) > room:
            is_whole = False
            rows.append(
                Row(Kind.CUT, number, left=f"cut here: {diff.added + diff.removed:,} lines differ in all".encode())
            )
            break
    widest = max((max(len(row.left), len(row.right)) for row in rows if row.old or row.new), default=0)
    last = max((max(row.old, row.new) for row in rows), default=0)
    return Document(tuple(rows), tuple(starts), max(2, len(str(last))), widest, is_whole and widest <= LONGEST_LINE)


def _unified_rows(number: int, hunk: Hunk) -> Iterator[Row]:
    old, new = hunk.old_start, hunk.new_start
    gone: list[bytes] = []
    come: list[bytes] = []
    for tag, line in (*hunk.lines, (" ", None)):
        if line is None or tag == " " or (tag == "-" and come):
            yield from _replaced(number, (old, gone), (new, come))
            old, new = old + len(gone), new + len(come)
            gone, come = [], []
        if line is None:
            return
        match tag:
            case " ":
                yield Row(Kind.SAME, number, old, new, line)
                old, new = old + 1, new + 1
            case "-":
                gone.append(line)
            case "+":
                come.append(line)


def _replaced(number: int, old: tuple[int, list[bytes]], new: tuple[int, list[bytes]]) -> Iterator[Row]:
    """Lines that go and lines that come in their place; as many of both are taken for the same ones, edited."""
    (first_old, gone), (first_new, come) = old, new
    is_edit = len(gone) == len(come)
    for place, line in enumerate(gone):
        yield Row(Kind.GONE, number, first_old + place, 0, line, come[place] if is_edit else b"")
    for place, line in enumerate(come):
        yield Row(Kind.COME, number, 0, first_new + place, line, gone[place] if is_edit else b"")


def _paired_rows(number: int, hunk: Hunk) -> Iterator[Row]:
    old, new = hunk.old_start, hunk.new_start
    gone: list[bytes] = []
    come: list[bytes] = []
    for tag, line in (*hunk.lines, (" ", None)):
        if tag == "-" and line is not None:
            gone.append(line)
        elif tag == "+" and line is not None:
            come.append(line)
        else:
            for left, right in zip_longest(gone, come):
                yield _pair(number, (old, left), (new, right))
                old, new = old + (left is not None), new + (right is not None)
            gone, come = [], []
            if line is not None:
                yield Row(Kind.SAME, number, old, new, line, line)
                old, new = old + 1, new + 1


def _pair(number: int, left: tuple[int, bytes | None], right: tuple[int, bytes | None]) -> Row:
    if right[1] is None:
        return Row(Kind.GONE, number, left[0], 0, left[1] or b"")
    if left[1] is None:
        return Row(Kind.COME, number, 0, right[0], b"", right[1])
    return Row(Kind.PAIR, number, left[0], right[0], left[1], right[1])
