"""Pages that lie over the review for a moment: text to read, and questions that take typed answers."""

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Static

from cli.screen.review import palette

Text = Sequence[tuple[str, Style]]
"""A line: pieces that are safe to show, with their style."""


AROUND: Final = 12
"""Rows of a sheet besides its lines: frame, title, question, keys, and a margin."""


class Page(ScrollView, can_focus=True):
    """Lines to scroll through, drawn as far as they are on the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "line(-1)", show=False),
        Binding("down,j", "line(1)", show=False),
        Binding("pageup", "line(-10)", show=False),
        Binding("pagedown,space", "line(10)", show=False),
        Binding("home,g", "line(-1000000000)", show=False),
        Binding("end,G", "line(1000000000)", show=False),
    ]

    def __init__(self, lines: Sequence[Text]) -> None:
        super().__init__()
        self._lines = lines

    def on_mount(self) -> None:
        """As high as its lines, as far as the screen allows."""
        self.virtual_size = Size(1, len(self._lines))
        self.fit()

    def fit(self) -> None:
        """What stands around the lines on a sheet is on the screen, too."""
        self.styles.height = max(1, min(len(self._lines), self.app.size.height - AROUND))

    def action_line(self, by: int) -> None:
        """Scroll."""
        self.scroll_to(y=self.scroll_offset.y + by, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """One line, clipped with a mark."""
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        if index >= len(self._lines):
            return Strip.blank(width, palette.SHEET)
        pieces = [Segment(text, palette.SHEET + style) for text, style in self._lines[index]]
        length = sum(cell_len(piece.text) for piece in pieces)
        if length > width:
            pieces = [*_first(pieces, width - 1), Segment("…", palette.SHEET + palette.CLIPPED)]
        return Strip([*pieces, Segment(" " * max(0, width - length), palette.SHEET)], width)


class Sheet(ModalScreen[bool]):
    """Something to read. `keys` says below it how it goes away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark,w,i", "dismiss(False)", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[Text], keys: str = "Esc closes") -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Title, lines, keys."""
        with Vertical(classes="sheet"):
            yield Static(Content(self._title), classes="title")
            yield Page(self._lines)
            yield from self.question()
            yield Static(Content(self._keys), classes="keys")

    def question(self) -> ComposeResult:
        """What stands between the lines and the keys."""
        yield from ()

    def on_resize(self) -> None:
        """The lines take what room there is."""
        for page in self.query(Page):
            page.fit()

    def on_click(self, event: events.Click) -> None:
        """A click beside the sheet closes it."""
        if event.widget is self:
            self.dismiss(False)


class YesNo(Sheet):
    """A sheet that asks for y; everything else is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", show=False),
        Binding("n", "dismiss(False)", show=False),
    ]


class Typed(Sheet):
    """A sheet that takes a word, typed and not pasted, to say yes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(False)", show=False, priority=True)]

    def __init__(self, title: str, lines: Sequence[Text], *, prompt: str, word: str) -> None:
        super().__init__(title, lines, "Enter confirms · Esc goes back")
        self._prompt = prompt
        self._word = word

    def question(self) -> ComposeResult:
        """The line to type in."""
        yield Static(Content(self._prompt), classes="prompt")
        yield ByHand(id="word")

    def on_mount(self) -> None:
        """Typing goes to the line at once."""
        self.query_one(ByHand).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The very word is yes."""
        if event.value.strip() == self._word:
            self.dismiss(True)
        else:
            event.input.value = ""
            self.query_one(".prompt", Static).update(Content(f"not that · {self._prompt}"))


class ByHand(Input):
    """A line that takes no paste: what confirms has to be typed."""

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()

    def action_paste(self) -> None:
        """Nothing: neither does Ctrl-V."""


def _first(pieces: Sequence[Segment], width: int) -> list[Segment]:
    """The first `width` columns."""
    found: list[Segment] = []
    for piece in pieces:
        room = min(width, cell_len(piece.text))
        found.append(Segment(set_cell_size(piece.text, room), piece.style))
        width -= room
    return found
