"""How much rules alone have deleted: many small syncs must not add up to what one of them may not do."""

from sandbox.gate.approval import Approved, Outcome, records
from sandbox.gate.effects import deletions
from sandbox.sessions import Session


def deleted_unseen(session: Session, by: str) -> int:
    """How many files were made away with by approvals of `by`, since anybody else last approved. Raises StateError."""
    count = 0
    waiting: Approved | None = None
    for record in records(session):
        match record:
            case Approved():
                waiting = record
                if record.by != by:
                    count = 0
            case Outcome(kind="applied", id=done) if waiting is not None and waiting.id == done and waiting.by == by:
                count += deletions(waiting.restored())
            case _:
                pass
    return count
