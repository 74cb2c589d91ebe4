"""Who changed what: after every call, which paths moved and by whose doing; and, at the gate, the causes of a hunk.

One JSON line a note in the session's `provenance.jsonl` (0600), with the digest of each changed text, which lies in
the blob store: so the versions of a file can be walked, and its lines be put down to the call that wrote them. It is
an account and no proof: what is approved is decided by the change set, never by this file.
"""

import errno
import fcntl
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import pydantic

from sandbox.base import Call
from sandbox.changes import Change, File, Link, Node
from sandbox.errors import OutOfSpace, StateError
from sandbox.gate.blame import blame
from sandbox.gate.blobs import Blobs
from sandbox.gate.diff import Hunk, file_diff
from sandbox.gate.layer import Kind, Trace
from sandbox.sessions import Session, now

MOST_PATHS = 20_000
"""Paths one note names; how many more there were is in it, too."""
LARGEST_FILE = 256 * 1024 * 1024  # bytes of provenance.jsonl from which on notes name no paths
LARGEST_BLAMED = 4 * 1024 * 1024  # bytes of a content that is walked line by line
MOST_VERSIONS = 200  # of one file: earlier ones count as one

Manner = Literal["by", "after", "beside", "unknown", "user"]


@dataclass(frozen=True)
class Cause:
    """What a change is put down to: a call, as its id, tool, summary and agent say.

    `manner`: "by" the call; "beside" it, while processes of earlier calls ran too; "after" it, by a process it left
    running; "unknown": nobody was noted; "user": a person's own text, or the checkout's. The last two have no call.
    """

    call: str
    tool: str
    summary: str
    agent: str
    at: datetime | None
    manner: Manner = "by"

    @property
    def sentence(self) -> str:
        """One line for people, not escaped: the summary is the model's."""
        done = f"{self.tool} {self.summary}".strip()
        match self.manner:
            case "by":
                return done
            case "beside":
                return f"{done} (or a process an earlier call left running)"
            case "after":
                return f"after {done}, by a process it left running"
            case "unknown":
                return "unknown: outside every call"
            case "user":
                return "your own text"


_Step = tuple[Cause, Trace]
_Version = tuple[bytes, tuple[Cause, ...]]
UNKNOWN = Cause("", "", "", "", None, "unknown")
USER = Cause("", "", "", "", None, "user")


class Note(pydantic.BaseModel):
    """A line of the file."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, strict=True)

    call: str
    tool: str
    summary: str
    agent: str
    at: str
    manner: Manner = "by"
    more: int = 0
    """So many changed paths are not named."""
    is_whole: bool = True
    """Whether the look that found them reached everything."""
    changes: tuple[tuple[str, Kind, str, str], ...] = ()
    """Path in hex, kind, facts in hex, digest or nothing."""

    def cause(self) -> Cause:
        """The same for readers. Raises ValueError if the time is none."""
        return Cause(self.call, self.tool, self.summary, self.agent, datetime.fromisoformat(self.at), self.manner)

    def traces(self) -> Sequence[Trace]:
        """What changed. Raises ValueError if a path is not in hex."""
        return [
            Trace(bytes.fromhex(path), kind, bytes.fromhex(facts), digest) for path, kind, facts, digest in self.changes
        ]


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


def append(
    session: Session, call: Call, traces: Sequence[Trace], *, manner: Manner = "by", is_whole: bool = True
) -> None:
    """Put a note on the end of the file; a line that a crash tore is dropped. Raises OutOfSpace, StateError."""
    file = path_of(session)
    kept = traces[:MOST_PATHS]
    note = Note(
        call=_text(call.id),
        tool=_text(call.tool),
        summary=_text(call.summary)[:400],
        agent=_text(call.agent),
        at=now().isoformat(),
        manner=manner,
        more=len(traces) - len(kept),
        is_whole=is_whole,
        changes=tuple((one.path.hex(), one.kind, one.facts.hex(), one.digest) for one in kept),
    )
    try:
        _append_line(file, note)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpace(f"no space left for {file}: free some and try again") from error
        raise StateError(f"{file} cannot be written: {error.strerror}") from error


def path_of(session: Session) -> Path:
    """Where the notes lie."""
    return session.path / "provenance.jsonl"


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
    texts = [_content(node, blobs) for node in (change.before, change.settles or change.after, change.after)]
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


def _content(node: object, blobs: Blobs) -> bytes:
    match node:
        case File(digest):
            return blobs.read(digest)
        case Link(target):
            return target
        case _:
            return b""


@functools.lru_cache(maxsize=2)  # a command asks for one path after the other; the key says when the file has grown
def _history(file: Path, inode: int, size: int, changed: int) -> History:
    del inode, size, changed
    by_path: dict[bytes, list[_Step]] = {}
    try:
        lines = file.read_bytes().split(b"\n")[:-1]
    except OSError:
        return History({})
    for line in lines:
        try:
            note = Note.model_validate_json(line)
            cause, traces = note.cause(), note.traces()
        except ValueError:
            continue
        for trace in traces:
            by_path.setdefault(trace.path, []).append((cause, trace))
    return History(by_path)


def _append_line(file: Path, note: Note) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = _end_of_last_line(descriptor)
        if end > LARGEST_FILE:
            note = note.model_copy(update={"changes": (), "more": note.more + len(note.changes)})
        os.ftruncate(descriptor, end)
        data = memoryview(note.model_dump_json().encode() + b"\n")
        while data:
            written = os.pwrite(descriptor, data, end)
            data, end = data[written:], end + written
    finally:
        os.close(descriptor)


def _end_of_last_line(descriptor: int) -> int:
    """Behind the last newline, so that a line torn by a crash is dropped."""
    size = os.fstat(descriptor).st_size
    while size > 0:
        start = max(0, size - 65536)
        found = os.pread(descriptor, size - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        size = start
    return 0


def _text(text: str) -> str:
    """What JSON can hold: a summary may have any character the model wrote, halves of pairs among them."""
    return text.encode("utf-8", "replace").decode()
