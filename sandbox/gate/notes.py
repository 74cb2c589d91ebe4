"""The notes of a session: one JSON line for each look that found something, with the call it is put down to.

An account and no proof: it lies on the host, and is read as if anybody could have written it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import pydantic

from sandbox.base import Call
from sandbox.gate.layer import Kind, Trace
from sandbox.gate.lines import append_line
from sandbox.sessions import Session, now

MOST_PATHS = 20_000
"""Paths one note names; how many more there were is in it, too."""
LARGEST_FILE = 256 * 1024 * 1024  # bytes of provenance.jsonl from which on notes name no paths

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
    if _is_full(file):
        note = note.model_copy(update={"changes": (), "more": len(traces)})
    append_line(file, note.model_dump_json().encode(), wait=False)


def notes(file: Path) -> Iterator[tuple[Cause, Sequence[Trace]]]:
    """All of them, oldest first; a line that is damaged is left out, and so is a torn last one."""
    try:
        lines = file.read_bytes().split(b"\n")[:-1]
    except OSError:
        return
    for line in lines:
        try:
            note = Note.model_validate_json(line)
            yield note.cause(), note.traces()
        except ValueError:
            continue


def path_of(session: Session) -> Path:
    """Where the notes lie."""
    return session.path / "provenance.jsonl"


def _is_full(file: Path) -> bool:
    try:
        return file.stat().st_size > LARGEST_FILE
    except OSError:
        return False  # there is none yet; if it is something else, the append says so


def _text(text: str) -> str:
    """What JSON can hold: a summary may have any character the model wrote, halves of pairs among them."""
    return text.encode("utf-8", "replace").decode()
