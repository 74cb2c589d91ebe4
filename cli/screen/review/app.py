"""The full-screen review: the keys that decide, on what `frame` shows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import anyio.to_thread
from textual import work
from textual.binding import Binding, BindingType

from cli.screen import safe
from cli.screen.review import deciding, halves, sheets, texts
from cli.screen.review.decided import decided
from cli.screen.review.diff_view import SPLIT_FROM
from cli.screen.review.finding import Finding
from cli.screen.review.frame import NEVER
from cli.screen.review.ordinary import take_ordinary
from cli.screen.review.state import Item, Refusal, Side, State, Unseen, accept_unseen, reject
from cli.screen.review.subject import Apply, Edit, Interrupted, Leave
from sandbox.errors import SandboxError


class ReviewApp(Finding):
    """Collects decisions in `state`; what was decided is read from there when it has ended."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "accept", "accept", key_display="spc"),
        Binding("x", "reject", "reject"),
        Binding("u", "undecide", "undo", show=False),
        Binding("f", "accept_file", show=False),
        Binding("F", "reject_file", show=False),
        Binding("A", "accept_all", "all"),
        Binding("v", "split", "split"),
        Binding("slash", "search", "find", key_display="/"),
        Binding("w", "why", "why"),
        Binding("e", "edit", "edit"),
        Binding("m", "side('MINE')", show=False),
        Binding("t", "side('THEIRS')", show=False),
        Binding("M", "side('MARKERS')", show=False),
        Binding("right_square_bracket", "hunk(1)", show=False),
        Binding("left_square_bracket", "hunk(-1)", show=False),
        Binding("right_parenthesis", "file(1)", show=False),
        Binding("left_parenthesis", "file(-1)", show=False),
        Binding("tab,shift+tab", "other_pane", show=False),
        Binding("escape", "to_files", show=False),
        Binding("z", "tree", show=False),
        Binding("s", "sort", show=False),
        Binding("i", "summary", show=False),
        Binding("a", "apply", "apply"),
        Binding("q", "leave", "leave"),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
        Binding("ctrl+q", "leave", show=False, priority=True),
    ]

    # Deciding

    def place(self) -> deciding.Place:
        """Where the cursor is."""
        row = self.files.row
        if row is None:
            return deciding.Place()
        if row.item is None:
            return deciding.Place(below=self.listing.leaves[row.first : row.last], refused=row.refused)
        loaded = self.diff.loaded
        is_there = loaded is not None and loaded.item == row.item and self.wanted is None
        return deciding.Place(loaded if is_there else None, row.item, self.diff.hunk if self.diff.has_focus else 0)

    def on_change(self) -> Item | None:
        """The change under the cursor; None, and why that does not do, on everything else."""
        place = self.place()
        if place.item is None:
            self.say(NEVER if place.refused is not None else "choose a file first")
        return place.item

    def become(self, found: State | Refusal | Unseen, item: Item | None = None) -> bool:
        """Take a new state, or say why there is none; whether there is one. `item` is what was decided about."""
        match found:
            case Refusal(reason):
                self.say(safe.line(reason))
                return False
            case Unseen(item):
                self.ask_unseen(item.path)
                return False
            case _:
                state = found if item is None else halves.follow(self.state, found, item)
                self.say("" if item is None else halves.said(self.state, state, item))
                self.state = state
                self.draw()
                return True

    def on_diff_view_clicked(self) -> None:
        """A click on a hunk's mark is the space bar."""
        self.diff.focus()
        item = self.on_change()
        if item is not None:
            self.become(deciding.accept(self.state, replace(self.place(), hunk=self.diff.hunk)), item)

    def action_accept(self) -> None:
        """Accept what is here and go on to what is open next; once more takes it back."""
        place = self.place()
        if place.item is None and place.refused is None:
            self.take(place.below)
        elif self.on_change() is not None and self.become(deciding.accept(self.state, place), place.item):
            self._go_on(place)

    def action_reject(self) -> None:
        """Leave out what is here, and go on."""
        place = self.place()
        if place.refused is not None:
            self.say(NEVER)
            return
        self.become(deciding.reject(self.state, place), place.item)
        self._go_on(place)

    def action_undecide(self) -> None:
        """Take back what was decided here."""
        place = self.place()
        self.become(deciding.undecide(self.state, place), place.item)

    def action_accept_file(self) -> None:
        """Accept all of the file, wherever the cursor is in it."""
        item = self.on_change()
        if item is not None:
            self.become(deciding.accept_file(self.state, self.place()), item)

    def action_reject_file(self) -> None:
        """Reject all of the file."""
        item = self.on_change()
        if item is not None:
            self.become(reject(self.state, item.path), item)

    def action_accept_all(self) -> None:
        """Accept what is ordinary and open."""
        self.take([item for item in self.subject.items if not item.change.ignored])

    @work(exclusive=True, group="taking")
    async def take(self, items: Sequence[Item]) -> None:
        """Accept what is ordinary of these, once it is known which of them can be shown in full."""
        if not self.is_measured.is_set():
            self.say("a moment: the changes are still being read")
            self.take_no_keys()
            await self.is_measured.wait()
            self.hold_keys()
        found = take_ordinary(self.state, items)
        self.become(found.state)
        self.say(found.sentence)

    def action_side(self, name: str) -> None:
        """Decide a conflict."""
        item = self.on_change()
        if item is not None:
            self.become(deciding.settle(self.state, self.place(), Side[name]), item)

    def _go_on(self, place: deciding.Place) -> None:
        """To the next open hunk, or the next file."""
        if place.item is None or place.item.path not in self.state.choices:
            return
        if not place.is_hunk or place.loaded is None:
            if self.files.has_focus:
                self.files.action_move(1)
            return
        following = deciding.next_open(self.state, place.loaded, place.hunk)
        if following:
            self.diff.go_to_hunk(following)

    @work
    async def ask_unseen(self, path: bytes) -> None:
        """What was not shown in full takes its name, typed."""
        item = self.state.items[path]
        name = safe.path(path.rpartition(b"/")[2])
        lines = [[(safe.path(path), texts.STRONG)], [("not all of this change can be shown here", texts.PLAIN)]]
        prompt = f"type its name, {name}, to accept it all the same"
        if await self.ask(sheets.Typed("not shown in full", lines, prompt=prompt, word=name)):
            self.become(accept_unseen(self.state, item.path), item)

    async def ask(self, sheet: sheets.Sheet) -> bool:
        """Put a page over the review and wait for its answer; keys typed before it was drawn are no answer."""
        answered = self.push_screen(sheet, wait_for_dismiss=True)
        self.hold_keys()
        return bool(await answered)

    # Ending

    @work(exclusive=True, group="ending")
    async def action_apply(self) -> None:
        """Show what will be written, and end if that is wanted."""
        if not list(self.state.to_apply()) and not self.state.kept():
            self.say("nothing is accepted yet: space accepts, A accepts everything ordinary")
            return
        try:
            found = await anyio.to_thread.run_sync(decided, self.state, self.subject.blobs)
        except SandboxError as error:
            self.say(safe.line(str(error)))
            return
        lines = texts.apply_lines(self.state, {change.path for change in found.waiting})
        much = self.subject.too_much(found.changes)
        title = f"apply to {self.subject.title}?"
        if much is None:
            sheet: sheets.Sheet = sheets.YesNo(title, lines, "y applies · n or Esc goes back")
        else:
            prompt = f"this {safe.line(much.reason)}: type their number, {much.files}, to go on"
            sheet = sheets.Typed(title, lines, prompt=prompt, word=str(much.files))
        if await self.ask(sheet):
            self.exit(Apply())

    def action_leave(self) -> None:
        """Everything stays pending."""
        self.exit(Leave())

    def action_interrupt(self) -> None:
        """Everything stays pending, and the command ends."""
        self.exit(Interrupted())

    def action_edit(self) -> None:
        """Open the text in an editor: outside of this screen, which comes back afterwards."""
        item = self.on_change()
        if item is None:
            return
        reason = deciding.not_editable(self.state, item)
        if reason:
            self.say(safe.line(reason))
        else:
            self.exit(Edit(item))

    # Looking

    def action_hunk(self, by: int) -> None:
        """To the next or the previous hunk; behind the last comes the next file."""
        if not self.diff.go_to_hunk(self.diff.hunk + by):
            self.action_file(by)

    def action_file(self, by: int) -> None:
        """To the next or the previous change."""
        self.say("")
        rows = self.listing.rows
        at = self.files.cursor + by
        while 0 <= at < len(rows) and rows[at].is_folder:
            at += by
        if 0 <= at < len(rows):
            self.files.action_move(at - self.files.cursor)

    def action_other_pane(self) -> None:
        """From the tree to the diff and back."""
        self.set_focus(self.diff if self.files.has_focus else self.files)

    def action_to_files(self) -> None:
        """Out of a search, out of the diff."""
        self.say("")
        self.needle = ""
        self.show_tree()
        self.files.focus()
        self.draw()

    def action_tree(self) -> None:
        """Hide the tree, or show it."""
        if self.files.has_class("hidden"):
            self.show_tree()
        else:
            self.diff.focus()
            self.files.add_class("hidden")

    def action_split(self) -> None:
        """One column or two."""
        if not self.diff.toggle_split():
            self.say(f"two columns take {SPLIT_FROM} columns of the screen or more: it comes when there is room")

    def action_sort(self) -> None:
        """What needs a look first, or by name."""
        self.order = "name" if self.order == "look" else "look"
        self.relist()
        self.say("sorted by name" if self.order == "name" else "sorted: what needs a look first")

    @work
    async def action_help(self) -> None:
        """Every key."""
        await self.ask(sheets.Sheet("keys", texts.help_lines()))

    @work
    async def action_summary(self) -> None:
        """What the model says about its work."""
        await self.ask(sheets.Sheet("the model's own summary", texts.summary_lines(self.subject.summary)))

    @work
    async def action_why(self) -> None:
        """The tool calls behind the hunk, or the file."""
        item, place = self.on_change(), self.place()
        if item is None:
            return
        found = await anyio.to_thread.run_sync(self.subject.why, item.change)
        lines = texts.why_lines(found, self.diff.hunk if place.is_hunk else 0)
        await self.ask(sheets.Sheet(f"why {safe.path(item.path)}", lines))
