"""`paddock status`: what waits, by what the rules say about it; and what the model says, as the model's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from cli.screen import safe
from cli.screen.changes import MOST, show_apart, show_rows
from cli.screen.items import items
from cli.screen.judged import show_notices
from cli.screen.terminal import Terminal
from sandbox.changes import Change
from sandbox.gate import effects

if TYPE_CHECKING:
    from cli.case import Case

Group = Literal["conflict", "unseen", "denied", "held", "ordinary"]

TITLES: Final[dict[Group, str]] = {
    "conflict": "you changed these too, so applying them is a conflict",
    "unseen": "hidden from the sandbox, which made its own without knowing yours: applying them is a conflict",
    "denied": "denied by a rule: never applied, whoever approves",
    "held": "need your word: `paddock review`, or `paddock apply` with their names",
    "ordinary": "ordinary: `paddock apply` takes these, and so does `--apply auto`",
}
STYLES: Final[dict[Group, str]] = {
    "conflict": "red",
    "unseen": "red",
    "denied": "red",
    "held": "yellow",
    "ordinary": "dim",
}
SAID: Final = 4  # rows of what the model says


def group_of(case: "Case", change: Change) -> Group:
    """Where a change stands: what the rules forbid comes before what the user changed, and that before the rest."""
    verdict = case.verdict(change)
    if verdict.decision == "deny":
        return "denied"
    if change.moved and change.settles is None:
        return "unseen" if change.unseen else "conflict"
    return "ordinary" if verdict.is_ordinary else "held"


def show_waiting(case: "Case", changes: Sequence[Change], terminal: Terminal) -> None:
    """Each of these changes in its group, with the reason why it is there; then what is apart."""
    from sandbox.gate.blobs import Blobs

    blobs = Blobs(case.session.blobs)
    groups: dict[Group, list[Change]] = {group: [] for group in TITLES}
    for change in changes:
        groups[group_of(case, change)].append(change)
    for group, found in groups.items():
        if found:
            terminal.line(terminal.style(f"{TITLES[group]}:", STYLES[group]))
            listed = items(found, blobs, lambda change: _why(case, change))
            show_rows(listed, blobs, terminal, most=MOST if group == "ordinary" else None)
    show_apart(case, terminal)
    show_notices(case.policy, terminal)


def _why(case: "Case", change: Change) -> tuple[str, ...]:
    """Why a change is where it is, and what else there is to say about it."""
    verdict = case.verdict(change)
    said = () if verdict.is_ordinary else (safe.line(verdict.reason),)
    return (*said, *effects.remarks(change))


def show_said(text: str, terminal: Terminal) -> None:
    """The model's last words, fenced: nothing in them is ours, and nothing was decided by them."""
    if not text.strip():
        return
    terminal.line(terminal.style("the model says, in its own words (nothing here was checked):", "dim"))
    rows = [row for line in safe.lines(text.strip()) for row in terminal.wrap(f"  │ {line}", indent=4, mark="  │ ")]
    for row in rows[:SAID]:
        terminal.line(terminal.style(row, "dim"))
    if len(rows) > SAID:
        terminal.line(terminal.style(f"  … {len(rows) - SAID:,} more lines (`paddock status --json`)", "dim"))
