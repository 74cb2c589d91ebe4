"""The signs of the review: one for each decision, one for each kind of change, and names cut to their room."""

from collections.abc import Mapping
from typing import Final

from rich.cells import cell_len, set_cell_size

from cli.screen import safe
from cli.screen.changes import LETTERS
from cli.screen.review.state import Accepted, Choice, Edited, Item, Parts, Rejected, Side

Counts = Mapping[bytes, tuple[int, int] | None]
"""Lines added and removed by path; None for what has no lines."""

KIND_COLOURS: Final = {"added": "green", "modified": "blue", "deleted": "red", "mode": "yellow", "type": "yellow"}


def letter_of(item: Item) -> tuple[str, str]:
    """The letter of a change, and its colour."""
    return ("R", "blue") if item.renamed is not None else (LETTERS[item.change.kind], KIND_COLOURS[item.change.kind])


def renamed(item: Item) -> str:
    """Where a renamed file came from or goes to, safe to show; empty for every other change."""
    if item.renamed is None:
        return ""
    other = safe.path(item.renamed.other)
    return f"→ {other}" if item.change.after is None else f"← {other} {item.renamed.similarity} %"


def mark_of(choice: Choice) -> tuple[str, str]:
    """How a decision is drawn, and its colour."""
    match choice:
        case Accepted():
            return "✓", "green"
        case Rejected():
            return "✗", "red"
        case Parts():
            return "~", "yellow"
        case Edited():
            return "✎", "green"
        case Side.MINE:
            return "<", "blue"
        case Side.THEIRS:
            return ">", "green"
        case Side.MARKERS:
            return "=", "yellow"
        case _:
            return "·", "dim"


def summary(choices: list[Choice]) -> tuple[str, str]:
    """The mark of a folder: that of all below it, or that they differ."""
    marks = {mark_of(choice) for choice in choices}
    if len(marks) == 1:
        found = marks.pop()
        return (" ", "dim") if found[0] == "·" else found
    return "~", "yellow"


def amount(item: Item, counts: Counts) -> list[tuple[str, str]]:
    """Lines added and removed with their colours; nothing while they are not counted."""
    if item.path not in counts:
        return []
    found = counts[item.path]
    if found is None:
        return [("bin", "dim")]
    added, removed = found
    pairs = ((added, f"+{added}", "green"), (removed, f"-{removed}", "red"))
    return [(text, colour) for number, text, colour in pairs if number]


def shortened(text: str, room: int) -> str:
    """Safe text cut or filled to `room` columns; the end of a name says more than its middle."""
    width = cell_len(text)
    if width <= room:
        return text + " " * (room - width)
    if room < 4:
        return set_cell_size(text, max(0, room))
    tail = text[-(room // 3) :] if text.isascii() else ""
    return f"{set_cell_size(text, room - 1 - len(tail))}…{tail}"
