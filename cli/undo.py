"""`paddock undo`: take back the last apply."""

import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.words import count

if TYPE_CHECKING:
    from cli.screen.terminal import Terminal
    from sandbox.gate.apply import Applied, Conflicts
    from sandbox.gate.undo import Undo
    from sandbox.sessions import Session

SessionId = Annotated[
    str,
    typer.Argument(
        metavar="SESSION",
        help="Take back the last apply of this session, given by its id or its beginning.",
        show_default=False,
    ),
]


def undo(
    session: SessionId = "",
    directory: options.Directory = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> int:
    """Take back the last apply to this checkout, whichever session made it: every file is what it was before.

    All or nothing: if you have changed one of these files since, nothing is written. What is taken back waits in its
    session again, so `paddock apply` undoes the undo; a second `paddock undo` takes back the apply before.
    """
    from cli import exits, place
    from cli.ask import Person, has_person
    from cli.screen import safe
    from sandbox.gate.undo import last_apply

    checkout, sessions = _scope(session, directory)
    plan = last_apply(checkout, sessions)
    if plan is None:
        raise exits.Misuse(f"nothing to take back: no apply to {checkout} is left on record")
    out = place.stdout()
    with plan.session.hold():
        if not as_json:
            _announce(plan, out)
        if not yes:
            if as_json or not has_person():
                raise exits.ApprovalNeeded(f"taking back {_files(plan)} has to be confirmed: add --yes")
            if not Person(out).confirm(f"take back {_files(plan)} in {safe.line(str(checkout))}?"):
                out.line(out.style("host unchanged", "bold"))
                return exits.DONE
        return _carry_out(plan, checkout, out, as_json=as_json)


def _scope(session: str, directory: Path | None) -> tuple[Path, Sequence["Session"]]:
    """The checkout, and the sessions whose applies count; an interrupted apply to it is finished first."""
    from cli import place

    here = place.place()
    if not session:
        return place.checkout(directory), here.sessions.all()
    found = here.sessions.find(session)
    place.recover_of(found)
    return Path(found.meta().checkout), [found]


def _announce(plan: "Undo", out: "Terminal") -> None:
    """Say what it would do, before it is asked for."""
    from cli import stored
    from cli.screen import safe
    from cli.screen.changes import show_rows
    from cli.screen.items import items
    from sandbox.gate.blobs import Blobs

    blobs = Blobs(plan.session.blobs)
    who = safe.line(plan.by)
    out.line(out.style(f"session {plan.session.id[:8]} · applied {stored.age(plan.at)} ago by {who}", "dim"))
    show_rows(items(plan.changes, blobs), blobs, out)
    for folder in plan.stay:
        out.line(out.style(f"  {safe.path(folder)}/ stays: something else is in it now", "dim"))


def _carry_out(plan: "Undo", checkout: Path, out: "Terminal", *, as_json: bool) -> int:
    from cli import exits
    from cli.case import freeze
    from cli.truth import TakenBack, Unchanged, sentence
    from cli.truth import as_json as truth_json
    from sandbox.gate.apply import Applied as Done
    from sandbox.gate.undo import undo as take_back

    result = take_back(plan, checkout=checkout, by=getpass.getuser())
    is_done = isinstance(result, Done)
    done = len(set(result.paths) - plan.folders) if isinstance(result, Done) else 0
    left = len(freeze(plan.session).changes.pending) if is_done else 0
    truth = TakenBack(done, plan.session.id, left) if is_done else Unchanged()
    if as_json:
        ids = {"session": plan.session.id, "checkout": str(checkout), "undoes": plan.approval}
        out.line(json.dumps({**ids, **truth_json(truth), **_rows(result)}, indent=1))
    else:
        _show(result, out)
        out.line(out.style(sentence(truth), "bold"))
    return exits.DONE if isinstance(result, Done) and not result.kept else exits.CONFLICT


def _show(result: "Applied | Conflicts", out: "Terminal") -> None:
    from cli.screen import safe
    from cli.screen.changes import show_applied
    from sandbox.gate.apply import Applied as Done

    if isinstance(result, Done):
        show_applied(result, out)
        return
    out.line("nothing was taken back, because of what was changed since:")
    for conflict in result.conflicts:
        reason = out.style(safe.line(conflict.reason), "yellow")
        out.line(f"  {safe.path(conflict.path)}  {reason}")
    out.line("put these back as the apply left them, or move them away, and run `paddock undo` again")


def _rows(result: "Applied | Conflicts") -> dict[str, object]:
    from cli.rows import name, reasoned
    from sandbox.gate.apply import Applied as Done

    if isinstance(result, Done):
        return {"paths": [name(path) for path in result.paths], "kept": [reasoned(one) for one in result.kept]}
    return {"conflicts": [reasoned(one) for one in result.conflicts]}


def _files(plan: "Undo") -> str:
    return count(len(plan.changes) - len(plan.folders), "file")
