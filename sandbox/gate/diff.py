"""What a change did to a file, line by line: as values to draw, as counts, and as a patch for `git apply`.

Everything is computed from the blobs that the change names: no git, no attributes, no text conversion.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from sandbox.changes import Change, Directory, File, Link, Node, Settled
from sandbox.escape import alarms, escape
from sandbox.gate.blobs import Blobs
from sandbox.gate.gitpatch import Side, patch
from sandbox.gate.matching import Match, lines, matches

Tag = Literal[" ", "-", "+"]
Line = tuple[Tag, bytes]
"""A line and whether it stays, goes or comes; with its `\\n`, unless it is the last one and has none."""

CONTEXT = 3
_PREVIEW = 48  # bytes shown of a binary file
_SHOWN = 64 * 1024 * 1024  # bytes of a side; what is larger is not read into memory to be shown
_BINARY_SHOWN = 64 * 1024  # bytes up to which a mostly readable file with NULs in it is shown line by line


@dataclass(frozen=True)
class Hunk:
    """A stretch of lines around differences; starts count from 1, and are 0 where that side has no line."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[Line, ...]

    @property
    def header(self) -> str:
        """The line that stands above it in a unified diff."""
        return f"@@ -{_range(self.old_start, self.old_count)} +{_range(self.new_start, self.new_count)} @@"


@dataclass(frozen=True)
class FileDiff:
    """One change, to be shown. Its lines and its path are raw bytes from a hostile place: escape them.

    `notes` are sentences that are safe to show: what lines cannot say (executable, links, binary sizes, alarms).
    `binary`: a side holds NUL bytes; its hunks are there only if it is small and mostly readable.
    """

    path: bytes
    hunks: tuple[Hunk, ...]
    added: int
    removed: int
    binary: bool
    notes: tuple[str, ...]


def file_diff(change: Change, blobs: Blobs) -> FileDiff:
    """What a change did. Raises StateError if a content is missing or damaged."""
    if _is_huge(change):
        return FileDiff(change.path, (), 0, 0, True, (*_name_notes(change), *_node_notes(change), *_huge_notes(change)))
    old, new = content_of(change.before, blobs), content_of(change.after, blobs)
    binary = b"\0" in old or b"\0" in new
    notes = [*_name_notes(change), *_node_notes(change)]
    if binary and not (_is_readable(old) and _is_readable(new)):
        return FileDiff(change.path, (), 0, 0, True, (*notes, *_previews(change, old, new)))
    hunks = tuple(_hunks(old, new))
    added, removed = _count(hunks)
    if not binary:
        notes += _text_notes(hunks, old, new)
    return FileDiff(change.path, hunks, added, removed, binary, tuple(notes))


def counts(change: Change, blobs: Blobs) -> tuple[int, int] | None:
    """How many lines a change adds and removes; None if a side is binary. Raises StateError like `file_diff`."""
    if isinstance(change.before, File) and isinstance(change.after, File) and change.kind == "mode":
        return 0, 0
    if _is_huge(change):
        return None
    old, new = content_of(change.before, blobs), content_of(change.after, blobs)
    if b"\0" in old or b"\0" in new:
        return None
    old_lines, new_lines = lines(old), lines(new)
    same = sum(length for _, _, length in matches(old_lines, new_lines)) if old_lines and new_lines else 0
    return len(new_lines) - same, len(old_lines) - same


def _is_huge(change: Change) -> bool:
    return any(isinstance(side, File) and side.size > _SHOWN for side in (change.before, change.after))


def _huge_notes(change: Change) -> Iterator[str]:
    for word, side in (("was", change.before), ("is", change.after)):
        if isinstance(side, File):
            yield f"{word} {side.size:,} bytes: too large to be shown line by line"


def unified(changes: Iterable[Change], blobs: Blobs) -> bytes:
    """All changes as one patch that `git apply` takes, byte for byte; binary files as literals.

    Folders have no place in such a patch: an empty one is missing from it, as it would be from a commit.
    Raises StateError if a content is missing or damaged.
    """
    return b"".join(piece for change in changes for piece in patches(change, blobs))


def patches(change: Change, blobs: Blobs) -> Iterator[bytes]:
    """One change's part of that patch; a change of type is a deletion and an addition, the way git writes it."""
    before, after = _side(change.before, blobs), _side(change.after, blobs)
    pairs = [(before, after)]
    if before is not None and after is not None and before.mode[:3] != after.mode[:3]:
        pairs = [(before, None), (None, after)]
    for old, new in pairs:
        if old is not None or new is not None:
            body = _body(old.content if old else b"", new.content if new else b"")
            yield patch(change.path, old, new, body)


def _body(old: bytes, new: bytes) -> bytes | None:
    """The hunks as text; None if they have to be written as binary literals."""
    if b"\0" in old or b"\0" in new:
        return None
    pieces: list[bytes] = []
    for hunk in _hunks(old, new):
        pieces.append(hunk.header.encode() + b"\n")
        for tag, line in hunk.lines:
            pieces.append(tag.encode() + line)
            if not line.endswith(b"\n"):
                pieces.append(b"\n\\ No newline at end of file\n")
    return b"".join(pieces)


