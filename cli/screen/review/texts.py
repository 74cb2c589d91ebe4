"""What the review says besides the diff: its keys, why a hunk is there, what the model says, what will be written."""

import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.style import Style

from cli.screen import safe
from cli.screen.review import palette
from cli.screen.review.marks import letter_of, mark_of, renamed
from cli.screen.review.state import OPEN, Accepted, Choice, Edited, Item, Parts, Side, State, is_going

if TYPE_CHECKING:
    from sandbox.gate.diff import Hunk
    from sandbox.gate.provenance import Cause

Text = Sequence[tuple[str, Style]]

PLAIN: Final = palette.ink("text")
STRONG: Final = palette.ink("text", bold=True)
COLUMNS: Final = 84  # of a page

KEYS: Final = (
    ("", "deciding"),
    ("space", "accept the hunk, the file, the ordinary files of a folder"),
    ("x", "reject: it stays pending"),
    ("u", "undecide"),
    ("f / F", "accept / reject the whole file"),
    ("A", "accept all ordinary files: none with an effect or a conflict, none too big to be seen"),
    ("e", "edit the text; what you save is what is applied"),
    ("m t M", "a conflict: keep mine, take theirs, both to a side file"),
    ("a", "apply what is accepted, after a last look"),
    ("q", "leave; everything stays pending"),
    ("", "looking"),
    ("tab", "from the tree to the diff and back"),
    ("enter", "into the file; opens and closes a folder"),
    ("] [", "next, previous hunk"),
    (") (", "next, previous file"),
    ("v", "one column or two (from 100 columns on)"),
    ("z", "hide and show the tree"),
    ("s", "sort: what needs a look first, or by name"),
    ("/ n N", "search in names and texts; next, previous"),
    ("← →", "scroll to the side: … says that a line goes on"),
    ("w", "why: the tool call behind the hunk"),
    ("i", "what the model says about its work"),
)
MARKS: Final = (
    ("·", "open"),
    ("✓", "accepted"),
    ("✗", "rejected"),
    ("~", "some hunks"),
    ("✎", "edited by you"),
    ("<", "yours is kept"),
    (">", "the sandbox's is taken"),
    ("=", "both to a side file"),
)


def help_lines() -> list[Text]:
    """All keys and marks."""
    lines: list[Text] = []
    for key, meaning in KEYS:
        if not key:
            lines += [[("", Style())]] * bool(lines) + [[(meaning, palette.ink("blue", bold=True))]]
        else:
            lines.append([(f"  {key:<8}", palette.ink("yellow")), (meaning, palette.ink("text"))])
    lines += [[("", Style())], [("marks", palette.ink("blue", bold=True))]]
    for first, second in zip(MARKS[::2], MARKS[1::2], strict=True):
        lines.append([(f"  {first[0]}  {first[1]:<26}{second[0]}  {second[1]}", palette.ink("text"))])
    return lines


def cause_lines(causes: "Iterable[Cause]") -> Iterator[Text]:
    """The tool calls behind a hunk, oldest first. Summaries are the model's and the tools' words."""
    for cause in causes:
        at = "" if cause.at is None else f"{cause.at.astimezone():%H:%M:%S}  "
        agent = "" if cause.agent in ("", "main") else f" ({safe.line(cause.agent)})"
        yield [(f"{at}{agent}", palette.ink("dim")), (safe.line(cause.sentence), palette.ink("text"))]
        if cause.call:
            yield [(f"          call {safe.line(cause.call)}", palette.ink("dim"))]


def why_lines(found: "Iterable[tuple[Hunk, tuple[Cause, ...]]]", number: int) -> list[Text]:
    """What is behind one hunk, or behind each of them where `number` is 0."""
    lines: list[Text] = []
    for place, (hunk, causes) in enumerate(found, 1):
        if number in (0, place):
            lines.append([(f"hunk {place}  {safe.line(hunk.header)}", palette.ink("blue", bold=True))])
            lines += cause_lines(causes)
    return lines or [[("nothing is known about it", palette.ink("dim"))]]


def summary_lines(summary: str) -> list[Text]:
    """The model's own words, each line marked as such."""
    head: Text = [("the model wrote this; nothing of it was checked, and it decides nothing", palette.ink("yellow"))]
    said = [part for line in safe.lines(summary) for part in textwrap.wrap(line, COLUMNS) or [""]]
    if not summary.strip():
        said = ["(it said nothing)"]
    return [head, [("", Style())], *([("┃ ", palette.ink("dim")), (line, palette.ink("text"))] for line in said)]


def apply_lines(state: State, waiting: Collection[bytes] = ()) -> list[Text]:
    """What is about to be written, what the user's own side stays of, and what remains pending.

    `waiting` was accepted, and has to stay because something else does.
    """
    writing = [(item, choice) for item, choice in state.to_apply() if item.path not in waiting]
    lines: list[Text] = [
        [("will be written", palette.ink("green", bold=True)), (f"  {len(writing):,}", palette.ink("dim"))]
    ]
    lines += [_written(item, choice, state) for item, choice in writing]
    kept = state.kept()
    if kept:
        lines += [[("", Style())], [("yours is kept for good", palette.ink("blue", bold=True))]]
        lines += [_named(item, "<", "blue") for item in kept]
    gone = {item.path for item, _ in writing} | {item.path for item in kept}
    left = [item for path, item in state.items.items() if path not in gone and not item.change.ignored]
    if left:
        title = ("stays pending", palette.ink("yellow", bold=True))
        lines += [[("", Style())], [title, (f"  {len(left):,}", palette.ink("dim"))]]
        lines += [_left(item, state, is_held=item.path in waiting) for item in left]
    return lines


def how(choice: Choice) -> str:
    """How much of a change is applied, in words; empty for all of it."""
    match choice:
        case Parts(accepted, _, of):
            return f"{len(accepted)} of {of} hunks"
        case Edited():
            return "as edited by you"
        case Side.THEIRS:
            return "over your own version"
        case Side.MARKERS:
            return "both versions, in a new file beside it"
        case _:
            return ""


def _written(item: Item, choice: Choice, state: State) -> Text:
    is_opened = item.path in state.seen or not isinstance(choice, Accepted)
    words = [word for word in (how(choice), "" if is_opened else "not opened", _half(item, state)) if word]
    return [
        *_named(item, *mark_of(choice)),
        *((f"  {badge.word}", palette.ink(badge.colour, bold=True)) for badge in item.badges),
        (f"  {', '.join(words)}" if words else "", palette.ink("yellow")),
    ]


def _half(item: Item, state: State) -> str:
    """What of a rename happens alone."""
    if item.renamed is None or is_going(state.choices.get(item.renamed.other, OPEN)):
        return ""
    return "its new name stays: this only deletes it" if item.change.after is None else "its old name stays, too"


def _left(item: Item, state: State, *, is_held: bool) -> Text:
    reason = "  waits for something that stays" if is_held else f"  {item.badges[0].word}" if item.denied else ""
    return [*_named(item, *mark_of(state.choice(item.path))), (reason, palette.ink("yellow"))]


def _named(item: Item, mark: str, colour: str) -> Text:
    letter, _ = letter_of(item)
    return [
        (f"  {mark} ", palette.ink(colour, bold=True)),
        (f"{letter} {safe.path(item.path)}", palette.ink("text")),
        (f" {renamed(item)}" if item.renamed is not None else "", palette.ink("dim")),
    ]
