"""Conflicts, drawn and asked about: why a path was not written, both versions, and what can be done."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.ask import Person
from cli.conflicts import ANSWERS, MANY, MANY_ANSWERS, conflict_of
from cli.screen import safe
from cli.screen.terminal import Terminal
from sandbox.changes import Change, File

if TYPE_CHECKING:
    from cli.case import Case
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.preimages import Conflict

_FEW = 5  # of very many conflicts, those that are named
_MARKERS = (b"<<<<<<< yours\n", b">>>>>>> sandbox\n")


def show_conflicts(case: "Case", conflicts: Sequence["Conflict"], terminal: Terminal) -> None:
    """Why nothing was written, path by path, and what to do about it."""
    draw = terminal.style
    terminal.line(draw("nothing was written: the checkout is not what these changes were made for", "red"))
    show_paths(conflicts, terminal)
    only = conflicts[0].path if len(conflicts) == 1 else None
    terminal.line("what you can do:")
    for command, meaning in ways(case, only):
        terminal.line(f"  {command}")
        terminal.line(draw(f"      {meaning}", "dim"))


def show_paths(conflicts: Sequence["Conflict"], terminal: Terminal) -> None:
    """The paths with their reasons; of very many a few, and what that probably is."""
    draw = terminal.style
    is_many = len(conflicts) > MANY
    if is_many:
        terminal.line(
            draw(f"{len(conflicts):,} of these files were changed in the checkout since the session began,", "yellow")
        )
        terminal.line(
            draw("as after a `git checkout`, `git stash` or `git rebase`: going back there mends it", "yellow")
        )
    for conflict in conflicts[:_FEW] if is_many else conflicts:
        for row in terminal.wrap(f"  {safe.path(conflict.path)}  {safe.line(conflict.reason)}", indent=6):
            terminal.line(draw(row, "yellow"))
    if is_many:
        terminal.line(f"  … and {len(conflicts) - _FEW:,} more (`paddock status --json` has them all)")


def ways(case: "Case", path: bytes | None = None) -> list[tuple[str, str]]:
    """Commands that resolve a conflict, each with what it does; without a path they are patterns to fill in."""
    name = "PATH…" if path is None else typed(path)
    apply = f"paddock apply {case.short} {name}"
    return [
        (f"{apply} --on-conflict mine", "keep your version; the sandbox's is offered again only if you ask for theirs"),
        (f"{apply} --on-conflict theirs", "take the sandbox's version; `paddock undo` brings yours back"),
        (f"{apply} --on-conflict markers", "write both to PATH.paddock-merge, and merge them by hand"),
        (f"paddock apply {case.short} OTHER_PATH…", "apply the other files alone"),
        (f'paddock run -r {case.short} "…"', "have it done again on what is there now"),
    ]


def typed(path: bytes) -> str:
    """A path as it can be typed in a shell; a pattern where no one could type it."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return "PATH"
    return shlex.quote(text) if text.isprintable() and safe.path(path) == text else "PATH"


@dataclass(frozen=True)
class Desk:
    """Asks a person at a terminal (`cli.conflicts.Asks`); `editor` is the command that opens a text."""

    case: "Case"
    blobs: "Blobs"
    person: Person
    terminal: Terminal
    editor: str

    def all_at_once(self, changes: Sequence[Change], /) -> str:
        """One question for very many conflicts."""
        show_paths([conflict_of(change) for change in changes], self.terminal)
        return self.person.choose("what about them?", MANY_ANSWERS, "q")

    def show(self, change: Change, number: int, count: int, /) -> None:
        """One conflict: why it is one, and how the two versions differ."""
        from cli.screen.diffs import show_item
        from cli.screen.items import item_of

        out = self.terminal
        out.line()
        of = f" ({number} of {count})" if count > 1 else ""
        out.line(out.style(f"conflict{of}: {safe.path(change.path)} {safe.line(conflict_of(change).reason)}", "yellow"))
        out.line(out.style("from your version to the sandbox's:", "dim"))
        show_item(item_of(change), self.blobs, out)

    def choose(self, change: Change, /) -> str:
        """The answer to it; nothing typed leaves it as it is."""
        return self.person.choose(f"{safe.path(change.path)}?", ANSWERS, "l")

    def edit(self, change: Change, /) -> Change | None:
        """The merge as the person leaves it in an editor; None while it has conflict markers in it."""
        from cli.editor import edited as in_editor
        from sandbox.gate.decisions import both, edited

        text = in_editor(both(change, self.blobs).text, change.path, self.editor)
        if text is None:
            self.cannot(f"nothing is taken from the editor, which did not end well; EDITOR is {self.editor!r}")
            return None
        if has_markers(text):
            self.cannot("there are conflict markers left in the text: edit it again, or choose something else")
            return None
        out = edited(change, text, self.blobs)
        assert isinstance(out.after, File)
        return out

    def cannot(self, reason: str, /) -> None:
        """Say it."""
        self.terminal.line(self.terminal.style(safe.line(reason), "red"))


def has_markers(text: bytes) -> bool:
    """Whether a line of the text begins like the marks of an unfinished merge."""
    return any(text.startswith(one) or b"\n" + one in text for one in _MARKERS)
