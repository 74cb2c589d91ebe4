"""`paddock ps`: which sandboxes there are now, what they use, and whose they are."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.screen.terminal import Terminal
    from sandbox.census import Member

HEAD = ("SESSION", "STATE", "UP", "MEMORY", "PROCS", "CHANGED", "PID")
WIDTHS = (8, 9, 7, 9, 5, 7, 7)
INDENT = 10
STYLES = {"running": "green", "paused": "yellow", "idle": "dim", "orphan": "red"}


def ps(
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Also those of other state folders, and helpers of ours.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List the sandboxes of your sessions: running, paused by a look, or idle, which takes no container.

    CHANGED counts the files that calls have changed so far; `paddock status ID` says what of it waits. An orphan is a
    container whose owner was killed: the next start of anything takes it away, and so does `paddock gc`.
    """
    from cli import environment, place
    from sandbox.census import census
    from sandbox.engine import Engine

    found = census(Engine.connect(environment.of_engine()), place.place().sessions)
    shown = [one for one in found if everything or one.meta is not None or one.is_orphan]
    out = place.stdout()
    if as_json:
        out.line(json.dumps([_as_json(one) for one in shown], indent=1))
        return
    table(out, shown)
    if hidden := len(found) - len(shown):
        out.line(out.style(f"{hidden} more of other state folders: paddock ps --all", "dim"))


def table(out: "Terminal", members: "Sequence[Member]") -> None:
    """Draw them: a row of numbers each, and below it what it is for."""
    if not members:
        out.line("no sandbox runs: `paddock run`, `paddock exec` and `paddock shell` start one")
        return
    out.line(out.style(_row(HEAD), "dim"))
    for one in members:
        state = _state(one)
        cells = (one.session[:8] or "helper", state, _up(one), _size(one.memory), *_counts(one))
        left, middle, right = _row(cells).partition(f" {state} ")
        style = STYLES.get(state, "cyan")
        out.line(f"{out.style(left, 'bold')}{out.style(middle, style)}{right}".rstrip())
        out.line(f"{'':{INDENT}}{out.style(_what(out, one), 'dim')}")


def _row(cells: Sequence[str]) -> str:
    first, second, *rest = (
        f"{cell:<{width}}" if index < 2 else f"{cell:>{width}}"
        for index, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    return f"{first}  {second} {'  '.join(rest)}"


def _state(one: "Member") -> str:
    return "orphan" if one.is_orphan else one.state


def _up(one: "Member") -> str:
    from cli import stored

    return stored.age(one.started) if one.started is not None else "-"


def _size(bytes_: int | None) -> str:
    from sandbox.limits import size

    return "-" if bytes_ is None else size(bytes_)


def _counts(one: "Member") -> tuple[str, str, str]:
    processes = "-" if one.processes is None else f"{one.processes:,}"
    changed = "?" if one.changed is None else f"{one.changed:,}"
    return processes, changed, "?" if one.owner is None else f"{one.owner}"


def _what(out: "Terminal", one: "Member") -> str:
    """What it is for, in what a row has room for. Titles and paths may hold anything."""
    from cli.screen import safe

    note = "its owner was killed: paddock gc · " if one.is_orphan else ""
    if one.meta is None:
        return note + ("a session of another state folder" if one.session else "of no session: it prepares something")
    room = out.width - INDENT - len(note)
    title = one.meta.title if one.meta.title != one.meta.kind else ""
    what = out.fit(safe.line(f"{one.meta.kind} {title}".rstrip()), room * 2 // 3)
    return f"{note}{out.fit(f'{what} · {safe.line(one.meta.checkout)}', room)}"


def _as_json(one: "Member") -> dict[str, object]:
    row: dict[str, object] = {
        "session": one.session or None,
        "state": one.state,
        "orphan": one.is_orphan,
        "pid": one.owner,
        "container": one.container or None,
        "started": one.started.isoformat() if one.started is not None else None,
        "memory": one.memory,
        "processes": one.processes,
        "changed": one.changed,
    }
    if one.meta is not None:
        row |= one.meta.model_dump(mode="json", include={"kind", "title", "checkout", "created", "image_name", "model"})
    return row
