"""`paddock review`: a person goes through what waits."""

from typing import Annotated

import typer

from cli import options
from cli.target import case_of, end, find


def review(
    target: options.SessionAndPaths = None,
    directory: options.Directory = None,
    settings: options.Settings = "",
    plain: Annotated[bool, typer.Option("--plain", help="Line by line, without a screen to move on.")] = False,
) -> int:
    """Go through the pending changes on the whole screen and apply what you accept, down to single hunks.

    Naming paths asks about these only; an ignored path is asked about if it is named.
    """
    from cli import exits, place, reviewing
    from cli.ask import has_person
    from cli.case import chosen
    from cli.screen.changes import show_list
    from cli.screen.judged import show_notices
    from cli.settled import Consent, Settled, pending

    wanted = find(target, directory)
    out = place.stdout()
    with wanted.session.hold():
        case = case_of(wanted, settings)
        changes = chosen(case, wanted.paths)
        show_notices(case.policy, out)
        if not changes:
            show_list(case, out)
            return end(Settled(pending(case)))
        if not has_person():
            show_list(case, out)
            raise exits.ApprovalNeeded(
                f"a review needs a terminal: `paddock diff {case.short}` shows the changes, "
                f"`paddock apply {case.short} --yes` applies them"
            )
        consent = Consent(can_ask=True)
        return end(reviewing.review(case, changes, out, consent=consent, line_by_line=plain))
