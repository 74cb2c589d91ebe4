"""What a review reads: the rows of one change, made when they are wanted and kept for as long as they may be again."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cli.screen.review.lines import Document, side_by_side, unified
from cli.screen.review.state import Choice, Edited, Item, Renamed, Side
from sandbox.changes import Change, File, Node
from sandbox.errors import StateError

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.diff import FileDiff

LARGEST: Final = 8 * 1024 * 1024
"""Bytes of both sides together up to which lines are compared for the screen."""

MOST_KEPT: Final = 24  # changes whose rows are kept

NOT_SHOWN: Final = "too big to be shown here: {size:,} bytes. `paddock diff` in a pipe writes all of it"


@dataclass(frozen=True)
class Note:
    """A sentence about a change, not escaped yet."""

    text: str
    is_warning: bool = False


@dataclass(frozen=True)
class Loaded:
    """One change, ready to be drawn. `hunks` is how many can be chosen one by one; 0: all or nothing."""

    item: Item
    choice: Choice
    diff: "FileDiff"
    hunks: int
    is_read: bool

    @cached_property
    def unified(self) -> Document:
        """The rows in one column."""
        return unified(self.diff)

    @cached_property
    def split(self) -> Document:
        """The rows in two columns."""
        return side_by_side(self.diff)

    @property
    def is_whole(self) -> bool:
        """Whether all of it can be looked at here."""
        return self.is_read and self.unified.is_whole

    def notes(self) -> Iterator[Note]:
        """What has to be said before the lines."""
        match self.choice:
            case Edited():
                yield Note("edited by you: this is what is applied")
            case Side() as side:
                yield Note(f"decided: {side.value}")
            case _:
                pass
        if self.item.renamed is not None:
            yield Note(_renamed(self.item.renamed, is_old=self.item.change.after is None))
        for badge in self.item.badges:
            yield Note(f"{badge.word}: {badge.reason}", is_warning=True)
        if self.item.is_conflict:
            yield Note(CONFLICT)
        for note in self.diff.notes:
            yield Note(note)


def _renamed(renamed: Renamed, *, is_old: bool) -> str:
    other, alike = renamed.other.decode("utf-8", "surrogateescape"), f"{renamed.similarity} % the same"
    if is_old:
        return f"probably renamed to {other} ({alike}): this name goes; one key decides both"
    rest = "nothing differs" if renamed.similarity == 100 else "only what differs is shown"
    return f"probably renamed from {other} ({alike}): {rest}; one key decides both"


CONFLICT: Final = (
    "m keeps yours, t takes the sandbox's, M writes both to a side file, e lets you merge by hand; "
    "the diff leads from yours to the sandbox's"
)


class Loader:
    """Reads changes, each once; safe to be called from one thread at a time."""

    def __init__(self, blobs: "Blobs") -> None:
        self.blobs = blobs
        self._kept: OrderedDict[tuple[bytes, Choice | None], Loaded] = OrderedDict()

    def kept(self, item: Item, choice: Choice) -> Loaded | None:
        """What has been read already."""
        return self._kept.get(_key(item, choice))

    def load(self, item: Item, choice: Choice) -> Loaded:
        """Read a change and compare its lines. What is damaged is shown as a note, and is not whole."""
        key = _key(item, choice)
        found = self._kept.get(key)
        if found is None:
            found = load(item, choice, self.blobs)
            _ = found.unified.rows
            self._kept[key] = found
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found


def _key(item: Item, choice: Choice) -> tuple[bytes, Choice | None]:
    return item.path, choice if isinstance(choice, Edited | Side) else None


def load(item: Item, choice: Choice, blobs: "Blobs") -> Loaded:
    """Read a change and compare its lines. What is damaged is a note."""
    from sandbox.gate.diff import FileDiff, file_diff
    from sandbox.gate.hunks import can_choose

    is_against_old = item.drawn is not item.change and not isinstance(choice, Edited)
    change = choice.change if isinstance(choice, Edited) else item.drawn
    diff = FileDiff(change.path, (), 0, 0, False, ())
    problem = NOT_SHOWN.format(size=size_of(change)) if size_of(change) > LARGEST else ""
    if not problem:
        try:
            diff = file_diff(change, blobs)
        except StateError as error:
            problem = str(error)
    if problem:
        return Loaded(item, choice, replace(diff, notes=(problem,)), 0, is_read=False)
    is_by_hunk = can_choose(change, diff) and not is_against_old
    return Loaded(item, choice, diff, len(diff.hunks) if is_by_hunk else 0, is_read=True)


def size_of(change: Change) -> int:
    """Bytes of both sides together."""
    return _size(change.before) + _size(change.after)


def _size(node: Node | None) -> int:
    return node.size if isinstance(node, File) else 0
