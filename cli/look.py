"""`paddock status` and `paddock diff`: what waits, without touching it."""

import json
import sys
from typing import Annotated

import typer

from cli import options
from cli.target import case_of, find, identity


def status(
    target: options.SessionAndPaths = None, directory: options.Directory = None, as_json: options.Json = False
) -> None:
    """Show what waits in a session: pending, ignored and refused paths."""
    from cli import place
    from cli.gate import pending
    from cli.screen.changes import rows, show_list
    from cli.truth import as_json as truth_json
    from cli.truth import sentence

    case = case_of(find(target, directory))
    out = place.stdout()
    truth = pending(case)
    if as_json:
        out.line(json.dumps({**identity(case), **truth_json(truth), **rows(case)}, indent=1))
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
    case = case_of(wanted)
    changes = chosen(case, wanted.paths)
    blobs = Blobs(case.session.blobs)
    out = place.stdout()
    if patch and out.is_terminal:
        raise exits.Misuse(
            "a bare patch holds bytes that no terminal should get: `paddock diff --patch > changes.patch`"
        )
    if as_json:
        text = unified(changes, blobs).decode("utf-8", "surrogateescape")
        out.line(json.dumps({**identity(case), **rows(case, changes), "patch": text}, indent=1))
    elif out.is_terminal:
        for change in changes:
            show_diff(change, blobs, out)
    else:
        sys.stdout.buffer.write(unified(changes, blobs))
        sys.stdout.buffer.flush()
