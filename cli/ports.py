"""`paddock ports`, and `--publish`: what listens in a sandbox, reached from this machine's loopback address."""

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.signals import Interrupts
    from sandbox.docker_sandbox import DockerSandbox
    from sandbox.doorway import Elsewhere
    from sandbox.forwarding import Forward
    from sandbox.sessions import Session


def ports(
    target: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SESSION] [PORT]...",
            help="A running session's id or its beginning (without one: the newest that runs on this checkout), then "
            "ports to reach until Ctrl-C: PORT, HOSTPORT:PORT, or 0:PORT for any free one.",
            show_default=False,
        ),
    ] = None,
    directory: options.Directory = None,
    as_json: options.Json = False,
) -> int:
    """List what listens in a running session, or reach it from this machine.

    A port is reached on 127.0.0.1 and nowhere else. What answers there comes from the sandbox: trust it as you would
    any page of somebody else.
    """
    from cli import exits, place
    from cli.signals import run_async
    from sandbox.doorway import Elsewhere

    session, wanted = _find(target or [], directory)
    if as_json and wanted:
        raise exits.Misuse("--json lists: leave the ports out")
    out = place.stdout()
    there = Elsewhere(session)
    if wanted:
        run_async(lambda interrupts: _reach(there, wanted, out.line, interrupts))
        return exits.DONE
    listening, forwards = run_async(lambda _: there.ports())
    if as_json:
        reached = [{"port": one.inside, "host_port": one.host, "url": one.url} for one in forwards]
        out.line(json.dumps({"session": session.id, "listening": list(listening), "forwarded": reached}, indent=1))
        return exits.DONE
    for port in sorted({*listening, *(one.inside for one in forwards)}):
        urls = ", ".join(one.url for one in forwards if one.inside == port)
        state = "" if port in listening else " (nothing listens there yet)"
        out.line(f"{port:>5}  {urls or f'not reached from here: paddock ports {session.id[:8]} {port}'}{state}")
    if not listening and not forwards:
        out.line(f"nothing listens in session {session.id[:8]}")
    return exits.DONE


def wanted_ports(given: Sequence[str]) -> "Sequence[Forward]":
    """What `--publish` or `paddock ports` asks for. Raises Misuse."""
    from cli import exits
    from sandbox.forwarding import parsed

    try:
        return [parsed(one) for one in given]
    except ValueError as error:
        raise exits.Misuse(str(error)) from error


@asynccontextmanager
async def published(sandbox: "DockerSandbox", given: Sequence[str], say: Callable[[str], None]) -> AsyncIterator[None]:
    """While the block runs, these ports of a sandbox of ours are reached from this machine. Raises PortTaken."""
    if not given:
        yield
        return
    from sandbox.forwarding import forwarded

    async with forwarded(sandbox, wanted_ports(given)) as made:
        sandbox.forwards += made
        for one in made:
            say(_sentence(one))
        yield


def _sentence(forward: "Forward") -> str:
    return f"port {forward.inside} of the sandbox: {forward.url}"


async def _reach(
    there: "Elsewhere", wanted: "Sequence[Forward]", say: Callable[[str], None], interrupts: "Interrupts"
) -> None:
    """Forward until Ctrl-C, or until the session ends."""
    import anyio

    from sandbox.forwarding import forwarded

    async with forwarded(there, wanted) as made, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(there.holding(one)) for one in made]
        for one in made:
            say(_sentence(one))
        say("until Ctrl-C, or the session's end")
        with anyio.CancelScope() as scope, interrupts.ending(scope.cancel):
            async for _ in streams[0]:
                pass
            say("the session has ended")


def _find(target: list[str], directory: options.Directory) -> "tuple[Session, Sequence[Forward]]":
    """The session and the ports. A first word that may be either is a port if it looks like one, else a session."""
    from cli import place
    from sandbox.errors import SessionNotFound

    here = place.place()
    if target and not re.fullmatch(r"[0-9]{1,5}|[0-9.]*:.*", target[0]):
        return here.sessions.find(target[0]), wanted_ports(target[1:])
    folder = str(place.checkout(directory))
    for session in here.sessions.all():
        if session.is_held() and session.meta().checkout == folder:
            return session, wanted_ports(target)
    raise SessionNotFound(f"no session runs on {folder} now: name one of `paddock sessions list --all`")
