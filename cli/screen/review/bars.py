"""The bar above the screen and the one above the diff: what is reviewed, how far it is, and what stands out."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.color import Color
from textual.content import Content
from textual.style import Style

from cli.screen import safe
from cli.screen.review.loading import Loaded
from cli.screen.review.marks import shortened
from cli.screen.review.palette import NAMED, TEXT
from cli.screen.review.state import OPEN, Parts, Rejected, State
from sandbox.changes import Refused


def tallies(title: str, state: State, width: int) -> Content:
    """What is reviewed on the left, how far it is on the right."""
    chosen = [state.choice(path) for path, item in state.items.items() if not item.change.ignored]
    left_out = sum(isinstance(choice, Rejected) for choice in chosen)
    pending = sum(choice == OPEN for choice in chosen)
    accepted = len(chosen) - left_out - pending
    right = [(f"✓ {accepted:,} ", "green"), (f" ✗ {left_out:,} ", "red"), (f" · {pending:,} open", "dim")]
    room = width - sum(cell_len(text) for text, _ in right) - 1
    return Content.assemble(
        (shortened(title, room), Style(foreground=Color.parse(TEXT), bold=True)),
        " ",
        *((text, Style(foreground=Color.parse(NAMED[name]))) for text, name in right),
    )


def head(loaded: Loaded | None, hunk: int, state: State, width: int) -> Content:
    """The change on the right: its name, its badges, how much it is, which hunk."""
    if loaded is None:
        return Content("")
    item = loaded.item
    pieces = [(f" {badge.word} ", badge.colour) for badge in item.badges]
    pieces += [
        (f" {sign}{number:,}", colour)
        for sign, number, colour in (("+", loaded.diff.added, "green"), ("-", loaded.diff.removed, "red"))
        if number
    ]
    if loaded.hunks:
        choice = state.choice(item.path)
        done = f", {len(choice.accepted)} accepted" if isinstance(choice, Parts) and width >= 60 else ""
        pieces.append((f"  {hunk}/{len(loaded.diff.hunks)}{done}", "dim"))
    if not loaded.is_whole:
        pieces.append(("  NOT SHOWN IN FULL", "yellow"))
    return _titled(item.path, pieces, width)


def never(refused: Refused, width: int) -> Content:
    """The same for what can never leave."""
    count = f"  {refused.count:,} entries" if refused.count > 1 else ""
    return _titled(refused.path, [(" NEVER LEAVES ", "orange"), (count, "dim")], width)


def _titled(path: bytes, pieces: Sequence[tuple[str, str]], width: int) -> Content:
    room = max(8, width - 1 - sum(cell_len(text) for text, _ in pieces) - 1)
    name = shortened(f" {safe.path(path)}", room).rstrip()
    return Content.assemble(
        (name, Style(foreground=Color.parse(TEXT), bold=True)),
        " ",
        *((text, Style(foreground=Color.parse(NAMED[colour]), bold=text.isupper())) for text, colour in pieces),
    )
