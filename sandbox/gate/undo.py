"""Take back the last apply to a checkout: the same transaction, with every change turned around.

What stood there lies in the blobs of the session that applied it, and the rest in the record of its approval. What the
user has changed since is a conflict, and nothing is written then. Taken back, the changes wait again as they did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.changes import Change, Directory, File
from sandbox.errors import StateError
from sandbox.escape import escape
from sandbox.gate.apply import Applied, Conflicts, apply
from sandbox.gate.approval import Approval, Approved, Outcome, records
from sandbox.gate.blobs import Blobs
from sandbox.gate.freeze import manifest_of
from sandbox.gate.host import names_in, opened_checkout
from sandbox.gate.past import Past
from sandbox.gate.transaction import Exchange
from sandbox.sessions import Session, now


@dataclass(frozen=True)
class Undo:
    """An apply that can be taken back, and what that does: `changes` lead from what it wrote to what was there.

    `folders` are those among them that the apply made on the way, `stay` those that hold something else by now.
    """

    session: Session
    approval: str
    change_set: str
    by: str
    at: datetime
    changes: tuple[Change, ...]
    pasts: Mapping[bytes, Past]
    folders: frozenset[bytes] = frozenset()
    stay: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Done:
    """An apply as its session's records tell it."""

    session: Session
    approved: Approved
    outcome: Outcome

    def changes(self) -> tuple[Change, ...]:
        """What it made of the checkout: neither what stood there already nor what stayed the user's."""
        applied = {bytes.fromhex(path) for path in self.outcome.paths}
        return tuple(change for change in self.approved.slots().values() if change.path in applied)


def last_apply(checkout: Path, sessions: Iterable[Session]) -> Undo | None:
    """What an undo would take back: the last apply of these sessions to this checkout that still stands.

    Raises: StateError if the records of one cannot be read, since they could tell of a later one; CheckoutRefused.
    """
    where = bytes(checkout).hex()
    found = [done for session in sessions for done in standing(session) if done.approved.checkout == where]
    if not found:
        return None
    return _undo_of(max(found, key=lambda done: done.outcome.at), checkout)  # of equals the first: see `standing`


def undo(
    plan: Undo, *, checkout: Path, by: str, swap: Exchange | None = None, patience: float = 10.0
) -> Applied | Conflicts:
    """Carry it out, as one transaction; `swap` and `patience` are those of `apply`.

    The caller holds the session, or is the one that runs it.

    Raises: what `sandbox.gate.apply.apply` raises; StateError if something to bring back is missing or damaged.
    """
    blobs = Blobs(plan.session.blobs)
    try:
        lost = [one for one in plan.changes if isinstance(one.after, File) and not blobs.holds(one.after)]
        manifest = manifest_of(plan.session)
    except OSError as error:
        raise StateError(f"{plan.session.path} cannot be read ({error.strerror}): nothing was undone") from error
    if lost:
        raise StateError(
            f"{escape(lost[0].path)} cannot be brought back, its content is gone from {blobs.folder}: "
            "nothing was undone"
        )
    approval = Approval(plan.change_set, plan.changes, by, now(), undoes=plan.approval, restores=plan.pasts)
    return apply(
        approval,
        checkout=checkout,
        blobs=blobs,
        session=plan.session,
        manifest=manifest,
        swap=swap,
        patience=patience,
    )


def standing(session: Session) -> Sequence[Done]:
    """The applies of a session that changed something and were not taken back, the last one first.

    Raises StateError if its records cannot be read.
    """
    approvals: dict[str, Approved] = {}
    outcomes: dict[str, Outcome] = {}
    for record in records(session):
        match record:
            case Approved():
                approvals[record.id] = record
            case Outcome(kind="applied"):
                outcomes[record.id] = record
            case _:
                pass
    undone = {approvals[id_].undoes for id_ in outcomes if id_ in approvals}
    found = [
        Done(session, approvals[id_], outcome)
        for id_, outcome in outcomes.items()
        if id_ in approvals and id_ not in undone and not approvals[id_].undoes
    ]
    return [done for done in reversed(found) if done.changes()]


def _undo_of(done: Done, checkout: Path) -> Undo:
    try:
        at = datetime.fromisoformat(done.outcome.at)
    except ValueError as error:
        raise StateError(f"{done.session.approvals} is damaged: {error}") from error
    turned = [Change(change.path, change.after, change.before) for change in done.changes()]
    empty = {change.path for change in turned if (change.before, change.after) == (Directory(), None)}
    back = [change for change in turned if change.path not in empty]
    made = [bytes.fromhex(path) for path in done.approved.folders]
    go, stay = _emptied(checkout, [*made, *empty], {change.path for change in back if change.after is None})
    return Undo(
        done.session,
        done.approved.id,
        done.approved.change_set,
        done.approved.by,
        at,
        tuple(sorted([*back, *(Change(path, Directory(), None) for path in go)], key=lambda change: change.path)),
        done.approved.before(),
        frozenset(made) & frozenset(go),
        tuple(stay),
    )


def _emptied(checkout: Path, made: Sequence[bytes], goes: set[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Of the folders that were made on the way those that hold nothing else than `goes`, and those that do."""
    gone, stay = set(goes), list[bytes]()
    with opened_checkout(checkout) as root:
        for folder in sorted(made, reverse=True):  # what is deeper comes first
            names = names_in(root, folder)
            if names is None:
                continue  # the user has removed it
            if all(folder + b"/" + name in gone for name in names):
                gone.add(folder)
            else:
                stay.append(folder)
    return sorted(gone - goes), sorted(stay)
