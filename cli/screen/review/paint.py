"""Rows of a diff as pieces of text with their style, one line high and exactly as wide as asked.

This is where bytes become text: through `cli.screen.safe`, and nothing else here reads a row's bytes.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from cli.screen import safe
from cli.screen.review import palette
from cli.screen.review.lines import LONGEST_LINE, Kind, Row, middle
from cli.screen.review.loading import Note

Span = tuple[int, int, Style]
"""From and to in a line's text as it is shown, and what is added to its style there."""

NARROW: Final = 64  # columns below which a unified view numbers its lines once, not twice
MOST_FOUND: Final = 100  # places of a search marked in one line


@dataclass(frozen=True)
class Look:
    """What of the view a line depends on. `column`: how far it is scrolled to the right."""

    width: int
    digits: int
    column: int = 0
    is_split: bool = False
    needle: str = ""


@dataclass(frozen=True)
class Extra:
    """What of the surroundings a line depends on.

    `here`: it belongs to the hunk under the cursor. `head`: what stands in a hunk's head. `left`, `right`: syntax
    colours of the old and the new side.
    """

    here: bool = False
    head: str = ""
    head_style: Style = palette.FAINT
    left: Sequence[Span] = ()
    right: Sequence[Span] = ()


def paint(row: Row, look: Look, extra: Extra) -> list[Segment]:
    """One line of the diff pane."""
    match row.kind:
        case Kind.CUT:
            return fitted(f" … {safe.line(row.left)}", look.width, palette.WARNING)
        case Kind.HUNK:
            return _head(row, look, extra)
        case _:
            bar = Segment("▌", palette.BAR_HERE) if extra.here else Segment(" ", palette.PLAIN)
            return [bar, *(_pair(row, look, extra) if look.is_split else _line(row, look, extra))]


def note_lines(notes: Iterable[Note], width: int) -> list[tuple[str, Style]]:
    """Sentences cut into lines that fit, safe to show, each with its style."""
    found: list[tuple[str, Style]] = []
    for note in notes:
        sign, style = ("!", palette.WARNING) if note.is_warning else ("·", palette.NOTE)
        for number, part in enumerate(textwrap.wrap(safe.line(note.text), max(20, width - 4)) or [""]):
            found.append((f" {' ' if number else sign} {part}", style))
    return found


def fitted(text: str, width: int, style: Style) -> list[Segment]:
    """Safe text, cut or filled to a width; … says that something is missing."""
    if cell_len(text) > width:
        return [Segment(set_cell_size(text, max(0, width - 1)), style), Segment("…" if width else "", style)]
    return [Segment(set_cell_size(text, width), style)]


def shown(line: bytes) -> str:
    """A line's text as it is shown, before it is clipped: escaped, tabs as blanks."""
    text = "".join(safe.lines(line[: LONGEST_LINE + 1]))
    return text if len(line) <= LONGEST_LINE else f"{text}…"


def _head(row: Row, look: Look, extra: Extra) -> list[Segment]:
    style = palette.HUNK_HERE if extra.here else palette.HUNK
    mark = f" {extra.head} "
    room = max(0, look.width - cell_len(mark))
    left = f"{'▌' if extra.here else ' '}{safe.line(row.left)} "
    return [*fitted(left, room, style), Segment(set_cell_size(mark, look.width - room), style + extra.head_style)]


def _line(row: Row, look: Look, extra: Extra) -> list[Segment]:
    base, sign, emphasis = _LOOKS[row.kind]
    faint = base + Style(color=palette.DIM)
    numbers = f"{_number(row.old or row.new, look.digits)} "
    if look.width >= NARROW:
        numbers = f"{_number(row.old, look.digits)} {_number(row.new, look.digits)} "
    room = max(0, look.width - 1 - len(numbers) - 2)
    text = shown(row.left)
    spans = [
        *(extra.left if row.kind is Kind.GONE else extra.right),
        *_differing(row, text, emphasis),
    ]
    return [
        Segment(numbers, faint),
        Segment(f"{_SIGNS[row.kind]} ", sign),
        *_clipped(text, look, room, base, spans),
    ]


