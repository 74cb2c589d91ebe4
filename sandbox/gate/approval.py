"""Who approved what: the record that an apply starts from, and that a crashed one is finished from.

One JSON line each in the session's `approvals.jsonl` (0600), on disk before anything of it is done. A journal in a
checkout counts only if a line here names it: a folder that merely looks like one, say in a cloned repository, is
never applied.
"""

import functools
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from sandbox.changes import Change, ChangeSet, Link, Node, describe, described, settlement
from sandbox.errors import StateError
from sandbox.escape import escape
from sandbox.gate.lines import append_line
from sandbox.gate.names import RESERVED, link_problem, path_problem
from sandbox.gate.past import Past, PastRow, pasts_in, rows
from sandbox.sessions import Session, new_id, now

Hex = Annotated[str, pydantic.StringConstraints(pattern="^(?:[0-9a-f]{2})*$")]
"""Bytes as JSON holds them."""

Row = tuple[Hex, list[str | int | bool], list[str | int | bool]]
"""A change as JSON holds it: the path in hex, before, after."""


@dataclass(frozen=True)
class Approval:
    """Somebody said yes to these changes of the change set with this id; `by` is who, or which flag stood in.

    `amended` are the paths among them that this person made into something else than the change set holds: some of
    its hunks, an edited text, their side of a conflict, a side file. `undoes` is the id of the approval that this one
    takes back, and `restores` what else stood at its paths.
    """

    change_set: str
    changes: tuple[Change, ...]
    by: str
    at: datetime
    amended: frozenset[bytes] = frozenset()
    undoes: str = ""
    restores: Mapping[bytes, Past] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Before:
    """How things stood before an apply, as far as an undo has to know it.

    `already`: changes that the checkout held. `folders`: those that have to be made on the way. `pasts`: the rest; of
    an approval that undoes another one, what it gives back.
    """

    already: Sequence[Change] = ()
    folders: Sequence[bytes] = ()
    pasts: Mapping[bytes, Past] = field(default_factory=dict)


class Approved(pydantic.BaseModel):
    """An approval as it is recorded, with the name of the journal that may carry it out."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["approved"] = "approved"
    id: str
    journal: str
    checkout: Hex
    change_set: str
    by: str
    at: str
    changes: tuple[Row, ...]
    already: tuple[int, ...] = ()
    """Which of the changes the checkout held before the apply: nothing is done for those."""
    amended: tuple[int, ...] = ()
    """Which of the changes a person made into something else than the change set holds."""
    settles: tuple[tuple[int, list[str | int | bool]], ...] = ()
    """What of the sandbox is settled by a change whose content is another one."""
    folders: tuple[Hex, ...] = ()
    """The folders that were made on the way, in hex: they go again if nothing else is in them by then."""
    pasts: tuple[PastRow, ...] = ()
    """What else stood at the paths before; in an approval that undoes another one, what stands there again."""
    undoes: str = ""

    def digest(self) -> str:
        """What a journal must quote to be the one that this record allows."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def slots(self) -> dict[int, Change]:
        """The changes there is something to do for, by their place in `changes`. Raises StateError like `restored`."""
        already = set(self.already)
        return {slot: change for slot, change in enumerate(self.restored()) if slot not in already}

    def restored(self) -> tuple[Change, ...]:
        """The changes. Raises StateError if one is not well-formed or may never be written."""
        return self._changes

    def before(self) -> Mapping[bytes, Past]:
        """What an undo has to give back. Raises StateError like `restored`."""
        return self._pasts([(change.path, change.before) for change in self.restored()])

    def restores(self) -> Mapping[bytes, Past]:
        """What this one gives back: nothing, unless it undoes another. Raises StateError like `restored`."""
        return self._pasts([(change.path, change.after) for change in self.restored()]) if self.undoes else {}

    def _pasts(self, stood: Sequence[tuple[bytes, Node | None]]) -> Mapping[bytes, Past]:
        try:
            return pasts_in(self.pasts, stood)
        except (ValueError, IndexError) as error:
            raise StateError(f"the record of approval {self.id} is damaged: {error}") from error

    @functools.cached_property
    def _changes(self) -> tuple[Change, ...]:
        try:
            settles = {slot: settlement(row) for slot, row in self.settles}
            changes = tuple(
                Change(bytes.fromhex(path), described(before), described(after), settles=settles.get(slot))
                for slot, (path, before, after) in enumerate(self.changes)
            )
        except ValueError as error:
            raise StateError(f"the record of approval {self.id} is damaged: {error}") from error
        check_changes(changes, undoing=bool(self.undoes))
        return changes


