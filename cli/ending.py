"""The end of a run: what happens to its changes."""

from typing import TYPE_CHECKING

from cli import exits, gate
from cli.case import freeze
from cli.reviewing import offer
from cli.screen.terminal import Terminal
from cli.settled import Settled, Terms, pending
from cli.truth import Unchanged

if TYPE_CHECKING:
    from sandbox.sessions import Session


def settle(session: "Session", terms: Terms, terminal: Terminal) -> Settled:
    """Show what a finished run changed and do with it what the terms and the rules say."""
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
            return gate.apply_all(case, terminal, terms.consent)
        case "ask" if terms.can_ask:
            return offer(case, terminal, terms.consent)
        case "ask":
            return Settled(pending(case), exits.NOBODY_TO_ASK if terms.is_explicit else exits.DONE)
