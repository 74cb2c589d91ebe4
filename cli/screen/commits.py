"""Commits that want to leave a sandbox, drawn: who says they made them, and every path they touch."""

from collections.abc import Mapping, Sequence
from typing import Final

from cli.screen import safe
from cli.screen.terminal import Terminal
from sandbox.changes import Change
from sandbox.commits.look import Brought

LETTERS: Final = {"added": "A", "modified": "M", "deleted": "D", "mode": "X", "type": "T"}
MOST: Final = 50  # commits shown; paths are always shown, every one
SHORT: Final = 10  # characters of a commit's name


def show_commits(brought: Brought, reasons: Mapping[bytes, Sequence[str]], terminal: Terminal) -> None:
    """The commits, newest first, then what they do to files; `reasons` why a path deserves a look."""
    draw = terminal.style
    shown = brought.commits[::-1]
    for commit in shown[:MOST]:
        when = f"{commit.at:%Y-%m-%d %H:%M}" if commit.at else "no date"
        about = draw(f"{when}  {safe.line(commit.author)}", "dim")
        merge = " (merge)" if len(commit.parents) > 1 else ""
        terminal.line(f"  {draw(commit.id[:SHORT], 'yellow')}  {safe.line(commit.subject)}{merge}  {about}")
    if len(shown) > MOST:
        terminal.line(draw(f"  … and {len(shown) - MOST:,} older ones", "dim"))
    for change in brought.net:
        remarks = draw(", ".join(reasons.get(change.path, ())), "yellow")
        terminal.line(f"  {_letter(change)} {safe.path(change.path)}  {remarks}".rstrip())


def _letter(change: Change) -> str:
    """What becomes of a path; `=` where a later commit took back what an earlier one did: it stays in the history."""
    return "=" if change.before == change.after else LETTERS[change.kind]
