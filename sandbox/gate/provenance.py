"""Who changed what: after every call, which paths moved and by whose doing; and, at the gate, the causes of a hunk.

Each note (`sandbox.gate.notes`) has the digests of the changed texts, which lie in the blob store: so the versions of a
file can be walked, and its lines be put down to the call that wrote them. What is approved is decided by the change
set, never by the notes.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.changes import Change, File, Node
from sandbox.errors import StateError
from sandbox.gate.blame import blame
from sandbox.gate.blobs import Blobs
from sandbox.gate.diff import Hunk, content_of, file_diff
from sandbox.gate.layer import Trace
from sandbox.gate.notes import Cause, notes, path_of
from sandbox.sessions import Session

__all__ = ["UNKNOWN", "USER", "Cause", "History", "causes", "history", "why"]

LARGEST_BLAMED = 4 * 1024 * 1024  # bytes of a content that is walked line by line
MOST_VERSIONS = 200  # of one file: earlier ones count as one

_Step = tuple[Cause, Trace]
_Version = tuple[bytes, tuple[Cause, ...]]
UNKNOWN = Cause("", "", "", "", None, "unknown")
USER = Cause("", "", "", "", None, "user")


@dataclass(frozen=True)
class History:
    """All notes of a session, by path: oldest first.

    `gone` ends what went before it: a call removed what the sandbox had made, or, between two calls, a person
    discarded it.
    """

    by_path: Mapping[bytes, Sequence[_Step]]

    def last(self) -> Mapping[bytes, Trace]:
        """Each path as it was last noted."""
        return {path: steps[-1][1] for path, steps in self.by_path.items()}

    def removed(self) -> list[bytes]:
        """The paths that a call removed, and of which nothing is left in the upper layer."""
        return [
            path
            for path, steps in self.by_path.items()
            if steps[-1][1].kind == "gone" and steps[-1][0].manner != "unknown"
        ]

    def steps(self, path: bytes) -> Sequence[_Step]:
        """Every step that made `path` what the sandbox has there, those of folders that hid it among them."""
        own = self.by_path.get(path, ())
        ends = [index for index, (_, trace) in enumerate(own) if trace.kind == "gone"]
        found = list(own[ends[-1] + (own[ends[-1]][0].manner == "unknown") :] if ends else own)
        folder = path.rpartition(b"/")[0]
        while folder:
            found += [step for step in self.by_path.get(folder, ()) if step[1].kind not in ("directory", "gone")]
            folder = folder.rpartition(b"/")[0]
        return sorted(found, key=lambda step: step[0].at.timestamp() if step[0].at else 0.0)


def history(session: Session) -> History:
    """Everything noted so far; a line that is damaged is left out, and so is a torn last one."""
    file = path_of(session)
    try:
        facts = file.stat()
    except FileNotFoundError:
        return History({})
    return _history(file, facts.st_ino, facts.st_size, facts.st_mtime_ns)


def causes(session: Session, path: bytes) -> tuple[Cause, ...]:
    """Whose doing a path is, oldest first, each call once: what answers "who last changed this?" is the last one."""
    return tuple(dict.fromkeys(cause for cause, _ in history(session).steps(path)))


def why(session: Session, change: Change, blobs: Blobs) -> tuple[tuple[Hunk, tuple[Cause, ...]], ...]:
    """The hunks of a change as `file_diff` has them, each with the causes of its lines, oldest first.

    Lines that no version of the sandbox held are the user's: a merge brought them, or a person edited the text at the
    gate. Where versions are missing, all calls between the known ones are named. Raises StateError if a content of
    the change itself is missing or damaged.
    """
    hunks = file_diff(change, blobs).hunks
    steps = _since(history(session).steps(change.path), change.before)
    texts = [content_of(node, blobs) for node in (change.before, change.settles or change.after, change.after)]
    before, inside, after = texts
    everyone = tuple(dict.fromkeys(cause for cause, _ in steps)) or (UNKNOWN,)
    if max(map(len, texts)) > LARGEST_BLAMED:
        return tuple((hunk, everyone) for hunk in hunks)
    versions = _versions(change.path, steps, inside, blobs)
    owners = [*(causes for _, causes in versions), (USER,)]
    found = blame(before, [text for text, _ in versions], after, hunks)
    return tuple(
        (hunk, tuple(dict.fromkeys(cause for owner in sorted(mine) for cause in owners[owner - 1])) or everyone)
        for hunk, mine in zip(hunks, found, strict=True)
    )


def _since(steps: Sequence[_Step], before: Node | None) -> Sequence[_Step]:
    """The steps after the one whose content the checkout holds now: what led up to that has been applied."""
    if not isinstance(before, File):
        return steps
    reached = [index for index, (_, trace) in enumerate(steps) if trace.digest == before.digest]
    return steps[reached[-1] + 1 :] if reached else steps


def _versions(path: bytes, steps: Sequence[_Step], inside: bytes, blobs: Blobs) -> Sequence[_Version]:
    """The contents a path had, each with those who made it of the one before; the last is what the sandbox holds."""
    found: list[_Version] = []
    pending: list[Cause] = []
    for cause, trace in steps:
        pending.append(cause)
        if (text := _text_of(path, trace, blobs)) is not None:
            found.append((text, tuple(pending)))
            pending = []
    if not found or found[-1][0] != inside:
        found.append((inside, tuple(pending) or (UNKNOWN,)))
    early, late = found[:-MOST_VERSIONS], found[-MOST_VERSIONS:]
    if early:
        late[0] = (late[0][0], tuple(cause for _, causes in early for cause in causes) + late[0][1])
    return late


def _text_of(path: bytes, trace: Trace, blobs: Blobs) -> bytes | None:
    """What stood at a path after a step, as lines see it; None if that is not known."""
    if trace.path != path or trace.kind in ("whiteout", "directory", "opaque", "gone"):
        return b""
    if not trace.digest:
        return None
    try:
        return blobs.read(trace.digest, LARGEST_BLAMED)
    except StateError:
        return None  # it was no text, or the store was cleaned


@functools.lru_cache(maxsize=2)  # a command asks for one path after the other; the key says when the file has grown
def _history(file: Path, inode: int, size: int, changed: int) -> History:
    del inode, size, changed
    by_path: dict[bytes, list[_Step]] = {}
    for cause, traces in notes(file):
        for trace in traces:
            by_path.setdefault(trace.path, []).append((cause, trace))
    return History(by_path)
