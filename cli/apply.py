"""`paddock apply` and `paddock discard`: take what waits, or drop it."""

import json

from cli import options
from cli.target import case_of, end, find, identity


def apply(
    target: options.SessionAndPaths = None,
    directory: options.Directory = None,
    yes: options.Yes = False,
    hunks: options.Hunks = None,
    on_conflict: options.OnConflict = "ask",
    change_set: options.ChangeSetId = "",
    deletions: options.Deletions = None,
    settings: options.Settings = "",
    as_json: options.Json = False,
    commits: options.Commits = False,
    branch: options.Branch = "",
    commit: options.Commit = False,
    message: options.Message = None,
    watch: options.Watch = False,
) -> int:
    """Apply the pending changes to the checkout: all of them, or those at PATH, or single hunks. All or nothing.

    Ignored paths are left out unless they are named; so is, with --yes, what needs a yes of its own. Where you and the
    sandbox edited one file, both edits are merged; where that cannot be, you are asked, and without a terminal nothing
    is written.
    """
    from cli import exits, place
    from cli.applying import Order, carry_out, report
    from cli.truth import as_json as truth_json

    words = tuple(message or ())
    given = {
        "--hunks": hunks,
        "--on-conflict": on_conflict != "ask",
        "--change-set": change_set,
        "--deletions": deletions is not None,
        "--json": as_json,
        "--commits": commits,
        "--branch": branch,
        "--commit": commit,
        "--message": words,
        "--watch": watch,
    }
    _require_sense({name for name, value in given.items() if value})
    wanted = find(target, directory)
    if watch:
        if wanted.paths:
            raise exits.Misuse("--watch follows a whole session: leave the paths out, rules say what may be applied")
        from cli.following import Wish as Watched
        from cli.following import follow

        return follow(wanted.session, Watched(is_blanket=yes, settings=settings, as_json=as_json))
    if commits:
        from cli.commits import apply_commits
        from cli.commits_approval import Wish

        return apply_commits(wanted.session, branch, Wish(wanted.paths, yes, deletions, settings))
    order = Order(wanted.paths, tuple(hunks or ()), on_conflict, change_set, yes, deletions, settings, as_json, words)
    with wanted.session.hold():
        outcome = carry_out(wanted.session, order, place.stderr() if as_json else place.stdout())
        if not as_json:
            return end(outcome.settled)
        rows = {**identity(outcome.case), **truth_json(outcome.settled.truth), **report(outcome)}
    place.stdout().line(json.dumps(rows, indent=1))
    return outcome.settled.code


_ALONE = {"--commits": {"--branch", "--deletions"}, "--watch": {"--json"}}
"""Ways that are no ordinary apply, each with the options that mean something to it; all take --yes and --settings."""


def _require_sense(given: set[str]) -> None:
    """Raise Misuse for options that contradict each other."""
    from cli import exits

    for way in sorted(_ALONE.keys() & given):
        odd = sorted(given - _ALONE[way] - {way})
        if odd:
            raise exits.Misuse(f"{way} does not go with {' and '.join(odd)}: leave one out")
    if "--branch" in given and "--commits" not in given:
        raise exits.Misuse("--branch names the branch that --commits makes: add --commits")
    if len(given & {"--commit", "--message"}) == 1:
        raise exits.Misuse("--commit takes a message, and -m is a commit's: give both, or neither")


def discard(
    target: options.SessionAndPaths = None, directory: options.Directory = None, yes: options.Yes = False
) -> int:
    """Drop changes for good: all of a session, or those at PATH. The checkout is not touched."""
    from cli import exits, place
    from cli.ask import Person, has_person
    from cli.case import chosen, freeze
    from cli.screen.changes import show_list
    from cli.settled import Settled, pending
    from cli.words import count
    from sandbox.gate import discard as drop

    wanted = find(target, directory)
    out = place.stdout()
    with wanted.session.hold():
        case = case_of(wanted)
        changes = chosen(case, wanted.paths) if wanted.paths else case.changes.changes
        what = count(len(changes), "file") if wanted.paths else "everything this session wrote"
        show_list(case, out, changes)
        if not yes:
            if not has_person():
                raise exits.ApprovalNeeded(f"discarding {what} has to be confirmed: add --yes")
            if not Person(out).confirm(f"discard {what}? It cannot be brought back."):
                return end(Settled(pending(case)))
        if wanted.paths:
            drop.discard_paths(wanted.session, case.checkout, [change.path for change in changes])
        else:
            drop.discard_all(wanted.session)
        out.line(f"discarded {what}")
        return end(Settled(pending(freeze(wanted.session))))
