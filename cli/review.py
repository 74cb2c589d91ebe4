"""`paddock review`: a person goes through what waits."""

from cli import options
from cli.target import case_of, end, find


def review(
    target: options.SessionAndPaths = None, directory: options.Directory = None, settings: options.Settings = ""
) -> int:
    """Go through the pending changes one by one and apply those you approve.

    Naming paths asks about these only; an ignored path is asked about if it is named.
    """
    from cli import exits, gate, place
    from cli.ask import has_person
    from cli.case import chosen
    from cli.screen.changes import show_list
    from cli.screen.judged import show_notices

    wanted = find(target, directory)
    out = place.stdout()
    with wanted.session.hold():
        case = case_of(wanted, settings)
        changes = chosen(case, wanted.paths)
        show_list(case, out)
        show_notices(case.policy, out)
        if not changes:
            return end(gate.Settled(gate.pending(case)))
        if not has_person():
            raise exits.ApprovalNeeded(
                f"a review needs a terminal: `paddock diff {case.short}` shows the changes, "
                f"`paddock apply {case.short} --yes` applies them"
            )
        return end(gate.review(case, changes, out))
