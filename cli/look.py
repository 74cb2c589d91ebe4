"""`paddock status` and `paddock diff`: what waits, without touching it."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import options
from cli.target import case_of, find, identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.case import Case
    from cli.screen.terminal import Terminal
    from sandbox.changes import Change

Form = Literal["drawn", "why", "stat", "name-status", "json", "patch"]


def status(
    target: options.SessionAndPaths = None,
    directory: options.Directory = None,
    as_json: options.Json = False,
    settings: options.Settings = "",
) -> None:
    """Show what waits in a session, by what the rules say about it: applied by itself, in need of your word, denied.

    Ignored and refused paths are listed apart, and what the model says of its work is marked as the model's.
    """
    from cli import place
    from cli.case import chosen
    from cli.rows import rows
    from cli.screen.waiting import show_said, show_waiting
    from cli.settled import pending
    from cli.truth import as_json as truth_json
    from cli.truth import sentence
    from runtime.said import last_words
    from sandbox.hiding import telling
    from sandbox.hiding.hidden import hidden_of

    wanted = find(target, directory)
    case = case_of(wanted, settings)
    changes = chosen(case, wanted.paths)
    out = place.stdout()
    truth = pending(case)
    said = last_words(case.session.transcript)
    if as_json:
        found = {**identity(case), **truth_json(truth), **rows(case, changes)}
        found |= {**telling.as_json(hidden_of(case.session)), "model_says": said}
        out.line(json.dumps(found, indent=1))
        return
    meta = case.session.meta()
    out.line(
        out.style(f"session {case.short} · {meta.kind} · {meta.image_name} · profile {meta.choice.profile}", "dim")
    )
    if text := telling.summary(hidden_of(case.session)):
        out.line(out.style(text, "dim"))
    show_waiting(case, changes, out)
    show_said(said, out)
    out.line(out.style(sentence(truth), "bold"))


def diff(
    target: options.SessionAndPaths = None,
    directory: options.Directory = None,
    stat: Annotated[bool, typer.Option("--stat", help="How much changed, file by file, as a bar graph.")] = False,
    name_status: Annotated[
        bool, typer.Option("--name-status", help="A letter and a name each, as git has it.")
    ] = False,
    nul: Annotated[bool, typer.Option("-z", help="With --name-status: raw names, everything ended by a NUL.")] = False,
    as_json: options.Json = False,
    patch: Annotated[
        bool, typer.Option("--patch", help="The bare patch, for `git apply`; what a pipe gets anyway.")
    ] = False,
    why: Annotated[bool, typer.Option("--why", help="With the tool calls behind every hunk.")] = False,
    settings: options.Settings = "",
    color: Annotated[
        bool | None,
        typer.Option("--color/--no-color", help="Drawn for people also in a pipe; or drawn without colour."),
    ] = None,
) -> None:
    """Show the pending changes line by line: on a terminal numbered and escaped, in a pipe as a patch for `git apply`.

    Ignored paths are left out unless they are named.
    """
    from cli import exits, place
    from cli.case import chosen
    from cli.screen.terminal import Terminal

    asked: dict[Form, bool] = {
        "stat": stat, "name-status": name_status, "json": as_json, "patch": patch, "why": why,
    }  # fmt: skip
    wanted: list[Form] = [form for form, is_asked in asked.items() if is_asked]
    if len(wanted) > 1:
        raise exits.Misuse(f"--{wanted[0]} and --{wanted[1]} are two ways to show the same: choose one")
    if nul and not name_status:
        raise exits.Misuse("-z is about names: it goes with --name-status")
    out = place.stdout() if color is None else Terminal(sys.stdout, color=color)
    form: Form = wanted[0] if wanted else ("drawn" if out.is_terminal or color else "patch")
    if out.is_terminal and (form == "patch" or nul):
        what = "a bare patch" if form == "patch" else "a list of raw names"
        raise exits.Misuse(f"{what} holds bytes that no terminal should get: `paddock diff … > file`, or into a pipe")
    target_found = find(target, directory)
    case = case_of(target_found, settings)
    show(case, chosen(case, target_found.paths), form, out, raw=nul)


def show(case: "Case", changes: "Sequence[Change]", form: Form, out: "Terminal", *, raw: bool = False) -> None:
    """Changes in one of the forms that `paddock diff` knows."""
    from cli.rows import rows
    from cli.screen.items import items
    from cli.screen.stat import names, show_stat
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.diff import patches

    blobs = Blobs(case.session.blobs)
    match form:
        case "drawn" | "why":
            _draw(case, changes, out, with_why=form == "why")
        case "stat":
            show_stat(items(changes, blobs), blobs, out)
        case "json":
            out.line(json.dumps({**identity(case), **rows(case, changes, with_hunks=True)}, indent=1))
        case "name-status":
            sys.stdout.buffer.writelines(names(changes, raw=raw))
        case "patch":
            _leave_out_folders(changes)
            for change in changes:
                sys.stdout.buffer.writelines(patches(change, blobs))
    sys.stdout.buffer.flush()


def _draw(case: "Case", changes: "Sequence[Change]", out: "Terminal", *, with_why: bool) -> None:
    from cli.screen.diffs import show_item
    from cli.screen.items import items
    from cli.screen.why import origins
    from sandbox.gate.blobs import Blobs

    blobs = Blobs(case.session.blobs)
    for item in items(changes, blobs, case.warnings):
        behind = origins(case.session, item, blobs) if with_why else None
        show_item(item, blobs, out, origins=behind)


def _leave_out_folders(changes: "Sequence[Change]") -> None:
    """Say what a patch cannot hold: git knows no empty folders."""
    from cli import place
    from sandbox.changes import Directory

    folders = sum(isinstance(change.after, Directory) for change in changes)
    if folders:
        place.stderr().line(f"paddock: the patch leaves out {folders:,} empty folder(s), which git cannot hold")