def _pair(row: Row, look: Look, extra: Extra) -> list[Segment]:
    half = (look.width - 2) // 2
    gone, come = row.kind in (Kind.GONE, Kind.PAIR), row.kind in (Kind.COME, Kind.PAIR)
    left, right = shown(row.left), shown(row.right)
    differing = middle(left, right) if row.kind is Kind.PAIR else ((0, 0), (0, 0))
    sides = (
        (row.old, left, Kind.GONE if gone else Kind.SAME, [*extra.left, (*differing[0], palette.GONE_WORD)], half),
        (
            row.new,
            right,
            Kind.COME if come else Kind.SAME,
            [*extra.right, (*differing[1], palette.COME_WORD)],
            look.width - 2 - half,
        ),
    )
    pieces: list[Segment] = []
    for number, text, kind, spans, width in sides:
        pieces += _side(number, text, kind, spans, _Room(width, look))
        pieces.append(Segment("│", palette.NOTHING))
    return pieces[:-1]


@dataclass(frozen=True)
class _Room:
    width: int
    look: Look


def _side(number: int, text: str, kind: Kind, spans: Sequence[Span], room: _Room) -> list[Segment]:
    if not number:
        return [Segment(" " * room.width, palette.NO_LINE)]
    base, sign, _ = _LOOKS[kind]
    digits = room.look.digits
    return [
        Segment(f"{_number(number, digits)} ", base + Style(color=palette.DIM)),
        Segment(f"{_SIGNS[kind]} ", sign),
        *_clipped(text, room.look, max(0, room.width - digits - 3), base, spans),
    ]


def _differing(row: Row, text: str, emphasis: Style) -> list[Span]:
    """Which stretch of a line is not in the one it replaces."""
    if not row.right:
        return []
    other = shown(row.right)
    pair = middle(text, other)[0] if row.kind is Kind.GONE else middle(other, text)[1]
    return [(*pair, emphasis)] if pair[0] < pair[1] else []


def _clipped(text: str, look: Look, room: int, base: Style, spans: Sequence[Span]) -> list[Segment]:
    """A stretch of the text, `room` columns wide, with a mark at either end where something is cut off."""
    if room < 3:
        return [Segment(" " * room, base)]
    mark = base + palette.CLIPPED
    is_cut = look.column > 0 and bool(text)
    goes_on = cell_len(text) - look.column > room
    start, visible = _window(text, look.column + is_cut, room - is_cut - goes_on)
    pad = room - is_cut - goes_on - cell_len(visible)
    pieces = [Segment("…", mark)] if is_cut else []
    pieces += _styled(visible, start, base, [*spans, *_found(text, look.needle)])
    if pad:
        pieces.append(Segment(" " * pad, base))
    if goes_on:
        pieces.append(Segment("…", mark))
    return pieces


def _window(text: str, column: int, room: int) -> tuple[int, str]:
    """The characters that lie in `room` columns from `column` on, and the index of the first."""
    if text.isascii():
        return column, text[column : column + room]
    at, start, end = 0, None, len(text)
    for index, character in enumerate(text):
        width = cell_len(character)
        if start is None and at >= column:
            start = index
        if start is not None and at + width > column + room:
            end = index
            break
        at += width
    return (len(text), "") if start is None else (start, text[start:end])


def _styled(visible: str, start: int, base: Style, spans: Sequence[Span]) -> list[Segment]:
    """The visible text in pieces; where spans overlap, the later one wins."""
    end = start + len(visible)
    inside = [
        (max(start, first), min(end, last), style) for first, last, style in spans if first < end and last > start
    ]
    edges = sorted({start, end, *(edge for first, last, _ in inside for edge in (first, last))})
    pieces: list[Segment] = []
    for first, last in pairwise(edges):
        style = base
        for span_first, span_last, more in inside:
            if span_first <= first and last <= span_last:
                style += more
        pieces.append(Segment(visible[first - start : last - start], style))
    return pieces


def _found(text: str, needle: str) -> list[Span]:
    """Where the needle is; small letters find capitals, too."""
    if not needle:
        return []
    haystack = text if needle != needle.lower() else text.lower()
    if len(haystack) != len(text):  # a letter whose small form is longer: places would not fit
        return []
    spans: list[Span] = []
    at = haystack.find(needle)
    while at >= 0 and len(spans) < MOST_FOUND:
        spans.append((at, at + len(needle), palette.FOUND))
        at = haystack.find(needle, at + len(needle))
    return spans


def _number(number: int, digits: int) -> str:
    return f"{number or '':>{digits}}"


_SIGNS: Final = {Kind.SAME: " ", Kind.GONE: "-", Kind.COME: "+"}
_LOOKS: Final = {
    Kind.SAME: (palette.PLAIN, palette.PLAIN, palette.PLAIN),
    Kind.GONE: (palette.GONE, palette.GONE_SIGN, palette.GONE_WORD),
    Kind.COME: (palette.COME, palette.COME_SIGN, palette.COME_WORD),
}
