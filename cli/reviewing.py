"""A review from the question to the checkout: on the whole screen, or line by line where there is no such screen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio.to_thread

from cli import environment, gate
from cli.ask import Person
from cli.case import Case
from cli.screen.terminal import Terminal
from cli.settled import Consent, Settled, pending
from cli.words import count
from sandbox.changes import Change

if TYPE_CHECKING:
    from cli.screen.review.decided import Decided


def offer(case: Case, terminal: Terminal, consent: Consent) -> Settled:
    """Ask what to do with what waits, below the list of it."""
    waiting = case.changes.pending
    ordinary = [change for change in waiting if case.verdict(change).is_ordinary and not change.moved]
    answers = {"r": "review", "a": "apply", "l": "later"}
    if not ordinary:
        del answers["a"]
    elif len(ordinary) < len(waiting):
        answers["a"] = f"apply the {len(ordinary):,} ordinary"
    match Person(terminal).choose(f"{count(len(waiting), 'file')} pending:", answers, "l"):
        case "r":
            return review(case, waiting, terminal, consent=consent)
        case "a":
            return gate.apply_part(case, ordinary, terminal, consent)  # a conflict elsewhere does not hold them up
        case _:
            return Settled(pending(case))


def review(
    case: Case, changes: Sequence[Change], terminal: Terminal, *, consent: Consent, line_by_line: bool = False
) -> Settled:
    """Let a person decide, change by change and hunk by hunk, and apply what was accepted."""
    if line_by_line or not environment.read().has_screen:
        return review_line_by_line(case, changes, terminal, consent)
    from cli.applying import true_now
    from cli.screen.review.sitting import hold
    from cli.signals import run_async

    decided = run_async(lambda _: hold(case, changes))
    settled = conclude(case, decided, terminal, consent)
    return true_now(case, settled) if decided.changes or decided.kept else settled


def review_line_by_line(case: Case, changes: Sequence[Change], terminal: Terminal, consent: Consent) -> Settled:
    """The same as questions, one below the other: for a braille line, a log, a terminal that can do no more."""
    from cli.screen.review.plain import Review

    approved = Review(case, terminal).ask(changes)
    return gate.carry_out(case, approved, terminal, consent) if approved else Settled(pending(case))


async def review_in_loop(case: Case, terminal: Terminal) -> Settled:
    """The review of all that waits, for a caller that is in an event loop already. Raises KeyboardInterrupt."""
    consent = Consent(can_ask=True)
    if not environment.read().has_screen:
        return await anyio.to_thread.run_sync(review_line_by_line, case, case.changes.pending, terminal, consent)
    from cli.screen.review.sitting import hold

    decided = await hold(case, case.changes.pending)
    return await anyio.to_thread.run_sync(conclude, case, decided, terminal, consent)


def conclude(case: Case, decided: "Decided", terminal: Terminal, consent: Consent) -> Settled:
    """Do what was decided. What was confirmed on the screen, a mass deletion too, is not asked again."""
    from cli.applying import keep
    from sandbox.gate.apply import Applied

    settled = Settled(pending(case))
    if decided.changes:
        mass = case.mass_deletion(decided.changes)
        sure = consent if mass is None else Consent(consent.can_ask, mass.files)
        settled = gate.carry_out(case, decided.changes, terminal, sure)
        if not isinstance(settled.result, Applied):
            return settled
    keep(case, [below for one in decided.kept for below in case.changes.only([one.path])], terminal)
    return settled
