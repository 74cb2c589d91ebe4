"""Commits that want to leave a sandbox, drawn: who says they made them, and every path that any of them touches."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from cli.screen import safe
from cli.screen.terminal import Terminal
from sandbox.commits.look import Brought

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs

MOST: Final = 50  # commits shown; paths are always shown, every one
SHORT: Final = 10  # characters of a commit's name

Warn = Callable[[bytes], Sequence[str]]
"""Why a path deserves a look, in a few words, whatever the commit that touches it."""


def show_commits(brought: Brought, warn: Warn, blobs: "Blobs", terminal: Terminal) -> None:
    """The commits, newest first, then what becomes of files in the end, then what is only in between."""
    from cli.screen.changes import show_rows
    from cli.screen.items import items

    shown = brought.commits[::-1]
    for commit in shown[:MOST]:
        when = f"{commit.at:%Y-%m-%d %H:%M}" if commit.at else "no date"
        merge = " (merge)" if len(commit.parents) > 1 else ""
        head = f"  {commit.id[:SHORT]}  {safe.line(commit.subject)}{merge}"
        _say(f"{head}  · {safe.line(commit.author)}, {when}", terminal)
    if len(shown) > MOST:
        _say(f"  … and {len(shown) - MOST:,} older ones", terminal, "dim")
    show_rows(items(brought.lasting, blobs, lambda change: tuple(warn(change.path))), blobs, terminal)
    for path in brought.passing:
        remarks = ", ".join(warn(path))
        _say(f"  = {safe.path(path)}  changed and changed back  {remarks}".rstrip(), terminal, "yellow")


def show_contents(brought: Brought, blobs: "Blobs", terminal: Terminal) -> None:
    """What the commits do, line by line: the sum of them, and each step of what does not last."""
    from cli.screen.diffs import show_diff

    steps = [change for change in brought.changes if change.path in brought.passing]
    for change in (*brought.lasting, *steps):
        show_diff(change, blobs, terminal)


def _say(text: str, terminal: Terminal, *styles: str) -> None:
    for row in terminal.wrap(text, indent=14):
        terminal.line(terminal.style(row, *styles))
