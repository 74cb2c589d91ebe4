"""What the review shows: the tree, the diff, the bars; read and counted off the loop, drawn when it is there."""

import math
import time
from typing import Final

import anyio
import anyio.to_thread
from textual import events, work
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.driver import Driver
from textual.widgets import Footer, Input, Static

from cli.screen import safe
from cli.screen.review.bars import head, never, tallies
from cli.screen.review.colours import Colours
from cli.screen.review.diff_view import DiffView
from cli.screen.review.listing import FolderKey, Listing, Order, Section, listing
from cli.screen.review.loading import Loader, Note
from cli.screen.review.measure import measured
from cli.screen.review.state import Item, State
from cli.screen.review.stylesheet import CSS
from cli.screen.review.subject import Outcome, Subject
from cli.screen.review.tree import FileTree

Counted = dict[bytes, tuple[int, int] | None]

BATCH: Final = 20  # changes counted between two drawings
NEVER: Final = "this never leaves the sandbox, whoever approves; there is nothing to decide"


class Frame(App[Outcome]):
    """A subject on the screen, as `state` says it is decided. Which keys there are, `app` says.

    It is without syntax colours unless somebody lets `colours` work beside it.
    """

    CSS = CSS
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(
        self, subject: Subject, state: State, *, at: bytes = b"", note: str = "", driver: type[Driver] | None = None
    ) -> None:
        super().__init__(driver_class=driver)
        self.failure: Exception | None = None
        self._note = note
        self.animation_level = "none"
        self.subject = subject
        self.state = state
        self._at = at
        self.order: Order = "look"
        self.closed: set[FolderKey] = {(Section.IGNORED, b"")}
        self.listing = self._listed()
        self.loader = Loader(subject.blobs)
        self.wanted: Item | None = None
        self._counts: Counted = {}
        self.is_measured = anyio.Event()
        self.needle = ""
        self._shown_at = math.inf
        self.colours = Colours(lambda: self.call_later(self._recolour))

    def compose(self) -> ComposeResult:
        """A bar above, the two panes, one line for what went wrong, the keys below."""
        yield Static(id="top")
        with Horizontal(id="panes"):
            yield FileTree(id="tree")
            with Vertical(id="right"):
                yield Static(id="head")
                yield DiffView(self.colours, id="diff")
        yield Static(id="says")
        yield Input(id="search", placeholder="search in names and texts", select_on_focus=False)
        yield Footer(show_command_palette=False, compact=True)

    @property
    def files(self) -> FileTree:
        """The left pane."""
        return self.screen_stack[0].query_one(FileTree)

    @property
    def diff(self) -> DiffView:
        """The right pane."""
        return self.screen_stack[0].query_one(DiffView)

    async def on_mount(self) -> None:
        """The first change is on the first screen already."""
        self.files.show(self.listing, self.state, self._counts)
        first = self._at or next((row.path for row in self.listing.rows if row.item is not None), b"")
        self.files.select(first)
        self.files.focus()
        self.draw()
        self.count()
        self.say(safe.line(self._note))
        self.hold_keys()

    def _handle_exception(self, error: Exception) -> None:
        """A bug of ours ends the screen. Who runs it raises `failure`: textual would print what it stumbled over."""
        self.failure = self._exception = error
        self.exit(return_code=1)

    async def on_event(self, event: events.Event) -> None:
        """What was typed before there was anything to see decides nothing."""
        is_early = isinstance(event, events.InputEvent) and not event.is_forwarded and event.time < self._shown_at
        if not is_early:
            await super().on_event(event)

    def hold_keys(self) -> None:
        """Take no keys until what stands on the screen now has been drawn."""
        self._shown_at = math.inf
        self.screen.call_after_refresh(self._take_keys)

    @property
    def takes_keys(self) -> bool:
        """Whether what is on the screen has been drawn, so that a key can be an answer to it."""
        return self._shown_at < math.inf

    def take_no_keys(self) -> None:
        """Until `hold_keys`, and what is drawn after it: what is asked for takes a moment."""
        self._shown_at = math.inf

    def _take_keys(self) -> None:
        self._shown_at = time.monotonic()

    def on_resize(self) -> None:
        """The bars are cut to the width."""
        self.call_after_refresh(self.draw)

    def on_file_tree_moved(self) -> None:
        """Show what the cursor is on."""
        self.draw()

    def on_file_tree_entered(self) -> None:
        """Go over to the diff."""
        self.diff.focus()

    def on_file_tree_folded(self, message: FileTree.Folded) -> None:
        """Open or close a folder."""
        self.closed ^= {message.row.key}
        self.relist()

    def on_diff_view_moved(self) -> None:
        """The bar says which hunk it is."""
        self.draw_bars()

    def relist(self) -> None:
        """Sort and fold anew."""
        self.listing = self._listed()
        self.draw()

    def _listed(self) -> Listing:
        return listing(self.subject.items, self.order, self.closed, refused=self.subject.refused)

    def draw(self) -> None:
        """Show what is true now, in both panes."""
        self.files.show(self.listing, self.state, self._counts)
        row = self.files.row
        if row is not None and row.item is not None:
            self._show(row.item)
        elif row is not None and row.refused is not None:
            self.wanted = None
            self.diff.tell([Note(NEVER, is_warning=True), Note(row.refused.reason)])
        self.draw_bars()

    def draw_bars(self) -> None:
        """How far it is, and what the diff is of."""
        screen = self.screen_stack[0]
        screen.query_one("#top", Static).update(tallies(self.subject.title, self.state, self.size.width - 2))
        shown = self.diff.loaded
        bar = screen.query_one("#head", Static)
        row = self.files.row
        if row is not None and row.refused is not None:
            bar.update(never(row.refused, bar.size.width))
        else:
            bar.update(head(shown, self.diff.hunk, self.state, bar.size.width))

    def _show(self, item: Item) -> None:
        """Draw a change at once if it has been read, else as soon as it has been; the last one asked for wins."""
        choice = self.state.choice(item.path)
        loaded = self.loader.kept(item, choice)
        if loaded is not None:
            self.wanted = None
            self.state = self.state.with_seen(item.path)
            self.diff.show(loaded, choice, needle=self.needle)
            return
        is_busy = self.wanted is not None
        self.wanted = item
        if not is_busy:
            self.read()

    @work
    async def read(self) -> None:
        """Read what is wanted, off the loop."""
        while self.wanted is not None:
            item = self.wanted
            await anyio.to_thread.run_sync(self.loader.load, item, self.state.choice(item.path))
            if self.wanted is item:
                self.wanted = None
                self.draw()

    @work
    async def count(self) -> None:
        """Count the lines of every change, little by little, and find out which of them can be shown in full."""
        leaves = self.listing.leaves
        for start in range(0, len(leaves), BATCH):
            items = leaves[start : start + BATCH]
            found = await anyio.to_thread.run_sync(measured, items, self.subject.blobs)
            self._counts |= found.counts
            self.state = self.state.with_whole(found.whole)
            self.files.show(self.listing, self.state, self._counts)
        self.is_measured.set()

    def show_tree(self) -> None:
        """The left pane is there again."""
        self.files.remove_class("hidden")

    def open_folders_of(self, item: Item) -> None:
        """Open what hides a change."""
        hiding = {key for key in self.closed if item.path.startswith(key[1] + b"/") or not key[1]}
        if hiding and all(row.item is not item for row in self.listing.rows):
            self.closed -= hiding
            self.relist()

    def _recolour(self) -> None:
        self.diff.refresh_colours()

    def say(self, text: str) -> None:
        """One sentence above the keys, until the next key; safe to show."""
        line = self.screen_stack[0].query_one("#says", Static)
        line.update(Content(text))
        line.set_class(bool(text), "on")
