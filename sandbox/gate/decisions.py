"""What a person makes of a change instead of saying yes or no: another text, or one side of a conflict.

Each decision is a change of its own, to be approved like any other (`approval`), or kept in the manifest (`mine`). None
of them writes to the checkout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sandbox.changes import Change, ChangeSet, File, Gone, Settled
from sandbox.errors import StateError
from sandbox.escape import escape
from sandbox.gate.approval import Approval
from sandbox.gate.blobs import Blobs
from sandbox.gate.hunks import dealt_with
from sandbox.gate.manifest import Manifest, Renewal
from sandbox.gate.merge import LARGEST, Merge, three_way, two_way
from sandbox.sessions import now

SIDE = b".paddock-merge"
"""What is added to a path's name for the file that holds both versions of a conflict."""

_LONGEST = 255  # bytes of a name


def edited(change: Change, text: bytes, blobs: Blobs) -> Change:
    """The change with a person's own text; the sandbox's content then asks for nothing more, until it is another one.

    Raises StateError for what is no file on the side it is made from; OutOfSpace.
    """
    match change.before, change.after:
        case _, File(executable=executable):
            pass
        case File(executable=executable), None:
            pass
        case _:
            raise StateError(f"{escape(change.path)} is no file that can be edited: take it as it is, or leave it")
    after = replace(blobs.put(text), executable=executable)
    if after == change.after and change.settles is None:
        return theirs(change) if change.moved else change
    return replace(change, after=after, moved=False, settles=_sandbox_side(change))


def theirs(change: Change) -> Change:
    """The sandbox's version although the user's is another one, which an apply then replaces.

    The user's version is in the change, and `paddock undo` brings it back.
    """
    return replace(change, moved=False, settles=_sandbox_side(change)) if change.moved else change


def mine(manifest: Manifest, changes: Sequence[Change]) -> None:
    """Leave the user's version as it is, and let the sandbox's ask for nothing more until it is another one.

    Writes nothing to the checkout. What the sandbox makes of its version later is merged into the user's, or is a
    conflict again. Raises OutOfSpace.
    """
    manifest.renew({change.path: Renewal(None, change.before, _sandbox_side(change)) for change in changes})


def revive(manifest: Manifest, paths: Sequence[bytes]) -> None:
    """Offer the sandbox's version at these paths once more, as the conflict that it was. Raises OutOfSpace."""
    manifest.renew({path: Renewal(None) for path in paths if manifest.settled(path) is not None})


def markers(change: Change, blobs: Blobs) -> Change:
    """Both versions in a new file beside the user's, with markers where they differ: a change of its own.

    The path itself stays what it is, and pending. Raises StateError where there are no lines to merge.
    """
    name = change.path.rpartition(b"/")[2] + SIDE
    if len(name) > _LONGEST:
        raise StateError(f"{escape(change.path)} has a name too long for a side file: take mine or theirs")
    return Change(change.path + SIDE, None, blobs.put(both(change, blobs).text))


def both(change: Change, blobs: Blobs) -> Merge:
    """Both versions of a conflict in one text. Raises StateError where there are no lines to merge."""
    match change.before, change.after:
        case (None | File()) as ours, (None | File()) as its:
            pass
        case _:
            raise StateError(f"{escape(change.path)} is no file on both sides: take mine or theirs")
    if isinstance(change.base, File) and ours is not None and its is not None:
        found = three_way(change.base, ours, its, blobs)
        if found is not None:
            return found
    if any(side is not None and side.size > LARGEST for side in (ours, its)):
        raise StateError(f"{escape(change.path)} is too large to be merged by hand: take mine or theirs")
    texts = [b"" if side is None else blobs.read(side.digest) for side in (ours, its)]
    if any(b"\0" in text for text in texts):
        raise StateError(f"{escape(change.path)} is binary and has no lines to merge: take mine or theirs")
    return two_way(*texts)


def approval(change_set: ChangeSet, decided: Sequence[Change], by: str) -> Approval:
    """An approval of these changes, with a note of those that are not as the change set holds them."""
    whole = set(change_set.changes)
    amended = frozenset(change.path for change in decided if change not in whole)
    return Approval(change_set.id, tuple(decided), by, now(), amended=amended)


def check_amended(approval: Approval, change_set: ChangeSet, blobs: Blobs) -> None:
    """Raises StateError if an amended change is not one that could have been made of the change set's own."""
    whole = {change.path: change for change in change_set.changes}
    changes = {change.path: change for change in approval.changes}
    for path in approval.amended:
        change, origin = changes.get(path), whole.get(path)
        if change is None or not (
            _is_side_file(change, whole, blobs) if origin is None else _is_of(change, origin, blobs)
        ):
            raise StateError(f"{escape(path)} is approved as something that was never proposed: nothing was written")


def _is_of(change: Change, origin: Change, blobs: Blobs) -> bool:
    """Whether a change is another one decided: the same place and the same version of the user, replaced by a text.

    What it settles must keep what is not applied from passing for applied: of a conflict or a merge never nothing.
    """
    if replace(change, after=origin.after, moved=origin.moved, settles=origin.settles) != origin:
        return False
    its = _sandbox_side(origin)
    match change.after:
        case after if after == origin.after:
            return change.settles == its
        case File() as after if isinstance(origin.after, File) or (
            isinstance(origin.before, File) and origin.after is None
        ):
            if origin.moved:
                return change.settles == its
            return change.settles in (its, dealt_with(origin, after, blobs))
        case _:
            return False


def _is_side_file(change: Change, whole: Mapping[bytes, Change], blobs: Blobs) -> bool:
    """Whether a change makes the side file of a conflict, with just what belongs into it."""
    origin = whole.get(change.path.removesuffix(SIDE))
    return change.path.endswith(SIDE) and origin is not None and change == markers(origin, blobs)


def _sandbox_side(change: Change) -> Settled:
    """What the sandbox itself holds at a change's path."""
    return change.settles or change.after or Gone()
