"""Search in the review: a line to type in, and the cursor goes from place to place."""

from functools import partial
from typing import ClassVar

import anyio.to_thread
from textual import work
from textual.binding import Binding, BindingType
from textual.widgets import Input

from cli.screen import safe
from cli.screen.review import search
from cli.screen.review.frame import Frame
from cli.screen.review.search import Hit

BEFORE_ALL = -2  # a row before the name


class Finding(Frame):
    """The search keys, over everything that the tree lists."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "again(False)", show=False),
        Binding("N", "again(True)", show=False),
    ]

    _hit: Hit | None = None

    def action_search(self) -> None:
        """Ask what for."""
        line = self.query_one("#search", Input)
        line.add_class("on")
        line.value = ""
        line.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the first place."""
        if event.input.id == "search":
            self.needle = event.value
            self.diff.focus()
            self.action_again(False)

    def on_input_blurred(self, event: Input.Blurred) -> None:
        """Whoever goes elsewhere does not search."""
        if event.input.id == "search":
            event.input.remove_class("on")

    @work(exclusive=True, group="search")
    async def action_again(self, back: bool) -> None:
        """The next place, or the one before."""
        row, leaves = self.files.row, self.listing.leaves
        if not self.needle or not leaves:
            return
        item = row.item if row is not None and row.item is not None else leaves[0]
        start = self._hit if self._hit is not None and self._hit.item is item else Hit(item, BEFORE_ALL)
        source = search.Source(self.loader, self.state, self.diff.is_split)
        hit = await anyio.to_thread.run_sync(partial(search.find, leaves, start, self.needle, back=back, source=source))
        if hit is None:
            self.say(f"{safe.line(self.needle)} is nowhere in names or texts")
            return
        self._hit = hit
        self._go_to(hit)

    def _go_to(self, hit: Hit) -> None:
        self.say("")
        self.open_folders_of(hit.item)
        self.files.select(hit.item.path)
        self.draw()
        if hit.row >= 0:
            self.diff.go_to_row(hit.row)