def _side(node: Node | None, blobs: Blobs) -> Side | None:
    match node:
        case File(executable=executable):
            return Side("100755" if executable else "100644", content_of(node, blobs))
        case Link(target):
            return Side("120000", target)
        case _:
            return None


def content_of(node: Settled | None, blobs: Blobs) -> bytes:
    """What lines are taken from: a file's content, a link's target, nothing. Raises StateError like `file_diff`."""
    match node:
        case File(digest):
            return blobs.read(digest)
        case Link(target):
            return target
        case _:
            return b""


def _hunks(old: bytes, new: bytes) -> Iterator[Hunk]:
    old_lines, new_lines = lines(old), lines(new)
    for group in _groups(matches(old_lines, new_lines), len(old_lines), len(new_lines)):
        yield _hunk(group, old_lines, new_lines)


Edit = tuple[int, int, int, int]
"""A stretch that differs: from and to in the old lines, from and to in the new ones."""


def _groups(found: Sequence[Match], old_length: int, new_length: int) -> Iterator[list[Edit]]:
    """The differences between the matches; those that share context lines go into one hunk."""
    edges = [(0, 0, 0), *found, (old_length, new_length, 0)]
    group: list[Edit] = []
    for (old, new, length), (next_old, next_new, _) in pairwise(edges):
        edit = (old + length, next_old, new + length, next_new)
        if edit[0] == edit[1] and edit[2] == edit[3]:
            continue
        if group and edit[0] - group[-1][1] > 2 * CONTEXT:
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _hunk(group: Sequence[Edit], old_lines: Sequence[bytes], new_lines: Sequence[bytes]) -> Hunk:
    start = max(0, group[0][0] - CONTEXT)
    new_start = group[0][2] - (group[0][0] - start)
    end = min(len(old_lines), group[-1][1] + CONTEXT)
    shown: list[Line] = []
    position = start
    for old_from, old_to, new_from, new_to in group:
        shown += [(" ", line) for line in old_lines[position:old_from]]
        shown += [("-", line) for line in old_lines[old_from:old_to]]
        shown += [("+", line) for line in new_lines[new_from:new_to]]
        position = old_to
    shown += [(" ", line) for line in old_lines[position:end]]
    old_count = sum(tag != "+" for tag, _ in shown)
    new_count = sum(tag != "-" for tag, _ in shown)
    return Hunk(start + (old_count > 0), old_count, new_start + (new_count > 0), new_count, tuple(shown))


def _count(hunks: Iterable[Hunk]) -> tuple[int, int]:
    tags = [tag for hunk in hunks for tag, _ in hunk.lines]
    return tags.count("+"), tags.count("-")


def _range(start: int, count: int) -> str:
    return str(start) if count == 1 else f"{start},{count}"


def _node_notes(change: Change) -> Iterator[str]:
    words = {File: "file", Link: "link", Directory: "folder"}
    match change.before, change.after:
        case File(executable=was), File(executable=now) if was != now:
            yield "now executable" if now else "no longer executable"
        case None, File(executable=True):
            yield "new executable file"
        case None, Directory():
            yield "new empty folder"
        case Directory(), None:
            yield "folder is deleted"
        case before, after if before is not None and after is not None and type(before) is not type(after):
            yield f"was a {words[type(before)]}, becomes a {words[type(after)]}"
        case _:
            pass
    if isinstance(change.after, Link):
        yield f"link to {escape(change.after.target)}"
    if change.settles is not None:
        yield "holds your own edits too: they were merged with the sandbox's"
    elif change.moved:
        yield "changed in the checkout since the session began: applying it is a conflict"


def _name_notes(change: Change) -> Iterator[str]:
    yield from (f"its name {alarm}" for alarm in alarms(change.path))


def _text_notes(hunks: Iterable[Hunk], old: bytes, new: bytes) -> Iterator[str]:
    """What the new lines hold that those they replace, in the same place, did not."""
    found = [alarm for hunk in hunks for alarm in alarms(_side_of(hunk, "+"), _side_of(hunk, "-"))]
    yield from dict.fromkeys(found)
    if not _is_utf8(new) and _is_utf8(old):
        yield "is not valid UTF-8"


def _side_of(hunk: Hunk, wanted: Tag) -> bytes:
    return b"".join(line for tag, line in hunk.lines if tag == wanted)


def _previews(change: Change, old: bytes, new: bytes) -> Iterator[str]:
    for word, node, content in (("before", change.before, old), ("after", change.after, new)):
        if isinstance(node, File):
            head = content[:_PREVIEW].hex(" ")
            yield f"{word}: binary, {node.size:,} bytes, SHA-256 {node.digest[:16]}…, begins {head or 'with nothing'}"


def _is_readable(data: bytes) -> bool:
    """Whether a file with NULs in it is still mostly text, so that its lines say more than its bytes."""
    if len(data) > _BINARY_SHOWN:
        return False
    odd = sum(byte < 0x20 and byte not in b"\t\n\r" for byte in data)
    return odd * 10 <= len(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
