"""The conversation on disk: a JSON object a line, appended, never rewritten, in the shape Claude Code's readers know.

A record is written with one `write` to a file opened for appending, in ASCII, and flushed to the disk before what it
announces is done. Opening takes the file for this process alone, puts a torn last line aside (`transcript.torn`), and
reports what cannot be read. Nothing in here grants anything: approvals are kept, and only ever read, elsewhere.
"""

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.events import Usage
from runtime.usage import add, usage_of
from sandbox.errors import OutOfSpace, SessionBusy
from sandbox.sessions import now


@dataclass(frozen=True)
class Entry:
    """One line that could be read. `kind` is its `type`; `raw` the whole object, unknown fields and types included."""

    uuid: str
    parent: str | None
    kind: str
    raw: Mapping[str, Any]

    @property
    def message(self) -> Mapping[str, Any] | None:
        """The message it carries, if it carries one."""
        message = self.raw.get("message")
        return message if isinstance(message, Mapping) else None

    @property
    def is_spoken(self) -> bool:
        """Whether it is a part of the main conversation, and not of an attempt that was given up."""
        aside = self.raw.get("isSidechain") or self.raw.get("abandoned")
        return self.kind in ("user", "assistant") and self.message is not None and not aside


@dataclass
class Transcript:
    """An open transcript. `entries` are those found when it was opened, `notices` what had to be repaired or skipped.

    `tip` is the record that the next one answers to.
    """

    path: Path
    session_id: str
    cwd: str
    entries: Sequence[Entry] = ()
    notices: list[str] = field(default_factory=list)
    tip: str | None = None
    total: Usage = field(default_factory=Usage)
    _file: int = -1

    def append(self, kind: str, fields: Mapping[str, Any], *, abandoned: bool = False) -> str:
        """Write one record, durably, and return its uuid. Nothing later answers to an `abandoned` one.

        Raises: OutOfSpace, with the file as it was before.
        """
        identity = str(uuid.uuid4())
        record = {
            "type": kind,
            "uuid": identity,
            "parentUuid": self.tip,
            "sessionId": self.session_id,
            "timestamp": now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "cwd": self.cwd,
            "isSidechain": False,
            **fields,
            **({"abandoned": True} if abandoned else {}),
        }
        self._write(json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n")
        if not abandoned:
            self.tip = identity
        return identity

    def spend(self, usage: Usage) -> None:
        """Count what an answer used towards the session's total."""
        self.total = add(self.total, usage)

    def chain(self) -> Sequence[Entry]:
        """The conversation as it stood when opened: the newest branch, from its first record to its last."""
        return newest_branch(self.entries)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            os.fsync(self._file)
            reason = "the disk is full" if written < len(line) else ""
        except OSError as error:
            reason = error.strerror or "the disk failed"
        if reason:
            os.ftruncate(self._file, size)
            raise OutOfSpace(f"the transcript {self.path} cannot be written: {reason}")


@contextlib.contextmanager
def opened(path: Path, *, session_id: str, cwd: str) -> Iterator[Transcript]:
    """Open a session's transcript, making it if there is none. Raises SessionBusy if another process writes it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SessionBusy(
                f"session {session_id[:8]} is in use by another process: wait for it, or end it"
            ) from error
        notices: list[str] = []
        entries, torn = read_entries(path, notices)
        if torn:
            put_aside(torn, descriptor, path.with_name("transcript.torn"))
            notices.append("the session's last record was cut off in the middle; it was moved to transcript.torn")
        spoken = newest_branch(entries)
        total = Usage()
        for entry in entries:
            total = add(total, usage_of_entry(entry))
        tip = (spoken[-1].uuid or None) if spoken else None
        yield Transcript(path, session_id, cwd, entries, notices, tip, total, descriptor)
    finally:
        os.close(descriptor)


def put_aside(torn: bytes, descriptor: int, aside: Path) -> None:
    """Move what follows the last newline elsewhere: a record appended to it would be lost with it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(aside, flags, 0o600), "wb") as file:
        file.write(torn + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.ftruncate(descriptor, os.fstat(descriptor).st_size - len(torn))
    os.fsync(descriptor)


def read_entries(path: Path, notices: list[str]) -> tuple[Sequence[Entry], bytes]:
    """Every line that can be read, in file order, and what follows the last newline; damaged lines become a notice."""
    entries: list[Entry] = []
    broken: list[int] = []
    torn = b""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            entry = parsed(line)
            if not line.endswith(b"\n"):
                torn = line
            elif entry is None:
                broken.append(number)
            else:
                entries.append(entry)
    if broken:
        shown = ", ".join(map(str, broken[:10])) + (" …" if len(broken) > 10 else "")
        notices.append(f"{len(broken)} damaged record(s) of this session were skipped (line {shown} of {path})")
    return entries, torn


def parsed(line: bytes) -> Entry | None:
    """One line as an entry, None if it is damaged. An entry without a uuid has an empty one and is only kept."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    identity, parent, kind = raw.get("uuid"), raw.get("parentUuid"), raw.get("type")
    return Entry(
        uuid=identity if isinstance(identity, str) else "",
        parent=parent if isinstance(parent, str) else None,
        kind=kind if isinstance(kind, str) else "",
        raw=raw,
    )


def newest_branch(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The spoken entries from the root to the newest leaf.

    A parent that cannot be found was damaged: the nearest spoken entry before it in the file takes its place, so that a
    lost line costs one record and not all that came before it.
    """
    by_uuid = {entry.uuid: index for index, entry in enumerate(entries) if entry.uuid}
    start = max((index for index, entry in enumerate(entries) if entry.is_spoken), default=-1)
    chain: list[Entry] = []
    while start >= 0:
        entry = entries[start]
        if entry.is_spoken:
            chain.append(entry)
        if entry.raw.get("parentUuid", "") is None:
            break
        above = by_uuid.get(entry.parent or "")
        # Only upwards in the file: a parent below its child would be a cycle.
        start = above if above is not None and above < start else start - 1
    return chain[::-1]


def usage_of_entry(entry: Entry) -> Usage:
    """What the answer in this entry used; nothing for any other entry."""
    message = entry.message
    usage = message.get("usage") if message and entry.kind == "assistant" else None
    if message is None or not isinstance(usage, Mapping):
        return Usage()
    return usage_of(str(message.get("model")), usage)
