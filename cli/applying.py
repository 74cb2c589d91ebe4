"""How `paddock apply` goes: choose, decide the conflicts, approve, write; and what it then tells people or programs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import exits
from cli.ask import Person, has_person
from cli.case import Case, freeze, relative
from cli.conflicts import Again, Quit, Resolution, Resolved, Unresolved, resolve
from cli.options import Way
from cli.screen.terminal import Terminal
from cli.settled import Consent, Settled, pending
from cli.words import count
from sandbox.changes import Change

if TYPE_CHECKING:
    from sandbox.gate.preimages import Conflict
    from sandbox.sessions import Session

_SHORTEST_ID = 8


@dataclass(frozen=True)
class Order:
    """What the command line asked for."""

    paths: tuple[str, ...] = ()
    hunks: tuple[str, ...] = ()
    way: Way = "ask"
    change_set: str = ""
    yes: bool = False
    deletions: int | None = None
    settings: str = ""
    as_json: bool = False
    message: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """The paths that were named, with or without hunks."""
        return (*self.paths, *(one.rpartition(":")[0] for one in self.hunks))

    @property
    def can_ask(self) -> bool:
        """Whether there is somebody to ask: a program that reads JSON is nobody."""
        return not self.as_json and has_person()


@dataclass(frozen=True)
class Outcome:
    """How it ended. `mine` are conflicts in which the user's version stays, `conflicts` those that ended it."""

    case: Case
    settled: Settled
    mine: tuple[Change, ...] = ()
    conflicts: tuple["Conflict", ...] = ()


def carry_out(session: "Session", order: Order, terminal: Terminal) -> Outcome:
    """All of it, for a session that the caller holds; from the start again after the user has mended something.

    Raises Misuse, ApprovalNeeded, StateError, OutOfSpace.
    """
    from cli.screen.changes import show_list
    from cli.selection import selected
    from sandbox.gate.blobs import Blobs

    _revive(session, order)
    while True:
        case = freeze(session, order.settings)
        _check_id(case, order.change_set)
        blobs = Blobs(case.session.blobs)
        changes = selected(case, order.paths, order.hunks, blobs)
        if not changes:
            return Outcome(case, Settled(pending(case)))
        show_list(case, terminal, changes)
        match _resolved(case, changes, order, terminal):
            case Again():
                continue
            case Quit():
                return Outcome(case, Settled(pending(case)))
            case Unresolved(conflicts):
                return _stopped(case, conflicts, terminal)
            case Resolved() as decided:
                return _written(case, decided, order, terminal)


def report(outcome: Outcome) -> dict[str, Any]:
    """The same for programs: what was written, what the user kept, what waits and what cannot leave."""
    from cli.conflicts import conflict_of
    from cli.rows import name, reasoned, refused
    from cli.screen.conflicts import ways
    from sandbox.gate.apply import Applied

    case, result = outcome.case, outcome.settled.result
    applied = result if isinstance(result, Applied) else Applied(())
    now = freeze(case.session, case.settings) if applied.paths or outcome.mine else case
    return {
        "paths": [name(path) for path in applied.paths],
        "kept": [reasoned(one) for one in applied.kept],
        "mine": [name(change.path) for change in outcome.mine],
        "conflicts": [
            {**reasoned(one), "commands": [way for way, _ in ways(case, one.path)]} for one in outcome.conflicts
        ],
        "left": [
            {**name(change.path), "reason": conflict_of(change).reason if change.moved else now.verdict(change).short}
            for change in now.changes.pending
        ],
        "refused": refused(case),
        "notes": list(applied.notes),
        "commit": outcome.settled.commit or None,
    }


def _revive(session: "Session", order: Order) -> None:
    """Who asks for the sandbox's version of a path by name gets it, also where the user's was kept before."""
    from sandbox.gate import decisions
    from sandbox.gate.freeze import manifest_of

    if order.way == "theirs" and order.paths:
        checkout = Path(session.meta().checkout)
        names = {name for path in order.paths for name in (relative(path, checkout), path)}
        decisions.revive(manifest_of(session), [os.fsencode(name) for name in sorted(names)])


def _check_id(case: Case, wanted: str) -> None:
    """An approval of a set that was looked at earlier is void for any other. Raises ChangeSetMoved."""
    if wanted and not (len(wanted) >= _SHORTEST_ID and case.changes.id.startswith(wanted)):
        raise exits.ChangeSetMoved(
            f"the change set is {case.changes.id[:16]} by now, not {wanted[:16]}: nothing was written; "
            f"look again with `paddock diff {case.short}`, and approve what you see"
        )


def _resolved(case: Case, changes: Sequence[Change], order: Order, terminal: Terminal) -> Resolution:
    from cli import environment
    from cli.screen.conflicts import Desk
    from sandbox.gate.blobs import Blobs

    blobs = Blobs(case.session.blobs)
    if not order.can_ask:
        return resolve(case, changes, order.way, blobs)
    desk = Desk(case, blobs, Person(terminal), terminal, environment.read().editor)
    return resolve(case, changes, order.way, blobs, desk)


def _stopped(case: Case, conflicts: tuple["Conflict", ...], terminal: Terminal) -> Outcome:
    """Nobody decided: nothing is written, and what can be done is said."""
    from cli.screen.conflicts import show_conflicts
    from cli.truth import Pending

    show_conflicts(case, conflicts, terminal)
    truth = Pending(len(case.changes.pending), case.session.id, len(conflicts))
    return Outcome(case, Settled(truth, exits.CONFLICT), conflicts=conflicts)


def _written(case: Case, decided: Resolved, order: Order, terminal: Terminal) -> Outcome:
    """Apply what was decided, once it is approved; only then is what the user keeps settled, too."""
    from cli.approving import Wish, approve
    from sandbox.gate.apply import Applied, Conflicts

    settled = Settled(pending(case))
    if decided.changes:
        wish = Wish(order.yes, order.named, Consent(order.can_ask, order.deletions, order.message))
        settled = approve(case, decided.changes, wish, terminal)
    conflicts = settled.result.conflicts if isinstance(settled.result, Conflicts) else ()
    if decided.changes and not isinstance(settled.result, Applied):
        return Outcome(case, settled, conflicts=conflicts)
    keep(case, decided.mine, terminal)
    return Outcome(case, true_now(case, settled), decided.mine)


def keep(case: Case, mine: Sequence[Change], terminal: Terminal) -> None:
    """Leave the user's version of these for good."""
    from sandbox.gate import decisions
    from sandbox.gate.freeze import manifest_of

    if mine:
        decisions.mine(manifest_of(case.session), mine)
        terminal.line(f"kept your version of {count(len(mine), 'file')}")


def true_now(case: Case, settled: Settled) -> Settled:
    """What waits after part of a file, a side file or the user's version was decided on, by looking again."""
    from cli.truth import Applied, Pending

    waiting = pending(freeze(case.session, case.settings))
    if not isinstance(settled.truth, Applied):
        return replace(settled, truth=waiting)
    left = waiting if isinstance(waiting, Pending) else Pending(0, case.session.id)
    return replace(settled, truth=replace(settled.truth, left=left.files, reasons=left.reasons))
