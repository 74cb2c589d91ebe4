"""`paddock sessions`: what was run, what of it still waits, and removing it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.screen.terminal import Terminal
    from cli.stored import Stored

app = typer.Typer(
    help="List, show and remove sessions: each keeps its conversation and its changes.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="A session id or its beginning.")]


@app.command("list", epilog="Example: paddock sessions list --all")
def list_(
    directory: options.Directory = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Of every checkout, not only this one.")] = False,
    as_json: options.Json = False,
) -> None:
    """List the sessions of this checkout, newest first."""
    from cli import place, stored

    here = place.place()
    found = [stored.look(session) for session in here.sessions.all()]
    if not everything:
        folder = str((directory or Path()).resolve())
        found = [one for one in found if one.meta is not None and one.meta.checkout == folder]
    out = place.stdout()
    if as_json:
        out.line(json.dumps([stored.as_json(one) for one in found], indent=1))
        return
    for one in found:
        _line(out, one, with_checkout=everything)
    if not found:
        out.line("no sessions yet: `paddock run` starts one")


@app.command("show", epilog="Example: paddock sessions show 3f2a9c1b")
def show(session: SessionId, as_json: options.Json = False) -> None:
    """Show what a session is and where it lies."""
    from cli import place, stored
    from cli.screen import safe

    one = stored.look(place.place().sessions.find(session))
    out = place.stdout()
    if as_json:
        out.line(json.dumps(stored.as_json(one), indent=1))
        return
    for name, value in stored.facts(one):
        out.line(f"{out.style(f'{name:<10}', 'dim')} {safe.line(value)}")


@app.command("rm", epilog="Example: paddock sessions rm 3f2a9c1b --yes")
def rm(
    session: SessionId,
    discard: Annotated[bool, typer.Option("--discard", help="Also if changes are pending: they are lost.")] = False,
    yes: options.Yes = False,
) -> int:
    """Remove a session: its conversation, its changes, its copies. The checkout is not touched."""
    from cli import exits, place, stored
    from cli.ask import Person, has_person

    found = place.place().sessions.find(session)
    one = stored.look(found)
    short = found.id[:8]
    match one.state:
        case "running":
            raise exits.CliError(f"session {short} is in use: end it first")
        case "pending" if not discard:
            raise exits.Misuse(
                f"session {short} has {one.pending} pending: `paddock review {short}` shows them, "
                f"`paddock sessions rm --discard {short}` loses them"
            )
        case "unreadable" if not discard:
            raise exits.Misuse(
                f"session {short} cannot be read, so nobody knows what it holds ({one.problem}): add --discard"
            )
    out = place.stdout()
    farewell = stored.farewell(stored.undoable(found))
    if not yes:
        if not has_person():
            raise exits.ApprovalNeeded(f"removing session {short} has to be confirmed: add --yes")
        if not Person(out).confirm(f"remove session {short}{_lost(one, farewell)}?"):
            out.line("kept")
            return exits.DONE
    if not stored.remove(found):
        raise exits.CliError(f"session {short} is in use: end it first")
    out.line(f"removed session {short}" + (f": {farewell}" if farewell else ""))
    return exits.DONE


def _lost(one: "Stored", farewell: str) -> str:
    """What goes with a session, for the question."""
    return (f" and lose {one.pending} pending" if one.pending else "") + (f" ({farewell} then)" if farewell else "")


def _line(out: "Terminal", one: "Stored", *, with_checkout: bool) -> None:
    from cli import stored
    from cli.screen import safe

    style = {"running": "cyan", "pending": "yellow", "settled": "dim", "unreadable": "red"}[one.state]
    state = f"{one.pending} pending" if one.state == "pending" else one.state
    title = one.problem if one.state == "unreadable" or one.meta is None else one.meta.title or one.meta.kind
    where = f"{one.meta.checkout}  " if with_checkout and one.meta is not None else ""
    age = stored.age(one.meta.created) if one.meta is not None else ""
    start = f"{one.session.id[:8]}  {age:<8}  "
    rest = safe.line(where + title)
    room = out.width - len(start) - 14
    out.line(f"{out.style(start, 'bold')}{out.style(f'{state:<12}', style)}  {out.fit(rest, room)}".rstrip())
