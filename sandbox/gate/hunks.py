"""Some hunks of a change instead of all: what a person picks in a review, or names on the command line."""

from collections.abc import Collection
from dataclasses import replace

from sandbox.changes import Change, File
from sandbox.errors import StateError
from sandbox.escape import escape
from sandbox.gate.blobs import Blobs
from sandbox.gate.diff import FileDiff, Hunk, file_diff
from sandbox.gate.matching import lines
from sandbox.gate.merge import three_way


def hunks_of(change: Change, blobs: Blobs) -> tuple[Hunk, ...]:
    """The hunks one can choose from, in order; people count them from 1.

    There are none for links, folders, binary files and where only the mode differs. Raises StateError if a content is
    missing or damaged.
    """
    if not _is_text(change):
        return ()
    found = file_diff(change, blobs)
    return found.hunks if can_choose(change, found) else ()


def can_choose(change: Change, found: FileDiff) -> bool:
    """Whether single hunks of a change, of which this is the diff, can be taken."""
    return _is_text(change) and not found.binary


def _is_text(change: Change) -> bool:
    return all(node is None or isinstance(node, File) for node in (change.before, change.after))


def with_hunks(change: Change, chosen: Collection[int], blobs: Blobs) -> Change:
    """The change with only these hunks (from 1 on); with all of them it is the change itself.

    The execute bit comes with any hunk. What is left out is pending again after this has been applied; only a
    conflict is decided by choosing, so that nothing is left of it.

    Raises StateError for a hunk that there is none of, for no hunk at all, and like `hunks_of`.
    """
    hunks = hunks_of(change, blobs)
    _check(change, chosen, len(hunks))
    match change.before, change.after:
        case File(before), File(executable=executable) if len(set(chosen)) < len(hunks):
            text = _text(blobs.read(before), [hunk for number, hunk in enumerate(hunks, 1) if number in set(chosen)])
            after = replace(blobs.put(text), executable=executable)
            return replace(change, after=after, settles=dealt_with(change, after, blobs))
        case _:
            return change


def dealt_with(change: Change, after: File, blobs: Blobs) -> File | None:
    """What of the sandbox is dealt with when some hunks of a change are applied, which make `after` of the file.

    Of its own content: nothing, since what is left is told by the file itself. Of a conflict: all, as far as the person
    who chose is concerned. Of a merge: what both began with, and these hunks. So the rest is merged anew instead of
    taking the user's edits back, and what the sandbox makes of these hunks later is its edit and no old state.
    """
    if isinstance(change.after, File) and (change.moved or change.settles == change.after):
        return change.after
    match change.before, change.base, change.settles:
        case File() as ours, File() as base, File(executable=executable):
            found = three_way(ours, base, after, blobs)
            return base if found is None or found.conflicts else replace(blobs.put(found.text), executable=executable)
        case _:
            return None


def _check(change: Change, chosen: Collection[int], count: int) -> None:
    shown = escape(change.path)
    if count == 0:
        raise StateError(f"{shown} has no hunks to choose from: take it as a whole, or leave it")
    if not chosen:
        raise StateError(f"no hunk of {shown} is chosen: it has {count}, counted from 1")
    missing = sorted(number for number in chosen if not 1 <= number <= count)
    if missing:
        raise StateError(f"{shown} has no hunk {missing[0]}: it has {count}, counted from 1")


def _text(before: bytes, chosen: Collection[Hunk]) -> bytes:
    """The old text with these hunks in it."""
    old = lines(before)
    pieces: list[bytes] = []
    position = 0
    for hunk in chosen:
        start = hunk.old_start - 1 if hunk.old_count else hunk.old_start
        pieces += old[position:start]
        pieces += [line for tag, line in hunk.lines if tag != "-"]
        position = start + hunk.old_count
    return b"".join([*pieces, *old[position:]])
