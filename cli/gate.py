"""The gate at the end of a run: what happens to the changes, and what is then true of the host."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli import exits
from cli.case import Case, apply, freeze
from cli.options import Dial
from cli.screen.terminal import Terminal
from cli.truth import Applied, Pending, Truth, Unchanged
from sandbox.changes import Change

if TYPE_CHECKING:
    from sandbox.sessions import Session

MANY_DELETIONS = 50
"""So many deleted files are never applied unseen: an emptied workspace looks like an ordinary change set."""


@dataclass(frozen=True)
class Settled:
    """What is true now, and the exit code it asks for."""

    truth: Truth
    code: int = exits.DONE


@dataclass(frozen=True)
class Policy:
    """Who decides. `is_explicit`: the user asked for this dial, so that nobody to ask is an error."""

    dial: Dial
    is_explicit: bool
    can_ask: bool


def settle(session: "Session", policy: Policy, terminal: Terminal) -> Settled:
    """Show what a finished run changed and do with it what the policy says."""
    from cli.screen.changes import show_list

    case = freeze(session)
    if case.changes.changes or case.changes.refused:
        terminal.line()
        show_list(case, terminal)
    if not case.changes.pending:
        return Settled(Unchanged())
    match policy.dial:
        case "never":
            return Settled(pending(case))
        case "auto":
            return apply_all(case, terminal)
        case "ask" if policy.can_ask:
            return review(case, case.changes.pending, terminal)
        case "ask":
            return Settled(pending(case), exits.NOBODY_TO_ASK if policy.is_explicit else exits.DONE)


def review(case: Case, changes: Sequence[Change], terminal: Terminal) -> Settled:
    """Ask a person, change by change, and apply what was approved."""
    from cli.screen.review import Review

    approved = Review(case, terminal).ask(changes)
    if not approved:
        return Settled(pending(case))
    return carry_out(case, approved, terminal)


def carry_out(case: Case, approved: Sequence[Change], terminal: Terminal) -> Settled:
    """Apply what was approved; a conflict writes nothing and is shown."""
    from cli.screen.changes import show_applied, show_conflicts
    from sandbox.gate.apply import Applied as Done

    result = apply(case, approved, getpass.getuser())
    if not isinstance(result, Done):
        show_conflicts(case, result, terminal)
        return Settled(Pending(len(case.changes.pending), case.session.id, len(result.conflicts)), exits.CONFLICT)
    show_applied(result, terminal)
    done = set(result.paths)
    left = sum(change.path not in done for change in case.changes.pending)
    return Settled(Applied(len(done), case.session.id, left), exits.CONFLICT if result.kept else exits.DONE)


def pending(case: Case) -> Truth:
    """What is true while nothing has been applied."""
    waiting = len(case.changes.pending)
    return Pending(waiting, case.session.id) if waiting else Unchanged()


def apply_all(case: Case, terminal: Terminal) -> Settled:
    """Apply everything pending without asking, unless it deletes so much that somebody should look."""
    deleted = sum(change.after is None for change in case.changes.pending)
    if deleted > MANY_DELETIONS:
        terminal.line(
            f"not applied by itself, because it deletes {deleted:,} files: "
            f"`paddock review {case.short}`, or `paddock apply {case.short} --yes`"
        )
        return Settled(pending(case), exits.NOBODY_TO_ASK)
    return carry_out(case, case.changes.pending, terminal)
