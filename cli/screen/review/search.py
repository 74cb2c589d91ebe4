"""Search: the next place where a word stands, in a name or in a line that comes or goes, file after file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.screen import safe
from cli.screen.review.lines import Document, Kind
from cli.screen.review.loading import Loader
from cli.screen.review.paint import shown
from cli.screen.review.state import Item, State


@dataclass(frozen=True)
class Hit:
    """Where it is: a change, and a row of its document; -1 is its name."""

    item: Item
    row: int


def has(text: str, needle: str) -> bool:
    """Whether the needle is in the text; small letters find capitals, too."""
    return needle in (text if needle != needle.lower() else text.lower())


def rows_with(document: Document, needle: str, *, is_split: bool) -> Iterator[int]:
    """The rows that hold it, from the top."""
    for index, row in enumerate(document.rows):
        if row.kind in (Kind.HUNK, Kind.CUT):
            continue
        if has(shown(row.left), needle) or (is_split and has(shown(row.right), needle)):
            yield index


def find(leaves: Sequence[Item], start: Hit, needle: str, *, back: bool, source: "Source") -> Hit | None:
    """The next hit after `start` (before it, with `back`), once around; None if there is none."""
    paths = [item.path for item in leaves]
    first = paths.index(start.item.path) if start.item.path in paths else 0
    step = -1 if back else 1
    for turn in range(len(leaves) + 1):
        item = leaves[(first + step * turn) % len(leaves)]
        hits = _hits(item, needle, source)
        if back:
            hits = hits[::-1]
        for row in hits:
            if turn == 0 and (row >= start.row if back else row <= start.row):
                continue
            return Hit(item, row)
    return None


@dataclass(frozen=True)
class Source:
    """Where documents come from, as they are drawn now."""

    loader: Loader
    state: State
    is_split: bool


def _hits(item: Item, needle: str, source: Source) -> list[int]:
    loaded = source.loader.load(item, source.state.choice(item.path))
    document = loaded.split if source.is_split else loaded.unified
    named = [-1] if has(safe.path(item.path), needle) else []
    return [*named, *rows_with(document, needle, is_split=source.is_split)]
