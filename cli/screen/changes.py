"""Change sets, drawn: what waits, what is ignored, what can never leave; and one change as a diff."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cli import risk
from cli.screen import safe
from cli.screen.terminal import Terminal
from sandbox.changes import Change, Directory, Link, Refused

if TYPE_CHECKING:
    from cli.case import Case
    from sandbox.gate.apply import Applied, Conflicts
    from sandbox.gate.blobs import Blobs

LETTERS: Final = {"added": "A", "modified": "M", "deleted": "D", "mode": "X", "type": "T"}
COLOURS: Final = {"added": "green", "modified": "cyan", "deleted": "red", "mode": "yellow", "type": "yellow"}
SIGNS: Final = {"+": "green", "-": "red"}
AMOUNT: Final = 9  # columns for `+12 -345`
FEW: Final = 8  # ignored and refused paths shown; pending ones are always shown, every one
NAME: Final = 44  # columns a path is padded to, at most
LONGEST: Final = 400  # lines of one diff on a screen


def show_list(case: "Case", terminal: Terminal, changes: Sequence[Change] | None = None) -> None:
    """The changes in question (None: all pending), those that deserve a look first; then what is apart from them."""
    from sandbox.gate.blobs import Blobs

    asked = case.changes.pending if changes is None else changes
    blobs = Blobs(case.session.blobs)
    width = min(NAME, max((len(shown(change)) for change in asked), default=0))
    for change in sorted(asked, key=risk.by_risk):
        terminal.line(row(change, blobs, terminal, width))
    if changes is not None:
        return
    ignored = [change for change in case.changes.changes if change.ignored]
    _show_apart("ignored by .gitignore, left out unless you name them", [change.path for change in ignored], terminal)
    _show_refused(case.changes.refused, terminal)


def row(change: Change, blobs: "Blobs", terminal: Terminal, width: int) -> str:
    """One line for a change: letter, path, lines, remarks."""
    draw = terminal.style
    name = shown(change)
    plain = amount(change, blobs)
    coloured = " ".join(draw(word, SIGNS.get(word[:1], "dim")) for word in plain.split(" ")) if plain else ""
    pad = " " * max(0, AMOUNT - len(plain))
    remarks = draw(", ".join(risk.warnings(change)), "yellow")
    return f"  {draw(LETTERS[change.kind], COLOURS[change.kind])} {name:<{width}}  {coloured}{pad}  {remarks}".rstrip()


def shown(change: Change) -> str:
    """A change's path; a folder's ends in a slash."""
    return f"{safe.path(change.path)}{'/' if isinstance(change.after or change.before, Directory) else ''}"


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


def show_diff(change: Change, blobs: "Blobs", terminal: Terminal, *, longest: int | None = None) -> bool:
    """One change, line by line; False if it was cut after `longest` lines."""
    from sandbox.gate.diff import file_diff

    draw = terminal.style
    found = file_diff(change, blobs)
    terminal.line(draw(f"── {safe.path(change.path)} ", "bold") + draw(f"({change.kind})", "dim"))
    for remark in (*risk.warnings(change), *found.notes):
        terminal.line(draw(f"   {safe.line(remark)}", "yellow"))
    number = 0
    for hunk in found.hunks:
        terminal.line(draw(safe.line(hunk.header), "dim"))
        for tag, line in hunk.lines:
            if longest is not None and number >= longest:
                left = found.added + found.removed
                terminal.line(draw(f"   … cut here: {left:,} lines differ in all", "yellow"))
                return False
            number += 1
            terminal.line(draw(f"{tag}{''.join(safe.lines(line))}", *_line_style(tag)))
    return True


def show_conflicts(case: "Case", conflicts: "Conflicts", terminal: Terminal) -> None:
    """Why nothing was written, path by path, and what to do about it."""
    draw = terminal.style
    terminal.line(draw("nothing was written: the checkout is not what these changes were made for", "red"))
    for conflict in conflicts.conflicts:
        terminal.line(f"  {safe.path(conflict.path)}  {draw(safe.line(conflict.reason), 'yellow')}")
    short = case.short
    terminal.line("what you can do:")
    terminal.line(f"  paddock apply {short} PATH…        apply the other files alone")
    terminal.line(f"  paddock diff {short} PATH…         see what was meant, and merge it by hand")
    terminal.line(f'  paddock run -r {short} "…"         have it done again on what is there now')


def show_applied(applied: "Applied", terminal: Terminal) -> None:
    """What is worth saying after an apply: files the user saved in that very moment, and side effects."""
    for conflict in applied.kept:
        terminal.line(
            f"  {safe.path(conflict.path)}  {terminal.style('yours was kept: ' + safe.line(conflict.reason), 'yellow')}"
        )
    for note in applied.notes:
        terminal.line(terminal.style(f"  {safe.line(note)}", "dim"))


def rows(case: "Case", changes: Sequence[Change] | None = None) -> dict[str, Any]:
    """The same for programs."""
    from sandbox.gate.blobs import Blobs

    blobs = Blobs(case.session.blobs)
    asked = case.changes.pending if changes is None else changes
    return {
        "changes": [_as_json(change, blobs) for change in asked],
        "ignored": [_as_json(change, blobs) for change in case.changes.changes if change.ignored],
        "refused": [
            {"path": _text(one.path), "reason": one.reason, "count": one.count} for one in case.changes.refused
        ],
    }


def _as_json(change: Change, blobs: "Blobs") -> dict[str, Any]:
    from sandbox.gate.diff import counts

    counted = counts(change, blobs)
    added, removed = counted or (None, None)
    return {
        "path": _text(change.path),
        "kind": change.kind,
        "added": added,
        "removed": removed,
        "moved": change.moved,
        "remarks": list(risk.warnings(change)),
    }


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _line_style(tag: str) -> tuple[str, ...]:
    match tag:
        case "+":
            return ("green",)
        case "-":
            return ("red",)
        case _:
            return ()


def _show_apart(title: str, paths: Sequence[bytes], terminal: Terminal) -> None:
    if not paths:
        return
    terminal.line(terminal.style(f"  {title}:", "dim"))
    for path in paths[:FEW]:
        terminal.line(terminal.style(f"    {safe.path(path)}", "dim"))
    if len(paths) > FEW:
        terminal.line(terminal.style(f"    … and {len(paths) - FEW:,} more (`paddock status --json`)", "dim"))


def _show_refused(refused: Sequence[Refused], terminal: Terminal) -> None:
    if not refused:
        return
    terminal.line(terminal.style("  never leaves the sandbox:", "dim"))
    for one in refused[:FEW]:
        number = f" ({one.count:,} entries)" if one.count > 1 else ""
        terminal.line(f"    {safe.path(one.path)}{number}  {terminal.style(safe.line(one.reason), 'dim')}")
    if len(refused) > FEW:
        terminal.line(terminal.style(f"    … and {len(refused) - FEW:,} more (`paddock status --json`)", "dim"))
