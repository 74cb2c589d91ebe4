"""`paddock network`: what a session asked of the world, and what of it was let out."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.screen.terminal import Terminal
    from sandbox.egress.record import Exchange


def network(
    session: Annotated[
        str,
        typer.Argument(
            metavar="[SESSION]", help="A session id or its beginning (without one: the newest of this checkout)."
        ),
    ] = "",
    directory: options.Directory = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only what was refused.")] = False,
    as_json: options.Json = False,
) -> None:
    """List every request that a session made through the proxy, and what came of it.

    Queries are not kept: secrets travel there. A session in a profile without a network has made none.
    """
    from cli import place
    from sandbox.egress.record import Record

    sessions = place.place().sessions
    found = sessions.find(session) if session else sessions.newest(place.checkout(directory))
    shown = [one for one in Record(found).all() if one.refused or not refused]
    out = place.stdout()
    if as_json:
        lines = [one.model_dump(mode="json") | {"refusal": one.refusal} for one in shown]
        out.line(json.dumps({"session": found.id, "requests": lines}, indent=1))
        return
    for one in shown:
        _line(out, one)
    if not shown:
        out.line(f"session {found.id[:8]} has {'been refused' if refused else 'asked for'} nothing")


def _line(out: "Terminal", one: "Exchange") -> None:
    from sandbox.egress.record import HOW, shown
    from sandbox.limits import size

    at = one.at.astimezone().strftime("%H:%M:%S")
    port = "" if one.port in (80, 443) else f":{one.port}"
    what = shown(f"{one.method} {one.host}{port}{one.path}")
    if one.refused is not None:
        came = out.style("refused", "red") + f": {HOW[one.refused].partition(';')[0]}"
    elif one.failed:
        came = out.style("failed", "yellow") + f": {shown(one.failed)}"
    else:
        came = f"{one.status}, {size(one.received)}" + (f", {size(one.sent)} sent" if one.sent else "")
    out.line(f"{out.style(at, 'dim')}  {what}  {came}")
