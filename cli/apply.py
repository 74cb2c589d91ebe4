"""`paddock apply` and `paddock discard`: take what waits, or drop it."""

from cli import options
from cli.target import case_of, end, find


def apply(
    target: options.SessionAndPaths = None,
    directory: options.Directory = None,
    yes: options.Yes = False,
    deletions: options.Deletions = None,
    settings: options.Settings = "",
) -> int:
    """Apply the pending changes to the checkout: all of them, or those at PATH. All or nothing.

    Ignored paths are left out unless they are named; so is, with --yes, what needs a yes of its own.
    """
    from cli import gate, place
    from cli.approving import Wish, approve
    from cli.ask import has_person
    from cli.case import chosen
    from cli.screen.changes import show_list

    wanted = find(target, directory)
    out = place.stdout()
    with wanted.session.hold():
        case = case_of(wanted, settings)
        changes = chosen(case, wanted.paths)
        if not changes:
            return end(gate.Settled(gate.pending(case)))
        show_list(case, out, changes)
        wish = Wish(yes, wanted.paths, gate.Consent(has_person(), deletions))
        return end(approve(case, changes, wish, out))


def discard(
    target: options.SessionAndPaths = None, directory: options.Directory = None, yes: options.Yes = False
) -> int:
    """Drop changes for good: all of a session, or those at PATH. The checkout is not touched."""
    from cli import exits, gate, place
    from cli.ask import Person, has_person
    from cli.case import chosen, freeze
    from cli.screen.changes import show_list
    from cli.screen.review import count
    from sandbox.gate import discard as drop

    wanted = find(target, directory)
    out = place.stdout()
    with wanted.session.hold():
        case = case_of(wanted)
        changes = chosen(case, wanted.paths) if wanted.paths else case.changes.changes
        what = count(changes) if wanted.paths else "everything this session wrote"
        show_list(case, out, changes)
        if not yes:
            if not has_person():
                raise exits.ApprovalNeeded(f"discarding {what} has to be confirmed: add --yes")
            if not Person(out).confirm(f"discard {what}? It cannot be brought back."):
                return end(gate.Settled(gate.pending(case)))
        if wanted.paths:
            drop.discard_paths(wanted.session, case.checkout, [change.path for change in changes])
        else:
            drop.discard_all(wanted.session)
        out.line(f"discarded {what}")
        return end(gate.Settled(gate.pending(freeze(wanted.session))))
