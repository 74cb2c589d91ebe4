"""How much changed, file by file, as a bar graph; what has no lines to count is said in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.screen import safe
from cli.screen.terminal import Terminal
from cli.words import count
from sandbox.changes import Change, Directory, File, Link

if TYPE_CHECKING:
    from cli.screen.items import Item
    from sandbox.gate.blobs import Blobs

SMALLEST: Final = 10  # columns a bar may always have


@dataclass(frozen=True)
class Amount:
    """What one change does: lines that come and go, None if it has none to count; then `words` say what it is."""

    name: str
    lines: tuple[int, int] | None
    words: str = ""

    @property
    def total(self) -> int:
        """Lines that differ."""
        return sum(self.lines or ())


def show_stat(listed: Sequence["Item"], blobs: "Blobs", terminal: Terminal) -> None:
    """A row an item, then the sums. A long name gets a row of its own: none is cut."""
    found = [amount_of(item, blobs) for item in listed]
    digits = max((len(str(one.total)) for one in found if one.lines), default=1)
    widest = max(terminal.width - digits - SMALLEST - 6, 10)
    names = max((len(one.name) for one in found if len(one.name) <= widest), default=0)
    most = max((one.total for one in found), default=0)
    for one in found:
        start = f" {one.name:<{names}} | "
        if len(one.name) > widest:
            for row in terminal.wrap(f" {one.name}", indent=5):
                terminal.line(row)
            start = f" {'':<{names}} | "
        terminal.line(start + _graph(one, digits, most, terminal, terminal.width - names - digits - 5))
    terminal.line(f" {totals(listed, found)}")


def amount_of(item: "Item", blobs: "Blobs") -> Amount:
    """How much one item does."""
    from sandbox.gate.diff import counts

    change, name = item.change, item.name
    match change.before, change.after:
        case None, Directory():
            return Amount(name, None, "new empty folder")
        case Directory(), None:
            return Amount(name, None, "folder deleted")
        case _, Link(target) if change.kind != "type":
            return Amount(name, None, f"link to {safe.path(target)}")
        case File(executable=was), File() if change.kind == "mode":
            if item.is_rename:
                return Amount(name, (0, 0))
            return Amount(name, None, "no longer executable" if was else "now executable")
        case before, after:
            lines = counts(change, blobs)
            words = " → ".join(_size(side) for side in (before, after)) if lines is None else ""
            return Amount(name, lines, f"binary, {words}" if words else _type_words(change))


def totals(listed: Sequence["Item"], found: Sequence[Amount]) -> str:
    """The sums, in git's words, and what they leave out."""
    added = sum(one.lines[0] for one in found if one.lines)
    removed = sum(one.lines[1] for one in found if one.lines)
    deleted = sum(item.change.after is None for item in listed)
    renamed = sum(item.is_rename for item in listed)
    uncounted = sum(one.lines is None for one in found)
    parts = [f"{count(len(found), 'file')} changed"]
    parts += [f"{count(added, 'insertion')}(+)"] * bool(added)
    parts += [f"{count(removed, 'deletion')}(-)"] * bool(removed)
    parts += [f"{deleted:,} deleted"] * bool(deleted)
    parts += [f"{renamed:,} renamed"] * bool(renamed)
    parts += [f"{uncounted:,} without lines to count"] * bool(uncounted)
    return ", ".join(parts)


def _graph(one: Amount, digits: int, most: int, terminal: Terminal, room: int) -> str:
    if one.lines is None:
        return one.words
    added, removed = (_scaled(number, most, room) for number in one.lines)
    bar = terminal.style("+" * added, "green") + terminal.style("-" * removed, "red")
    words = f"  {one.words}" if one.words else ""
    return f"{one.total:>{digits}} {bar}{words}".rstrip()


def _scaled(number: int, most: int, room: int) -> int:
    """So many signs; at least one where there is anything at all."""
    if most <= room:
        return number
    return max(1, number * (room - 1) // most) if number else 0


def _size(node: object) -> str:
    return count(node.size, "byte") if isinstance(node, File) else "nothing"


def _type_words(change: Change) -> str:
    words = {File: "file", Link: "link", Directory: "folder"}
    if change.kind != "type" or change.before is None or change.after is None:
        return ""
    return f"was a {words[type(change.before)]}, becomes a {words[type(change.after)]}"


def names(changes: Sequence[Change], *, raw: bool) -> Iterator[bytes]:
    """A letter and a name each, as git writes them: in quotes where a name asks for it, or `raw` and ended by NULs."""
    from sandbox.gate.gitpatch import quoted

    for change in changes:
        letter = {"added": b"A", "deleted": b"D", "type": b"T"}.get(change.kind, b"M")
        node = change.after if change.after is not None else change.before
        name = change.path + (b"/" if isinstance(node, Directory) else b"")
        yield b"%b\0%b\0" % (letter, name) if raw else b"%b\t%b\n" % (letter, quoted(name))