class Outcome(pydantic.BaseModel):
    """What became of an approval: the paths that are as approved now, and those the user kept, both in hex."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["applied", "not applied"]
    id: str
    at: str
    paths: tuple[Hex, ...] = ()
    kept: tuple[tuple[Hex, str], ...] = ()


Record = Approved | Outcome

_RECORD: pydantic.TypeAdapter[Record] = pydantic.TypeAdapter(Record)


def check_approval(approval: Approval, change_set: ChangeSet | None) -> None:
    """Raises StateError if the approval is not for this change set, or holds what may never be written."""
    check_changes(approval.changes, undoing=bool(approval.undoes))
    if change_set is None:
        return
    if approval.change_set != change_set.id:
        raise StateError("the sandbox has changed since this was approved: look at the changes again")
    plain = {change for change in approval.changes if change.path not in approval.amended}
    if not plain <= set(change_set.changes):
        raise StateError("the approval holds changes that were not in the change set it names: nothing was written")


def check_changes(changes: Sequence[Change], *, undoing: bool = False) -> None:
    """The last gate before a checkout, whoever made the values. Raises StateError.

    A link that comes back with an undo was the user's own, and may lead out of the tree as it did.
    """
    if len({change.path for change in changes}) != len(changes):
        raise StateError("a path is approved twice: nothing was written")
    for change in changes:
        problem = path_problem(change.path)
        match change.after:
            case Link(target) if problem is None and not undoing:
                problem = link_problem(change.path, target)
            case _:
                pass
        if problem is not None:
            raise StateError(f"{escape(change.path)} {problem}: nothing was written")


def record_approval(session: Session, approval: Approval, checkout: Path, *, before: Before) -> Approved:
    """Put an approval on disk, with a fresh journal name."""
    done = set(before.already)
    undoes = bool(approval.undoes)
    approved = Approved(
        id=new_id(),
        journal=os.fsdecode(RESERVED) + secrets.token_hex(8),
        checkout=os.fsencode(checkout).hex(),
        change_set=approval.change_set,
        by=approval.by,
        at=approval.at.isoformat(),
        changes=tuple(
            (change.path.hex(), describe(change.before), describe(change.after)) for change in approval.changes
        ),
        already=tuple(slot for slot, change in enumerate(approval.changes) if change in done),
        amended=tuple(slot for slot, change in enumerate(approval.changes) if change.path in approval.amended),
        settles=tuple(
            (slot, describe(change.settles)) for slot, change in enumerate(approval.changes) if change.settles
        ),
        folders=tuple(path.hex() for path in before.folders),
        pasts=rows([(one.path, one.after if undoes else one.before) for one in approval.changes], before.pasts),
        undoes=approval.undoes,
    )
    _append(session.approvals, approved)
    return approved


def record_outcome(
    session: Session, approved: Approved, paths: Sequence[bytes], kept: Sequence[tuple[bytes, str]]
) -> None:
    """Put on disk that an approval was carried out, and where the user's own version was left standing."""
    _append(
        session.approvals,
        Outcome(
            kind="applied",
            id=approved.id,
            at=now().isoformat(),
            paths=tuple(path.hex() for path in paths),
            kept=tuple((path.hex(), reason) for path, reason in kept),
        ),
    )


def record_discarded(session: Session, approved: Approved) -> None:
    """Put on disk that nothing of an approval was written."""
    _append(session.approvals, Outcome(kind="not applied", id=approved.id, at=now().isoformat()))


def records(session: Session) -> Sequence[Record]:
    """Every record, oldest first. Raises StateError if one is damaged; a torn last line never took effect."""
    try:
        lines = session.approvals.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StateError(f"{session.approvals} cannot be read: {error.strerror}") from error
    try:
        return [_RECORD.validate_json(line) for line in lines[:-1] if line]
    except pydantic.ValidationError as error:
        raise StateError(f"{session.approvals} is damaged: {error.errors()[0]['msg']}") from error


def _append(path: Path, record: Record) -> None:
    append_line(path, record.model_dump_json().encode())
