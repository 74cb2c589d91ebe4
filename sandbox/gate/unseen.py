"""How much rules alone have deleted: many small syncs must not add up to what one of them may not do."""

from typing import Final

from sandbox.gate.approval import Approved, Outcome, records
from sandbox.gate.effects import deletions
from sandbox.sessions import Session

BY_SYNC: Final = "the rules, by --sync"
BY_AUTO: Final = "the rules, by --apply auto"
NOBODY: Final = (BY_SYNC, BY_AUTO)
"""Who approved when nobody looked."""


def deleted_unseen(session: Session) -> int:
    """How many files were made away with by approvals of nobody, since somebody last approved. Raises StateError."""
    count = 0
    waiting: Approved | None = None
    for record in records(session):
        match record:
            case Approved():
                waiting = record
                if record.by not in NOBODY:
                    count = 0
            case Outcome(kind="applied", id=done) if (
                waiting is not None and waiting.id == done and waiting.by in NOBODY
            ):
                count += deletions(waiting.restored())
            case _:
                pass
    return count
