"""`paddock exec`: any command in the sandbox, on the copy; then the gate."""

import functools
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import options

if TYPE_CHECKING:
    from cli.choosing import Wanted
    from cli.place import Place
    from cli.screen.terminal import Terminal
    from cli.signals import Interrupts
    from sandbox.base import Command
    from sandbox.docker_sandbox import DockerSandbox
    from sandbox.egress.judge import Ask
    from sandbox.engine import Engine
    from sandbox.sessions import Session


def execute(
    command: Annotated[list[str], typer.Argument(metavar="-- CMD...", help="The command and its arguments.")],
    directory: options.Directory = None,
    apply: options.Apply = None,
    image: options.ImageName = "base",
    stdin: Annotated[bool, typer.Option("--stdin", "-i", help="Hand our stdin to the command.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.001, metavar="S", help="End it after S seconds.", show_default=False),
    ] = None,
    deletions: options.Deletions = None,
    settings: options.Settings = "",
    profile: options.Profile = None,
    runtime: options.Runtime = "",
    base: options.Base = None,
    publish: options.Publish = None,
    allow: options.Allow = None,
) -> int:
    """Run a command in a container on a copy of the checkout, then ask what to keep.

    Its exit code is ours. What it prints goes to stdout and stderr; a terminal gets it with control characters spelled
    out. The last line, on stderr, says what is true of the checkout.
    """
    from cli import exits, place
    from cli.ask import has_person
    from cli.case import freeze
    from cli.choosing import Wanted
    from cli.ending import settle
    from cli.ports import wanted_ports
    from cli.rules import policy_of
    from cli.settled import Settled, Terms, pending
    from cli.signals import run_async
    from cli.truth import sentence
    from sandbox.base import Command

    wanted_ports(publish or ())
    here = place.place()
    said = place.stderr()
    wanted = Wanted(profile, runtime, base, settings, tuple(allow or ()))
    engine, session = open_session("exec", " ".join(command), here, directory, image, said, wanted)
    policy_of(session, settings)
    order = Command(
        command,
        cwd=PurePosixPath(session.meta().checkout),
        stdin=sys.stdin.buffer.read() if stdin else None,
        timeout=timeout,
        keep=1024,
    )
    terms = Terms(
        apply or "ask", is_explicit=apply is not None, can_ask=has_person(), deletions=deletions, settings=settings
    )
    try:
        code = run_async(functools.partial(_drive, session, engine, order, publish or ()))
        kept = terms if code == 0 else replace(terms, dial="never")
        settled = settle(session, kept, said)
    except exits.LookInterrupted:
        raise  # a second look would take as long
    except (KeyboardInterrupt, exits.Terminated) as ending:
        code = exits.INTERRUPTED if isinstance(ending, KeyboardInterrupt) else exits.TERMINATED
        settled = Settled(pending(freeze(session, settings)))
    said.line(said.style(sentence(settled.truth), "bold"))
    return code or settled.code


async def _drive(
    session: "Session", engine: "Engine", command: "Command", publish: Sequence[str], interrupts: "Interrupts"
) -> int:
    """Run it, pass on what it prints as it prints it; a command that ran out of time reached a limit."""
    import anyio

    from cli import exits, place
    from cli.reaching import asker
    from cli.screen.passing import Passing
    from sandbox.base import Call
    from sandbox.opening import noted

    passing = Passing(sys.stdout, sys.stderr)
    async with open_sandbox(session, engine, publish, place.stderr(), asker(place.stderr())) as sandbox:
        with anyio.CancelScope() as scope, interrupts.ending(scope.cancel):
            passing.on_closed = scope.cancel
            async with noted(sandbox, Call("exec", "exec", " ".join(command.argv), agent="you")):
                result = await sandbox.run(command, passing)
            passing.finish(result)
            return exits.LIMIT if result.timed_out else result.exit_code
    if passing.is_closed:
        raise BrokenPipeError
    return exits.INTERRUPTED


def open_session(
    kind: Literal["exec", "shell"],
    title: str,
    here: "Place",
    directory: options.Directory,
    image: str,
    said: "Terminal",
    wanted: "Wanted",
) -> tuple["Engine", "Session"]:
    """The engine, and a new session on the checkout for a command or a shell; its first line is said to a person."""
    from cli import place
    from cli.choosing import agree
    from cli.order import title_of
    from cli.screen import safe
    from sandbox import opening
    from sandbox.workspace.tree import described

    folder = place.checkout(directory)
    place.say_neighbours(folder)
    place.say_git(folder)
    engine = place.connect()
    place.say_engine(engine)
    agreed = agree(wanted, folder, engine, said)
    found = place.image_for(image, engine, here, said)
    session = opening.prepare(
        sessions=here.sessions,
        checkout=folder,
        kind=kind,
        image=found,
        title=title_of(title),
        choice=agreed.choice,
    )
    if said.is_terminal or not agreed.is_usual:  # in a pipe, what nobody asked for is in the way
        base = described(session)
        first = f"session {session.id[:8]} · a copy · base: {base} · image {found.name} · {agreed.described}"
        said.line(said.style(safe.line(first), "dim"))
    return engine, session


@asynccontextmanager
async def open_sandbox(
    session: "Session", engine: "Engine", publish: Sequence[str], said: "Terminal", ask: "Ask | None" = None
) -> AsyncIterator["DockerSandbox"]:
    """The sandbox of a command or a shell, with its ports; what it takes, and what it does not see, is said.

    `ask` is who decides about a host that no rule names.
    """
    from cli import environment, place
    from cli.ports import published
    from sandbox.opening import opened

    variables = environment.named(session.meta().choice.environment)
    async with (
        opened(session, engine, variables=variables, ask=ask) as sandbox,
        published(sandbox, publish, said.line),
    ):
        place.tell_carrying(sandbox, place.stderr())
        place.say_hidden(await sandbox.hidden())
        yield sandbox
