"""The left pane: the file tree, drawn line by line, so that its size costs nothing."""

from typing import ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cli.screen import safe
from cli.screen.review import palette
from cli.screen.review.listing import Listing, Row, Section
from cli.screen.review.marks import Counts, amount, letter_of, mark_of, renamed, shortened, summary
from cli.screen.review.state import Item, State
from sandbox.changes import Refused

DEEPEST: Final = 6  # levels that are drawn further to the right than the one above
SHORTEST_NAME: Final = 10  # columns that a name keeps beside badge and counts
SHORTEST_OTHER: Final = 10  # columns that the other name of a renamed file has at least
FEW: Final = 3000  # changes below a folder whose marks are summed up on its row


class FileTree(ScrollView, can_focus=True):
    """Sections, folders and changes. It knows where the cursor is; what is decided it is told."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000000000)", show=False),
        Binding("end,G", "move(1000000000)", show=False),
        Binding("left,h", "fold(False)", show=False),
        Binding("right,l", "fold(True)", show=False),
        Binding("enter", "enter", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

    class Folded(Message):
        """A folder is to be opened or closed."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class Entered(Message):
        """A change was chosen with Enter or a double click."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own word
        super().__init__(id=id)
        self._listing = Listing((), ())
        self._state = State({})
        self._counts: Counts = {}
        self.cursor = 0

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        rows = self._listing.rows
        return rows[self.cursor] if self.cursor < len(rows) else None

    def show(self, listing: Listing, state: State, counts: Counts) -> None:
        """Draw this from now on; the cursor stays on its row if that is still there."""
        before = self.row
        is_new = listing is not self._listing
        self._listing, self._state, self._counts = listing, state, counts
        if is_new:
            self.virtual_size = Size(1, len(listing.rows))
            if before is not None:
                self.place(before)
        self.refresh()

    def place(self, wanted: Row) -> None:
        """Put the cursor on a row, or the nearest there is."""
        places = [row.place for row in self._listing.rows]
        place = wanted.place
        self._go(places.index(place) if place in places else min(self.cursor, max(0, len(places) - 1)))

    def select(self, path: bytes) -> None:
        """Put the cursor on a change."""
        for index, row in enumerate(self._listing.rows):
            if row.item is not None and row.path == path:
                self._go(index)
                return

    def action_move(self, by: int) -> None:
        """Up or down."""
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """A page up or down."""
        self._go(self.cursor + by * max(1, self.size.height - 1))

    def action_fold(self, is_open: bool) -> None:
        """Close or open the folder here; closing a change's row goes to its folder."""
        row = self.row
        if row is None:
            return
        if row.is_folder and row.is_open != is_open:
            self.post_message(self.Folded(row))
        elif is_open and not row.is_folder:
            self.post_message(self.Entered())
        elif not is_open:
            above = (at for at in range(self.cursor - 1, -1, -1) if self._is_above(at, row))
            self._go(next(above, self.cursor))

    def action_enter(self) -> None:
        """Go into the change, or open and close the folder."""
        row = self.row
        if row is not None:
            self.post_message(self.Folded(row) if row.is_folder else self.Entered())

    def on_click(self, event: events.Click) -> None:
        """Choose a row; a folder opens and closes, a second click enters the change."""
        index = self.scroll_offset.y + event.get_content_offset_capture(self).y
        if not 0 <= index < len(self._listing.rows):
            return
        self._go(index)
        row = self._listing.rows[index]
        if row.is_folder:
            self.post_message(self.Folded(row))
        elif event.chain > 1:
            self.post_message(self.Entered())

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.virtual_size = Size(1, len(self._listing.rows))
        self._keep_in_sight()

    def on_focus(self) -> None:
        """The cursor is drawn in another colour."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor is drawn in another colour."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the tree."""
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        if index >= len(self._listing.rows):
            return Strip.blank(width, palette.TREE)
        row = self._listing.rows[index]
        ground = palette.TREE
        if index == self.cursor:
            ground = palette.TREE_CURSOR if self.has_focus else palette.TREE_AWAY
        if row.item is not None:
            pieces = self._leaf(row, row.item, width)
        else:
            pieces = self._folder(row, width) if row.refused is None else _never(row, row.refused, width)
        return Strip([Segment(text, ground + style) for text, style in pieces], width)

    def _go(self, index: int) -> None:
        index = max(0, min(index, len(self._listing.rows) - 1))
        if index != self.cursor:
            self.cursor = index
            self.post_message(self.Moved())
        self._keep_in_sight()
        self.refresh()

    def _keep_in_sight(self) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    def _is_above(self, index: int, row: Row) -> bool:
        other = self._listing.rows[index]
        return other.is_folder and (other.depth < row.depth or not other.path)

    def _folder(self, row: Row, width: int) -> list[tuple[str, Style]]:
        below = self._listing.leaves[row.first : row.last]
        count = f"{self._listing.refused if row.section is Section.NEVER else len(below):,}"
        sign = "▾" if row.is_open else "▸"
        if not row.path:
            title = shortened(f"{sign} {safe.path(row.label)}", width - len(count) - 1)
            return [(title, palette.ink("blue", bold=True)), (f" {count}", palette.ink("dim"))]
        mark, colour = summary([self._state.choice(item.path) for item in below]) if len(below) <= FEW else (" ", "dim")
        name = f"{' ' * _indent(row)}{sign} {safe.path(row.label)}/"
        room = width - len(count) - 3
        return [
            (f"{mark} ", palette.ink(colour, bold=True)),
            (shortened(name, room), palette.ink("text")),
            (f" {count}", palette.ink("dim")),
        ]

    def _leaf(self, row: Row, item: Item, width: int) -> list[tuple[str, Style]]:
        mark, colour = mark_of(self._state.choice(item.path))
        letter, kind_colour = letter_of(item)
        head = [
            (f"{mark} ", palette.ink(colour, bold=True)),
            (" " * _indent(row), Style()),
            (f"{letter} ", palette.ink(kind_colour)),
        ]
        name = safe.path(row.label)
        room = width - 4 - _indent(row)
        tail = self._tail(item, room - min(cell_len(name), SHORTEST_NAME) - 1)
        taken = sum(cell_len(text) for text, _ in tail)
        return [*head, (shortened(name, room - taken), palette.ink("text")), *tail]

    def _tail(self, item: Item, room: int) -> list[tuple[str, Style]]:
        """Badges, counts, and where it was renamed from or to, as far as there is room for each."""
        pieces: list[tuple[str, Style]] = []
        for badge in item.badges[:2]:
            if len(badge.word) + 1 <= room:
                room -= len(badge.word) + 1
                pieces.append((f" {badge.word}", palette.ink(badge.colour, bold=True)))
        found = amount(item, self._counts)
        if found and sum(len(text) + 1 for text, _ in found) <= room:
            room -= sum(len(text) + 1 for text, _ in found)
            pieces += [(f" {text}", palette.ink(colour)) for text, colour in found]
        other = renamed(item)
        if other and room >= SHORTEST_OTHER:
            wide = min(room - 1, cell_len(other))
            pieces.insert(0, (f" {shortened(other, wide)}", palette.ink("dim")))
        return pieces


def _never(row: Row, refused: Refused, width: int) -> list[tuple[str, Style]]:
    count = f" ({refused.count:,})" if refused.count > 1 and row.path else ""
    name = shortened(f"⊘ {safe.path(row.label)}", width - 2 - len(count))
    return [("  ", Style()), (name, palette.ink("dim")), (count, palette.ink("dim"))]


def _indent(row: Row) -> int:
    return 2 * min(row.depth, DEEPEST)
