"""In which order a set of changes can be made: a pure function from changes to steps."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.changes import Change, Directory, File, Link
from sandbox.gate.past import NOTHING_KNOWN, Past, Rights


@dataclass(frozen=True)
class Remove:
    """Move a file or link away, into the journal's slot."""

    path: bytes
    before: File | Link
    slot: int


@dataclass(frozen=True)
class RemoveFolder:
    """Remove an empty folder. `makes_room`: something else takes its place in a later step."""

    path: bytes
    makes_room: bool


@dataclass(frozen=True)
class MakeFolder:
    """Make a folder."""

    path: bytes


@dataclass(frozen=True)
class Place:
    """Put the staged file or link of a slot where nothing stands."""

    path: bytes
    after: File | Link
    slot: int


@dataclass(frozen=True)
class Swap:
    """Exchange a file or link for the staged one of a slot, which then holds the old one."""

    path: bytes
    before: File | Link
    after: File | Link
    slot: int


@dataclass(frozen=True)
class SetRights:
    """Give a folder that comes back the mode and owner it had: last of all, for it may be closed to us then."""

    path: bytes
    rights: Rights


Step = Remove | RemoveFolder | MakeFolder | Place | Swap | SetRights


def steps(slots: Mapping[int, Change], pasts: Mapping[bytes, Past] = NOTHING_KNOWN) -> tuple[Step, ...]:
    """The steps for changes, each with its slot in the journal, in an order the file system accepts.

    First what goes, children before their folder; then what comes, folders before their children. `pasts` are given
    to undo an apply: folders get their rights back.
    """
    numbered = sorted(slots.items(), key=lambda pair: pair[1].path)
    goes = [step for slot, change in reversed(numbered) if (step := _goes(change, slot))]
    comes = [step for slot, change in numbered if (step := _comes(change, slot))]
    made = [step.path for step in comes if isinstance(step, MakeFolder)]
    rights = [SetRights(path, found) for path in reversed(made) if path in pasts and (found := pasts[path].rights)]
    return (*goes, *comes, *rights)


def _goes(change: Change, slot: int) -> Step | None:
    match change.before, change.after:
        case (File() | Link()) as before, (None | Directory()):
            return Remove(change.path, before, slot)
        case Directory(), None:
            return RemoveFolder(change.path, makes_room=False)
        case Directory(), (File() | Link()):
            return RemoveFolder(change.path, makes_room=True)
        case _:
            return None


def _comes(change: Change, slot: int) -> Step | None:
    match change.before, change.after:
        case ((None | File() | Link()), Directory()):
            return MakeFolder(change.path)
        case ((None | Directory()), (File() | Link()) as after):
            return Place(change.path, after, slot)
        case (File() | Link()) as before, (File() | Link()) as after:
            return Swap(change.path, before, after, slot)
        case _:
            return None
