"""The right pane: one change, drawn line by line as far as it is on the screen."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cli.screen.review import palette
from cli.screen.review.lines import Document, Kind
from cli.screen.review.loading import Loaded, Note
from cli.screen.review.paint import Extra, Look, Span, fitted, note_lines, paint
from cli.screen.review.state import Choice, Edited, Side, parts_of

SPLIT_FROM: Final = 100
"""Columns from which two columns have room."""

MOST_DRAWN: Final = 2000  # lines whose drawing is kept
STEP: Final = 8  # columns of a move to the side

Colours = Callable[[Loaded, int, bool], tuple[Sequence[Span], Sequence[Span]]]
"""The syntax colours of a row, of its left and its right text; the last argument says whether the view is split."""


class DiffView(ScrollView, can_focus=True):
    """A change, with a cursor that stands on a hunk. What is decided it is told."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "line(-1)", show=False),
        Binding("down,j", "line(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "line(-1000000000)", show=False),
        Binding("end,G", "line(1000000000)", show=False),
        Binding("left,h", "aside(-1)", show=False),
        Binding("right,l", "aside(1)", show=False),
        Binding("0", "aside(-1000000)", show=False),
    ]

    class Moved(Message):
        """The cursor is on another hunk."""

    class Clicked(Message):
        """The mark of a hunk was clicked."""

    def __init__(self, colours: Colours, *, id: str) -> None:  # noqa: A002 - textual's own word
        super().__init__(id=id)
        self._colours = colours
        self._loaded: Loaded | None = None
        self._choice: Choice | None = None
        self._wants_split = False
        self._look = Look(0, 2)
        self._drawn: dict[int, Strip] = {}
        self._notes: list[tuple[str, Style]] = []
        self._told: Sequence[Note] = ()
        self.hunk = 0
        """The hunk under the cursor, from 1; 0 if there is none."""

    @property
    def loaded(self) -> Loaded | None:
        """What is shown."""
        return self._loaded

    @property
    def document(self) -> Document | None:
        """Its rows, in the view there is room for."""
        if self._loaded is None:
            return None
        return self._loaded.split if self._look.is_split else self._loaded.unified

    @property
    def is_split(self) -> bool:
        """Whether it is drawn side by side."""
        return self._look.is_split

    def show(self, loaded: Loaded | None, choice: Choice, *, needle: str = "") -> None:
        """Draw this change from now on; of another one the first hunk comes first."""
        is_other = self._loaded is None or loaded is None or loaded.item.path != self._loaded.item.path
        self._loaded, self._choice = loaded, choice
        self._look = replace(self._look, needle=needle, column=0 if is_other else self._look.column)
        self._measure()
        if is_other:
            self.hunk = 1 if self.document is not None and self.document.starts else 0
            self.scroll_to(y=0, animate=False, force=True)
        self._redraw()

    def tell(self, notes: Sequence[Note]) -> None:
        """Show sentences only, about something that is no change."""
        self._loaded, self._choice, self._told, self.hunk = None, None, notes, 0
        self._measure()
        self.scroll_to(y=0, animate=False, force=True)
        self._redraw()

    def refresh_colours(self) -> None:
        """New syntax colours are there."""
        self._redraw()

    def toggle_split(self) -> bool:
        """One column or two; whether two were asked for and there is room."""
        self._wants_split = not self._wants_split
        self._measure()
        self.go_to_hunk(self.hunk)
        return self._look.is_split == self._wants_split

    def go_to_hunk(self, number: int) -> bool:
        """Put the cursor on a hunk, in sight; False if there is no such hunk."""
        document = self.document
        if document is None or not 1 <= number <= len(document.starts):
            return False
        self.hunk = number
        start, end = self._range(document, number)
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if start < top or min(end, start + height // 2) > top + height:
            self.scroll_to(y=start if number > 1 else 0, animate=False, force=True)
        self._redraw()
        self.post_message(self.Moved())
        return True

    def go_to_row(self, index: int) -> None:
        """Put a row in sight, and the cursor on its hunk."""
        document = self.document
        if document is None:
            return
        self.hunk = bisect_right(document.starts, index) or min(1, len(document.starts))
        self.scroll_to(y=max(0, len(self._notes) + index - self.size.height // 3), animate=False, force=True)
        self._redraw()
        self.post_message(self.Moved())

    def action_line(self, by: int) -> None:
        """Scroll up or down."""
        self.scroll_to(y=self.scroll_offset.y + by, animate=False, force=True)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self.action_line(by * max(1, self.size.height - 2))

    def action_aside(self, by: int) -> None:
        """Scroll to the side: the numbers stay."""
        document = self.document
        widest = 0 if document is None else document.widest
        self._look = replace(self._look, column=max(0, min(self._look.column + by * STEP, widest)))
        self._redraw()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The cursor follows once its hunk is out of sight."""
        super().watch_scroll_y(old_value, new_value)
        document = self.document
        if document is None or not self.hunk:
            return
        start, end = self._range(document, self.hunk)
        top, bottom = round(new_value), round(new_value) + self.size.height
        if end <= top or start >= bottom:
            place = top if end <= top else bottom - 1
            self.hunk = max(1, bisect_right(document.starts, place - len(self._notes)))
            self._redraw()
            self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the hunk that was clicked; a click on the mark in its head decides."""
        document = self.document
        offset = event.get_content_offset_capture(self)
        index = self.scroll_offset.y + offset.y - len(self._notes)
        if document is None or not 0 <= index < len(document.rows):
            return
        row = document.rows[index]
        if not row.hunk:
            return
        is_mark = row.kind is Kind.HUNK and offset.x >= self._look.width - len(self._head(row.hunk)[0]) - 2
        self.hunk = row.hunk
        self._redraw()
        self.post_message(self.Moved())
        if is_mark:
            self.post_message(self.Clicked())

    def on_resize(self) -> None:
        """There may be room for two columns now, or not any more."""
        self._measure()
        self._redraw()

    def on_focus(self) -> None:
        """The cursor is drawn differently."""
        self._redraw()

    def on_blur(self) -> None:
        """The cursor is drawn differently."""
        self._redraw()

    def render_line(self, y: int) -> Strip:
        """One line of the diff."""
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        if index < len(self._notes):
            return Strip(fitted(self._notes[index][0], width, self._notes[index][1]), width)
        index -= len(self._notes)
        document = self.document
        if document is None or self._loaded is None or index >= len(document.rows):
            return Strip.blank(width, palette.PLAIN)
        strip = self._drawn.get(index)
        if strip is None:
            if len(self._drawn) > MOST_DRAWN:
                self._drawn.clear()
            strip = self._drawn[index] = self._draw(document, self._loaded, index)
        return strip

    def _draw(self, document: Document, loaded: Loaded, index: int) -> Strip:
        row = document.rows[index]
        is_here = bool(row.hunk) and row.hunk == self.hunk
        if row.kind is Kind.HUNK:
            head, style = self._head(row.hunk)
            return Strip(paint(row, self._look, Extra(is_here, head, style)), self._look.width)
        left, right = self._colours(loaded, index, self._look.is_split)
        return Strip(paint(row, self._look, Extra(is_here, left=left, right=right)), self._look.width)

    def _head(self, number: int) -> tuple[str, Style]:
        loaded = self._loaded
        total = 0 if loaded is None else len(loaded.diff.hunks)
        parts = parts_of(self._choice, total) if self._choice is not None else None
        place = f"{number} of {total}"
        if loaded is None or not loaded.hunks or isinstance(self._choice, Edited | Side):
            return place, palette.ink("dim")
        if parts is not None and number in parts.accepted:
            return f"{place}  [✓ accepted]", palette.ACCEPTED
        if parts is not None and number in parts.rejected:
            return f"{place}  [✗ rejected]", palette.REJECTED
        return f"{place}  [  pending ]", palette.ink("dim")

    def _measure(self) -> None:
        width = self.scrollable_content_region.width
        is_split = self._wants_split and self.app.size.width >= SPLIT_FROM
        self._look = replace(self._look, width=width, is_split=is_split)
        document = self.document
        self._look = replace(self._look, digits=document.digits if document else 2)
        self._notes = note_lines(self._told if self._loaded is None else self._loaded.notes(), width)
        self.virtual_size = Size(1, len(self._notes) + (0 if document is None else len(document.rows)))

    def _redraw(self) -> None:
        self._drawn.clear()
        self.refresh()

    def _range(self, document: Document, number: int) -> tuple[int, int]:
        above = len(self._notes)
        start = document.starts[number - 1]
        end = document.starts[number] if number < len(document.starts) else len(document.rows)
        return above + start, above + end
