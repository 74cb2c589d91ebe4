"""`paddock shell`: a terminal in the sandbox; then the gate."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli import options

if TYPE_CHECKING:
    from cli.signals import Interrupts
    from sandbox.engine import Engine
    from sandbox.sessions import Session


def shell(
    directory: options.Directory = None,
    apply: options.Apply = None,
    image: options.ImageName = "base",
    settings: options.Settings = "",
    profile: options.Profile = None,
    runtime: options.Runtime = "",
    base: options.Base = None,
    publish: options.Publish = None,
    allow: options.Allow = None,
) -> int:
    """Open a shell in a container on a copy of the checkout, then ask what to keep.

    What runs there draws on your terminal as it likes; the files it changes still wait at the gate.
    """
    from cli import exits, place
    from cli.ask import has_person
    from cli.case import freeze
    from cli.choosing import Wanted
    from cli.ending import settle
    from cli.exec import open_session
    from cli.ports import wanted_ports
    from cli.rules import policy_of
    from cli.settled import Settled, Terms, pending
    from cli.signals import run_async
    from cli.truth import sentence

    if not has_person():
        raise exits.Misuse("`paddock shell` needs a terminal: `paddock exec -- CMD` runs a command without one")
    wanted_ports(publish or ())
    here = place.place()
    out = place.stdout()
    wanted = Wanted(profile, runtime, base, settings, tuple(allow or ()))
    engine, session = open_session("shell", "shell", here, directory, image, out, wanted)
    out.line(out.style("nothing reaches the checkout before you say so", "dim"))
    policy_of(session, settings)
    terms = Terms(apply or "ask", is_explicit=apply is not None, can_ask=True, settings=settings)
    try:
        run_async(functools.partial(_drive, session, engine, publish or ()))
        settled = settle(session, terms, out)
        code = exits.DONE
    except exits.LookInterrupted:
        raise  # a second look would take as long
    except (KeyboardInterrupt, exits.Terminated) as ending:
        code = exits.INTERRUPTED if isinstance(ending, KeyboardInterrupt) else exits.TERMINATED
        settled = Settled(pending(freeze(session, settings)))
    out.line(out.style(sentence(settled.truth), "bold"))
    return code or settled.code


async def _drive(session: "Session", engine: "Engine", publish: Sequence[str], interrupts: "Interrupts") -> int:
    from cli import place
    from cli.exec import open_sandbox
    from sandbox.base import Call
    from sandbox.opening import noted
    from sandbox.terminal import attach

    del interrupts  # keys go to the shell, Ctrl-C too
    async with open_sandbox(session, engine, publish, place.stdout()) as sandbox:
        async with noted(sandbox, Call("shell", "shell", "", agent="you")):
            code = await attach(sandbox, [await sandbox.shell(), "-l"])
        if news := sandbox.take_news():
            place.stderr().line(news)
        return code
