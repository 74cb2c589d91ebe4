"""Change sets, drawn: what waits, what is ignored, what can never leave."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from cli.screen import safe
from cli.screen.terminal import Terminal
from sandbox.changes import Change, Directory, Link, Refused

if TYPE_CHECKING:
    from cli.case import Case
    from cli.screen.items import Item
    from sandbox.gate.apply import Applied
    from sandbox.gate.blobs import Blobs

LETTERS: Final = {"added": "A", "modified": "M", "deleted": "D", "mode": "X", "type": "T"}
COLOURS: Final = {"added": "green", "modified": "cyan", "deleted": "red", "mode": "yellow", "type": "yellow"}
SIGNS: Final = {"+": "green", "-": "red"}
AMOUNT: Final = 9  # columns for `+12 -345`
FEW: Final = 8  # ignored and refused paths shown; every ignored deletion is
MOST: Final = 200  # plain changes shown as rows; one with a remark, every deletion among them, always is
WHERE: Final = "`paddock diff --stat` has every one"
NAME: Final = 44  # columns a path is padded to, at most


def show_list(case: "Case", terminal: Terminal, changes: Sequence[Change] | None = None) -> None:
    """The changes in question (None: all pending), those that deserve a look first; then what is apart from them."""
    from cli.screen.items import items
    from sandbox.gate.blobs import Blobs

    if case.running:
        terminal.line(terminal.style(still_changing(case.running), "yellow"))
    asked = case.changes.pending if changes is None else changes
    blobs = Blobs(case.session.blobs)
    show_rows(items(asked, blobs, case.warnings), blobs, terminal, most=MOST)
    if changes is None:
        show_apart(case, terminal)


def still_changing(running: int) -> str:
    """What to say of a workspace that may be another one in a moment; what is shown, and applied, is what it was."""
    return f"workspace still changing: {running:,} process{'' if running == 1 else 'es'} left running"


def show_rows(listed: Sequence["Item"], blobs: "Blobs", terminal: Terminal, *, most: int | None = None) -> None:
    """A row each, those that deserve a look first. `most`: of more plain ones the rest is counted; no deletion is."""
    plain = [item for item in listed if not item.remarks]
    shown = [*(item for item in listed if item.remarks), *plain[:most]]
    width = min(NAME, max((len(item.name) for item in shown), default=0))
    for item in shown:
        for line in row(item, blobs, terminal, width):
            terminal.line(line)
    if len(shown) < len(listed):
        terminal.line(terminal.style(f"  … and {len(listed) - len(shown):,} more like these: {WHERE}", "yellow"))


def row(item: "Item", blobs: "Blobs", terminal: Terminal, width: int) -> list[str]:
    """One item: letter, path, lines, remarks. What does not fit goes on below it, a little to the right."""
    draw = terminal.style
    plain, remarks = amount(item.change, blobs), ", ".join(item.remarks)
    head, *more = terminal.wrap(f"  {letter(item)} {item.name:<{width}}", indent=6)
    rows = [_coloured(head, item, draw), *more]
    room = terminal.width - len(head)
    is_wide = bool(more) or (terminal.is_terminal and len(plain) + 2 > room)
    if plain and is_wide:
        rows += terminal.wrap(f"      {plain}", indent=6)
    elif plain or remarks:
        signs = " ".join(draw(word, SIGNS.get(word[:1], "dim")) for word in plain.split(" ")) if plain else ""
        rows[0] += f"  {signs}{' ' * max(0, AMOUNT - len(plain))}"
        room -= 2 + max(AMOUNT, len(plain))
    if remarks and not is_wide and (len(remarks) + 2 <= room or not terminal.is_terminal):
        rows[0] += f"  {draw(remarks, 'yellow')}"
    elif remarks:
        rows += [draw(line, "yellow") for line in terminal.wrap_words(remarks, indent=6)]
    return [line.rstrip() for line in rows]


def letter(item: "Item") -> str:
    """What happens to it, in one letter."""
    return "R" if item.is_rename else LETTERS[item.change.kind]


def _coloured(first: str, item: "Item", draw: Callable[..., str]) -> str:
    return f"  {draw(first[2], 'yellow' if item.is_rename else COLOURS[item.change.kind])}{first[3:]}"


def show_apart(case: "Case", terminal: Terminal) -> None:
    """What is listed apart: ignored files, and what never leaves."""
    ignored = [change for change in case.changes.changes if change.ignored]
    _show_ignored(ignored, terminal)
    _show_refused(case.changes.refused, terminal)


def amount(change: Change, blobs: "Blobs") -> str:
    """How much of a change there is: lines added and removed, or where a link points."""
    from sandbox.gate.diff import counts

    match change.after:
        case Link(target):
            return f"-> {safe.path(target)}"
        case Directory():
            return "folder"
        case _:
            pass
    counted = counts(change, blobs)
    if counted is None:
        return "binary"
    added, removed = counted
    return " ".join(text for number, text in ((added, f"+{added}"), (removed, f"-{removed}")) if number)


def show_applied(applied: "Applied", terminal: Terminal) -> None:
    """What is worth saying after an apply: files the user saved in that very moment, and side effects."""
    for conflict in applied.kept:
        terminal.line(
            f"  {safe.path(conflict.path)}  {terminal.style('yours was kept: ' + safe.line(conflict.reason), 'yellow')}"
        )
    for note in applied.notes:
        terminal.line(terminal.style(f"  {safe.line(note)}", "dim"))


def _show_ignored(ignored: Sequence[Change], terminal: Terminal) -> None:
    """A few of the ignored paths; every deletion among them."""
    if not ignored:
        return
    terminal.line(terminal.style("  ignored by .gitignore, left out unless you name them:", "dim"))
    shown = [change for change in ignored if change.after is None]
    shown += [change for change in ignored if change.after is not None][:FEW]
    for change in sorted(shown, key=lambda change: change.path):
        for line in terminal.wrap(f"    {LETTERS[change.kind]} {safe.path(change.path)}", indent=8):
            terminal.line(terminal.style(line, "dim"))
    _show_rest(len(ignored) - len(shown), terminal)


def _show_refused(refused: Sequence[Refused], terminal: Terminal) -> None:
    if not refused:
        return
    terminal.line(terminal.style("  never leaves the sandbox:", "dim"))
    for one in refused[:FEW]:
        number = f" ({one.count:,} entries)" if one.count > 1 else ""
        first, *more = terminal.wrap(f"    {safe.path(one.path)}{number}  {safe.line(one.reason)}", indent=8)
        terminal.line(first)
        for line in more:
            terminal.line(terminal.style(line, "dim"))
    _show_rest(len(refused) - FEW, terminal)


def _show_rest(number: int, terminal: Terminal) -> None:
    if number > 0:
        terminal.line(terminal.style(f"    … and {number:,} more (`paddock status --json`)", "dim"))
