"""One change, line by line, on a screen: every row begins with a sign of ours, so that none can pose as another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from cli.screen import safe
from cli.screen.items import Item, item_of
from cli.screen.terminal import Terminal
from sandbox.changes import Change

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.diff import FileDiff, Hunk

LONGEST: Final = 400  # lines of one diff in a question; `paddock diff` shows them all
COLOURS: Final = {"+": ("green",), "-": ("red",)}


class Origins(NamedTuple):
    """Where a change comes from, in sentences that are safe to show: as a whole, and hunk by hunk."""

    whole: Sequence[str] = ()
    hunks: Sequence[Sequence[str]] = ()


def show_item(item: "Item", blobs: "Blobs", terminal: Terminal, *, origins: Origins | None = None) -> None:
    """All of one item. A rename is shown as the edit of the old file: its hunks cannot be taken one by one."""
    if not item.is_rename:
        show_diff(item.change, blobs, terminal, origins=origins)
        return
    from sandbox.gate.diff import file_diff

    found = file_diff(item.change, blobs)
    _show_head(item, found, terminal)
    for sentence in (origins or Origins()).whole:
        _put(terminal, f"   {sentence}", "cyan")
    for hunk in found.hunks:
        _put(terminal, f"   {hunk.header}", "dim")
        _show_hunk(hunk, terminal, None)


def show_diff(
    change: Change,
    blobs: "Blobs",
    terminal: Terminal,
    *,
    longest: int | None = None,
    origins: Origins | None = None,
) -> bool:
    """One change, hunks numbered as `paddock apply --hunks` takes them; False if it was cut after `longest` lines."""
    from sandbox.gate.diff import file_diff
    from sandbox.gate.hunks import can_choose

    found = file_diff(change, blobs)
    origins = origins or Origins()
    _show_head(item_of(change), found, terminal)
    for sentence in origins.whole:
        _put(terminal, f"   {sentence}", "cyan")
    room = longest
    for number, hunk in enumerate(found.hunks):
        for sentence in origins.hunks[number] if number < len(origins.hunks) else ():
            _put(terminal, f"   {sentence}", "cyan")
        label = f"hunk {number + 1} of {len(found.hunks)}  " if can_choose(change, found) else ""
        _put(terminal, f"   {label}{hunk.header}", "dim")
        _show_hunk(hunk, terminal, room)
        if room is not None and len(hunk.lines) > room:
            left = sum(len(one.lines) for one in found.hunks) - (longest or 0)
            _put(terminal, f"   … cut here, {left:,} lines are not shown: `paddock diff` shows them all", "yellow")
            return False
        room = room and room - len(hunk.lines)
    return True


def _show_head(item: Item, found: "FileDiff", terminal: Terminal) -> None:
    draw = terminal.style
    counted = [f"+{found.added}"] * bool(found.added) + [f"-{found.removed}"] * bool(found.removed)
    kind = "renamed" if item.is_rename else item.change.kind
    rest = ", ".join([kind, *([" ".join(counted)] if counted else [])])
    first, *more = terminal.wrap(f"── {item.name}", indent=3)
    terminal.line(draw(first, "bold") + ("" if more else draw(f"  ({rest})", "dim")))
    for row in more:
        terminal.line(draw(row, "bold"))
    if more:
        terminal.line(draw(f"   ({rest})", "dim"))
    for remark in (*item.remarks, *found.notes):
        for row in terminal.wrap_words(remark, indent=3):
            terminal.line(draw(row, "yellow"))


def _show_hunk(hunk: "Hunk", terminal: Terminal, room: int | None) -> None:
    for tag, line in hunk.lines[:room]:
        for row in terminal.wrap(tag + "".join(safe.lines(line)), indent=2, mark=f"{tag}⏎"):
            terminal.line(terminal.style(row, *COLOURS.get(tag, ())))
        if not line.endswith(b"\n"):
            _put(terminal, "\\  no line feed at the end", "dim")


def _put(terminal: Terminal, text: str, style: str) -> None:
    for row in terminal.wrap(text, indent=5):
        terminal.line(terminal.style(row, style))
