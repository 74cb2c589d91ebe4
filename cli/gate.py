"""The gate at the end of a run: what happens to the changes, and what is then true of the host."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli import exits
from cli.ask import has_person
from cli.case import Case, apply, freeze, reasons
from cli.options import Dial
from cli.screen.terminal import Terminal
from cli.truth import Applied, Pending, Truth, Unchanged
from sandbox.changes import Change

if TYPE_CHECKING:
    from sandbox.gate.apply import Applied as Done
    from sandbox.gate.apply import Conflicts
    from sandbox.sessions import Session


@dataclass(frozen=True)
class Settled:
    """What is true now, and the exit code it asks for; `result` is what an apply came to, if there was one.

    `commit` names the commit that was made of it, if one was.
    """

    truth: Truth
    code: int = exits.DONE
    result: "Done | Conflicts | None" = None
    commit: str = ""


@dataclass(frozen=True)
class Consent:
    """Who can be asked, and what was said beforehand: `deletions` is the number that `--deletions` stated.

    `message` is what the commit is about that is to be made of what is applied; without one, none is made.
    """

    can_ask: bool
    deletions: int | None = None
    message: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """Who decides. `is_explicit`: the user asked for this dial, so that nobody to ask is an error.

    `deletions` and `settings` are what the options of these names were given.
    """

    dial: Dial
    is_explicit: bool
    can_ask: bool
    deletions: int | None = None
    settings: str = ""

    @property
    def consent(self) -> Consent:
        """What is needed for a mass deletion."""
        return Consent(self.can_ask, self.deletions)


def settle(session: "Session", terms: Terms, terminal: Terminal) -> Settled:
    """Show what a finished run changed and do with it what the terms and the rules say."""
    from cli.reviewing import offer
    from cli.screen.changes import show_list
    from cli.screen.judged import show_notices

    case = freeze(session, terms.settings)
    if case.changes.changes or case.changes.refused:
        terminal.line()
        show_list(case, terminal)
    if not case.changes.pending:
        return Settled(Unchanged())
    show_notices(case.policy, terminal)
    match terms.dial:
        case "never":
            return Settled(pending(case))
        case "auto":
            return apply_all(case, terminal, terms.consent)
        case "ask" if terms.can_ask:
            return offer(case, terminal, terms.consent)
        case "ask":
            return Settled(pending(case), exits.NOBODY_TO_ASK if terms.is_explicit else exits.DONE)


def apply_all(case: Case, terminal: Terminal, consent: Consent | None = None) -> Settled:
    """A blanket allow: apply what no rule holds back and no effect, and say what is left for a person."""
    from cli.screen.judged import show_left
    from sandbox.gate.held import held_with

    covered = {change.path for change in case.changes.pending if case.verdict(change).is_ordinary}
    held = {change.path for change in case.changes.changes} - covered
    free = covered - held_with(case.changes.changes, held)
    show_left(case, [change for change in case.changes.pending if change.path in held], terminal)
    ready = [change for change in case.changes.pending if change.path in free]
    return carry_out(case, ready, terminal, consent) if ready else Settled(pending(case))


def carry_out(case: Case, approved: Sequence[Change], terminal: Terminal, consent: Consent | None = None) -> Settled:
    """Apply what was approved, but for what a rule denies; a conflict writes nothing and is shown.

    Deleting very much has to be confirmed by its number, whoever approved it.
    """
    from cli.committing import commit_after

    ready = without_denied(case, approved, terminal)
    if not ready:
        return Settled(pending(case))
    consent = consent or Consent(has_person())
    if not _is_sure(case, ready, terminal, consent):
        is_answer = consent.can_ask and consent.deletions is None
        return Settled(pending(case), exits.DONE if is_answer else exits.NOBODY_TO_ASK)
    with commit_after(case, ready, consent.message, terminal) as commit:
        return commit(_write(case, ready, terminal))


def _write(case: Case, ready: Sequence[Change], terminal: Terminal) -> Settled:
    """Apply, and show what came of it."""
    from cli.screen.changes import show_applied
    from cli.screen.conflicts import show_conflicts
    from sandbox.gate.apply import Applied as Done

    result = apply(case, ready, getpass.getuser())
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
    from sandbox.gate.held import held_with

    denied = {change.path for change in changes if case.verdict(change).decision == "deny"}
    if not denied:
        return list(changes)
    show_denied(case, [change for change in changes if change.path in denied], terminal)
    gone = denied | held_with(changes, denied)
    return [change for change in changes if change.path not in gone]


def pending(case: Case) -> Truth:
    """What is true while nothing has been applied."""
    waiting = case.changes.pending
    return Pending(len(waiting), case.session.id, reasons=reasons(case, waiting)) if waiting else Unchanged()


def _is_sure(case: Case, changes: Sequence[Change], terminal: Terminal, consent: Consent) -> bool:
    """Whether these deletions are meant: few, or their number was stated, or somebody types it now."""
    from cli.ask import Person

    mass = case.mass_deletion(changes)
    if mass is None or consent.deletions == mass.files:
        return True
    terminal.line(terminal.style(f"this {mass.reason}", "red"))
    if consent.deletions is not None:
        terminal.line(f"nothing was applied: --deletions {consent.deletions} is not the number of files it deletes")
        return False
    if not consent.can_ask:
        terminal.line(f"not applied by itself: `paddock review {case.short}`, or state it: --deletions {mass.files}")
        return False
    return Person(terminal).confirm_number(f"{mass.files:,} files will be deleted.", mass.files)
