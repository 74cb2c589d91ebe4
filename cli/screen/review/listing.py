"""The file tree of a review as rows: sections, folders that can be closed, and the changes in them.

A folder that holds nothing but one other folder shares its row. Depth and number of files cost no more than that:
nothing here recurses, and folders that do not branch are never made.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from cli.screen.review.state import Item
from sandbox.changes import Refused

Order = Literal["look", "name"]

MOST_REFUSED: Final = 1000
"""Rows of what never leaves; nothing can be decided about them, and the row behind them counts the rest."""


class Section(Enum):
    """What the tree is divided into, in this order."""

    LOOK = "needs a look"
    PLAIN = "ordinary"
    ALL = "changes"
    IGNORED = "ignored by .gitignore"
    NEVER = "never leaves"


FolderKey = tuple[Section, bytes]
"""A folder's row; the empty path is the section itself."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tree: a change, something refused, or a folder or section, with the range of the leaves below."""

    section: Section
    path: bytes
    label: bytes
    depth: int
    item: Item | None = None
    is_open: bool = True
    first: int = 0
    last: int = 0
    refused: Refused | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it can be opened and closed."""
        return self.item is None and self.refused is None

    @property
    def place(self) -> tuple[Section, bytes, bool]:
        """What tells it from every other row."""
        return self.section, self.path, self.is_folder

    @property
    def key(self) -> FolderKey:
        """How a folder is remembered as closed."""
        return self.section, self.path


@dataclass(frozen=True)
class Listing:
    """The rows to draw, and every item in the order in which they come, whether its folder is open or not.

    `refused`: how many things can never leave.
    """

    rows: tuple[Row, ...]
    leaves: tuple[Item, ...]
    refused: int = 0


def listing(
    items: Iterable[Item], order: Order, closed: Collection[FolderKey], *, refused: Sequence[Refused] = ()
) -> Listing:
    """The tree. A closed section or folder keeps its row and hides what is below."""
    groups: dict[Section, list[Item]] = {}
    for item in items:
        groups.setdefault(_section(item, order), []).append(item)
    rows: list[Row] = []
    leaves: list[Item] = []
    for section in Section:
        found = sorted(groups.get(section, ()), key=lambda item: _by_parts(item.path))
        if not found:
            continue
        start = len(leaves)
        leaves += found
        is_open = (section, b"") not in closed
        rows.append(Row(section, b"", section.value.encode(), 0, None, is_open, start, len(leaves)))
        if is_open:
            rows += _rows(section, found, closed, start)
    rows += _refused_rows(refused, is_open=(Section.NEVER, b"") not in closed)
    return Listing(tuple(rows), tuple(leaves), sum(one.count for one in refused))


def _refused_rows(refused: Sequence[Refused], *, is_open: bool) -> Iterator[Row]:
    """What never leaves, by its whole names: nobody works through it folder by folder."""
    if not refused:
        return
    section = Section.NEVER
    yield Row(section, b"", section.value.encode(), 0, None, is_open)
    if not is_open:
        return
    for one in refused[:MOST_REFUSED]:
        yield Row(section, one.path, one.path, 0, refused=one)
    rest = sum(one.count for one in refused[MOST_REFUSED:])
    if rest:
        more = Refused(b"", "there is no room for them here: `paddock status --json` lists all of them", rest)
        yield Row(section, b"", f"… and {rest:,} more".encode(), 0, refused=more)


def _section(item: Item, order: Order) -> Section:
    if item.change.ignored:
        return Section.IGNORED
    if order == "name":
        return Section.ALL
    return Section.PLAIN if item.is_ordinary and not item.badges else Section.LOOK


def _rows(section: Section, items: Sequence[Item], closed: Collection[FolderKey], start: int) -> Iterator[Row]:
    parents = _parents(sorted({_folder(item.path) for item in items}, key=_by_parts))
    ends = _ends(items, parents)
    stack: list[bytes] = [b""]
    hidden: bytes | None = None  # the closed folder we are in
    for number, item in enumerate(items):
        folder = _folder(item.path)
        chain = []
        while folder not in stack:
            chain.append(folder)
            folder = parents[folder]
        del stack[stack.index(folder) + 1 :]
        if hidden is not None and hidden not in stack:
            hidden = None
        for name in reversed(chain):
            if hidden is None:
                is_open = (section, name) not in closed
                yield Row(
                    section,
                    name,
                    _label(name, stack[-1]),
                    len(stack) - 1,
                    None,
                    is_open,
                    start + number,
                    start + ends[name],
                )
                hidden = None if is_open else name
            stack.append(name)
        if hidden is None:
            yield Row(section, item.path, _label(item.path, stack[-1]), len(stack) - 1, item)


def _ends(items: Sequence[Item], parents: dict[bytes, bytes]) -> dict[bytes, int]:
    """Behind which leaf each folder ends; leaves of one folder stand together."""
    ends: dict[bytes, int] = {}
    for number in range(len(items) - 1, -1, -1):
        folder = _folder(items[number].path)
        while folder and folder not in ends:
            ends[folder] = number + 1
            folder = parents[folder]
    return ends


def _parents(folders: Sequence[bytes]) -> dict[bytes, bytes]:
    """The folders that hold files and those where they branch, each with the next one above; `folders` are sorted."""
    parents: dict[bytes, bytes] = {}
    stack = [b""]
    for folder in folders:
        common = _common(stack[-1], folder)
        while len(stack[-1]) > len(common):
            below = stack.pop()
            parents[below] = stack[-1] if len(stack[-1]) >= len(common) else common
        if stack[-1] != common:
            stack.append(common)
        if folder != common:
            stack.append(folder)
    while len(stack) > 1:
        below = stack.pop()
        parents[below] = stack[-1]
    return parents


def _common(one: bytes, other: bytes) -> bytes:
    """The longest folder both are in or are."""
    length = min(len(one), len(other)) + 1
    for place, pair in enumerate(zip(one + b"/", other + b"/", strict=False)):
        if pair[0] != pair[1]:
            length = place
            break
    end = (one + b"/").rfind(b"/", 0, length)
    return one[:end] if end > 0 else b""


def _by_parts(path: bytes) -> bytes:
    """A sort key that keeps what is below a folder together: no name holds a NUL."""
    return path.replace(b"/", b"\0")


def _folder(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _label(path: bytes, above: bytes) -> bytes:
    return path[len(above) + 1 :] if above else path
