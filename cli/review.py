"""`paddock status`, `diff`, `review`, `apply` and `discard`: what waits, and what becomes of it."""

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.case import Case
    from cli.gate import Settled
    from sandbox.sessions import Session

SHORTEST_ID = 4


@dataclass(frozen=True)
class Target:
    """What a command is about: a session, and the paths named after it."""

    session: "Session"
    paths: tuple[str, ...]


def status(
    target: options.SessionAndPaths = None, directory: options.Directory = None, as_json: options.Json = False
) -> None:
    """Show what waits in a session: pending, ignored and refused paths."""
    from cli import place
    from cli.gate import pending
    from cli.screen.changes import rows, show_list
    from cli.truth import as_json as truth_json
    from cli.truth import sentence

    case = _case(find(target, directory))
    out = place.stdout()
    truth = pending(case)
    if as_json:
        out.line(json.dumps({**_identity(case), **truth_json(truth), **rows(case)}, indent=1))
        return
    meta = case.session.meta()
    out.line(out.style(f"session {case.short} · {meta.kind} · {meta.image_name}", "dim"))
    show_list(case, out)
    out.line(out.style(sentence(truth), "bold"))


def diff(
    target: options.SessionAndPaths = None,
    directory: options.Directory = None,
    as_json: options.Json = False,
    patch: Annotated[
        bool, typer.Option("--patch", help="The bare patch, for `git apply`; what a pipe gets anyway.")
    ] = False,
) -> None:
    """Print the pending changes as a patch: coloured and escaped on a terminal, fit for `git apply` in a pipe.

    Ignored paths are left out unless they are named.
    """
    from cli import exits, place
    from cli.case import chosen
    from cli.screen.changes import rows, show_diff
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.diff import unified

    wanted = find(target, directory)
    case = _case(wanted)
    changes = chosen(case, wanted.paths)
    blobs = Blobs(case.session.blobs)
    out = place.stdout()
    if patch and out.is_terminal:
        raise exits.Misuse(
            "a bare patch holds bytes that no terminal should get: `paddock diff --patch > changes.patch`"
        )
    if as_json:
        text = unified(changes, blobs).decode("utf-8", "surrogateescape")
        out.line(json.dumps({**_identity(case), **rows(case, changes), "patch": text}, indent=1))
    elif out.is_terminal:
        for change in changes:
            show_diff(change, blobs, out)
    else:
        sys.stdout.buffer.write(unified(changes, blobs))
        sys.stdout.buffer.flush()


def review(target: options.SessionAndPaths = None, directory: options.Directory = None) -> int:
    """Go through the pending changes one by one and apply those you approve.

    Naming paths asks about these only; an ignored path is asked about if it is named.
    """
    from cli import exits, gate, place
    from cli.ask import has_person
    from cli.case import chosen
    from cli.screen.changes import show_list

    wanted = find(target, directory)
    out = place.stdout()
    with wanted.session.hold():
        case = _case(wanted)
        changes = chosen(case, wanted.paths)
        show_list(case, out)
        if not changes:
            return _end(gate.Settled(gate.pending(case)))
        if not has_person():
            raise exits.ApprovalNeeded(
                f"a review needs a terminal: `paddock diff {case.short}` shows the changes, "
                f"`paddock apply {case.short} --yes` applies them"
            )
        return _end(gate.review(case, changes, out))


def apply(target: options.SessionAndPaths = None, directory: options.Directory = None, yes: options.Yes = False) -> int:
    """Apply the pending changes to the checkout: all of them, or those at PATH. All or nothing.

    Ignored paths are left out unless they are named.
    """
    from cli import exits, gate, place
    from cli.ask import Person, has_person
    from cli.case import chosen
    from cli.screen.changes import show_list
    from cli.screen.review import count

    wanted = find(target, directory)
    out = place.stdout()
    with wanted.session.hold():
        case = _case(wanted)
        changes = chosen(case, wanted.paths)
        if not changes:
            return _end(gate.Settled(gate.pending(case)))
        show_list(case, out, changes)
        if not yes:
            if not has_person():
                raise exits.ApprovalNeeded(f"applying {count(changes)} has to be approved: add --yes")
            if not Person(out).confirm(f"apply {count(changes)} to {_shown(case)}?"):
                return _end(gate.Settled(gate.pending(case)))
        return _end(gate.carry_out(case, changes, out))


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
        case = _case(wanted)
        changes = chosen(case, wanted.paths) if wanted.paths else case.changes.changes
        what = count(changes) if wanted.paths else "everything this session wrote"
        show_list(case, out, changes)
        if not yes:
            if not has_person():
                raise exits.ApprovalNeeded(f"discarding {what} has to be confirmed: add --yes")
            if not Person(out).confirm(f"discard {what}? It cannot be brought back."):
                return _end(gate.Settled(gate.pending(case)))
        if wanted.paths:
            drop.discard_paths(wanted.session, case.checkout, [change.path for change in changes])
        else:
            drop.discard_all(wanted.session)
        out.line(f"discarded {what}")
        return _end(gate.Settled(gate.pending(freeze(wanted.session))))


def find(target: list[str] | None, directory: options.Directory) -> Target:
    """The session and paths a command is about; a first word that is no session's id is a path."""
    from cli import exits, place
    from sandbox.errors import SessionNotFound

    here = place.place()
    first, *rest = target or [""]
    if first and re.fullmatch(r"[0-9a-f][0-9a-f-]*", first) and len(first) >= SHORTEST_ID:
        found = [session for session in here.sessions.all() if session.id.startswith(first)]
        if len(found) > 1:
            raise exits.Misuse(f"{first!r} names {len(found)} sessions: give more of the id")
        if found:
            place.recover_of(found[0])
            return Target(found[0], tuple(rest))
    folder = place.checkout(directory)
    try:
        newest = here.sessions.newest(folder)
    except SessionNotFound as error:
        if first:
            raise SessionNotFound(f"{first!r} is no session, and {error}") from error
        raise
    return Target(newest, tuple(target or ()))


def _case(target: Target) -> "Case":
    from cli.case import freeze

    return freeze(target.session)


def _identity(case: "Case") -> dict[str, object]:
    return {"session": case.session.id, "checkout": str(case.checkout), "change_set": case.changes.id}


def _shown(case: "Case") -> str:
    from cli.screen import safe

    return safe.line(str(case.checkout))


def _end(settled: "Settled") -> int:
    """The last line: the truth about the host; then the exit code."""
    from cli import place
    from cli.truth import sentence

    out = place.stdout()
    out.line(out.style(sentence(settled.truth), "bold"))
    return settled.code
