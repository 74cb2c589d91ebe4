"""The gate: what was approved is written, but for what a rule denies, and what is then true of the host."""

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli import exits
from cli.ask import has_person
from cli.case import Case, apply, reasons
from cli.screen.terminal import Terminal
from cli.settled import Consent, Settled, pending
from cli.truth import Applied, Pending
from sandbox.changes import Change

if TYPE_CHECKING:
    from sandbox.gate.effects import MassDeletion


def apply_all(case: Case, terminal: Terminal, consent: Consent | None = None) -> Settled:
    """A blanket allow: apply what no rule holds back and no effect, and say what is left for a person."""
    from sandbox.gate.unseen import BY_AUTO

    covered = [change for change in case.changes.pending if case.verdict(change).is_ordinary]
    return apply_part(case, covered, terminal, consent, by=BY_AUTO)


def apply_part(
    case: Case, part: Sequence[Change], terminal: Terminal, consent: Consent | None = None, *, by: str = ""
) -> Settled:
    """Apply some of what waits, as far as it does not depend on the rest, and say what is left for a person."""
    from cli.screen.judged import show_left
    from sandbox.gate.held import independent

    going = {change.path for change in part}
    show_left(case, [change for change in case.changes.pending if change.path not in going], terminal)
    ready = independent(part, case.changes.changes)
    return carry_out(case, ready, terminal, consent, by=by) if ready else Settled(pending(case))


def carry_out(
    case: Case, approved: Sequence[Change], terminal: Terminal, consent: Consent | None = None, *, by: str = ""
) -> Settled:
    """Apply what was approved, but for what a rule denies; a conflict writes nothing and is shown.

    `by` is whose word it is; empty: this user's. Deleting very much has to be confirmed by its number, whoever approved
    it, and what nobody has seen adds up.
    """
    from cli.committing import commit_after

    ready = without_denied(case, approved, terminal)
    if not ready:
        return Settled(pending(case))
    consent = consent or Consent(has_person())
    mass = case.mass_deletion(ready, already=_already(case, by))
    if mass is not None and not _is_sure(case, mass, terminal, consent):
        is_answer = consent.can_ask and consent.deletions is None
        return Settled(pending(case), exits.DONE if is_answer else exits.NOBODY_TO_ASK)
    who = by if by and mass is None else getpass.getuser()
    with commit_after(case, ready, consent.message, terminal) as commit:
        return commit(_write(case, ready, terminal, who))


def _already(case: Case, by: str) -> int:
    """How many deletions go before these, with nobody looking then or now."""
    from sandbox.gate.unseen import NOBODY, deleted_unseen

    return deleted_unseen(case.session) if by in NOBODY else 0


def _write(case: Case, ready: Sequence[Change], terminal: Terminal, by: str) -> Settled:
    """Apply, and show what came of it."""
    from cli.screen.changes import show_applied
    from cli.screen.conflicts import show_conflicts
    from sandbox.gate.apply import Applied as Done

    result = apply(case, ready, by)
    if not isinstance(result, Done):
        show_conflicts(case, result.conflicts, terminal)
        stays = Pending(len(case.changes.pending), case.session.id, len(result.conflicts))
        return Settled(stays, exits.CONFLICT, result)
    show_applied(result, terminal)
    done = set(result.paths)
    left = [change for change in case.changes.pending if change.path not in done]
    truth = Applied(len(done), case.session.id, len(left), reasons(case, left))
    return Settled(truth, exits.CONFLICT if result.kept else exits.DONE, result)


def without_denied(case: Case, changes: Sequence[Change], terminal: Terminal) -> list[Change]:
    """The changes that somebody may approve; those that a rule denies are shown with the rule."""
    from cli.screen.judged import show_denied
    from sandbox.gate.held import independent

    denied = [change for change in changes if case.verdict(change).decision == "deny"]
    if denied:
        show_denied(case, denied, terminal)
    return independent([change for change in changes if case.verdict(change).decision != "deny"], changes)


def _is_sure(case: Case, mass: "MassDeletion", terminal: Terminal, consent: Consent) -> bool:
    """Whether these deletions are meant: their number was stated, or somebody types it now."""
    from cli.ask import Person

    if consent.deletions == mass.files:
        return True
    terminal.line(terminal.style(f"this {mass.reason}", "red"))
    if consent.deletions is not None:
        terminal.line(f"nothing was applied: --deletions {consent.deletions} is not the number of files it deletes")
        return False
    if not consent.can_ask:
        terminal.line(f"not applied by itself: `paddock review {case.short}`, or state it: --deletions {mass.files}")
        return False
    return Person(terminal).confirm_number(f"{mass.files:,} files will be deleted.", mass.files)
