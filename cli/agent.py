"""Composition: from an order to a session, a sandbox and an agent in it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cli import environment, exits, place
from cli.choosing import Agreed, agree
from cli.options import Mode
from cli.order import DIALS, Order
from cli.place import Place
from cli.rules import policy_of
from cli.screen.terminal import Terminal

if TYPE_CHECKING:
    from cli.sync import Syncing
    from runtime.events import Event
    from runtime.loop import Agent
    from runtime.script import Script
    from runtime.settings import ModelChoice
    from sandbox.base import Sandbox
    from sandbox.docker_sandbox import DockerSandbox
    from sandbox.engine import Engine
    from sandbox.sessions import Session


@dataclass(frozen=True)
class Setup:
    """Everything a run needs, made and checked, with nothing started yet."""

    here: Place
    order: Order
    checkout: Path
    engine: "Engine"
    session: "Session"
    model: "ModelChoice"
    agreed: Agreed
    script: "Script | None" = None

    @property
    def variables(self) -> Mapping[str, str]:
        """What of the host's environment goes inside."""
        return environment.named(self.agreed.choice.environment)


def set_up(order: Order, kind: Literal["run", "chat"], title: str, terminal: Terminal) -> Setup:
    """Find the checkout, the engine, what is chosen, the image, the session, its rules. Raises the errors of each."""
    from images.image import Image
    from sandbox import opening

    here = place.place()
    script = read_script(order)
    old = earlier(order, here)
    folder = place.checkout(Path(old.meta().checkout) if old is not None else order.directory)
    place.say_neighbours(folder)
    place.say_git(folder)
    terminal.status("looking for the engine")
    try:
        engine = place.connect()
        place.say_engine(engine)
        agreed = agree(order.wanted, folder, engine, terminal, old)
        if old is not None:
            image = place.image_of(old, engine, here, terminal)
        else:
            image = place.image_for(order.image, engine, here, terminal)
    finally:
        terminal.status()
    model = choose_model(order, here, old)
    session = old or opening.prepare(
        sessions=here.sessions,
        checkout=folder,
        kind=kind,
        image=Image(image.name, image.id),
        model=model.full_name,
        title=title,
        choice=agreed.choice,
    )
    policy_of(session, order.settings)
    return Setup(here, order, folder, engine, session, model, agreed, script)


def earlier(order: Order, here: Place) -> "Session | None":
    """The session to go on with, or None for a new one. Raises Misuse, SessionNotFound."""
    if not order.resume and not order.newest:
        return None
    if order.newest:
        folder = place.checkout(order.directory)
        for session in here.sessions.all():
            if session.transcript.exists() and session.meta().checkout == str(folder):
                return session
        raise exits.Misuse(f"{folder} has no conversation to go on with: `paddock run` starts one")
    session = here.sessions.find(order.resume)
    if order.directory is not None and str(order.directory.resolve()) != session.meta().checkout:
        raise exits.Misuse(f"session {session.id[:8]} belongs to {session.meta().checkout}, not to {order.directory}")
    return session


def choose_model(order: Order, here: Place, old: "Session | None") -> "ModelChoice":
    """The model of the order, else of the environment, else of the session, else the default."""
    from runtime.settings import ModelChoice

    name = order.model or here.environment.model or (old.meta().model if old is not None else "")
    choice = ModelChoice(provider=here.environment.provider)
    return replace(choice, name=name) if name else choice


def read_script(order: Order) -> "Script | None":
    """The script that answers in the model's place, if one does. Raises ScriptError."""
    if order.script is None:
        return None
    from runtime.script import load_script

    return load_script(order.script)


@contextlib.contextmanager
def rehearsed(setup: Setup) -> Iterator[Setup]:
    """With a script, let it answer in the model's place; without one, change nothing."""
    if setup.script is None:
        yield setup
        return
    from runtime.script import ScriptServer

    with ScriptServer(setup.script, cwd=str(setup.checkout)) as server:
        yield replace(setup, model=replace(setup.model, provider="anthropic", base_url=server.url, api_key="scripted"))


def warming(emit: "Callable[[Event], None]", sandbox: "DockerSandbox") -> "Callable[[Event], None]":
    """The same `emit`; and as soon as the model begins to ask for a tool, the sandbox starts that will run it."""
    from runtime.events import Partial

    def also(event: "Event") -> None:
        if isinstance(event, Partial):
            block = event.event.get("content_block")
            if isinstance(block, Mapping) and block.get("type") == "tool_use":
                sandbox.begin()
        emit(event)

    return also


def watched(setup: Setup, sandbox: "DockerSandbox", agent: "Agent") -> "AbstractAsyncContextManager[None]":
    """While the block runs, the user and the agent hear of edits in the checkout."""
    from sandbox.watching import Listener, watching

    return watching(setup.session, sandbox.begun, Listener(agent.edits.tell, agent.edits.tell_blind))


def syncing(setup: Setup, sandbox: "Sandbox", mode: Mode) -> "Syncing":
    """What an agent calls after each answer to have applied what the rules allow, or all that nothing holds back."""
    from cli.sync import Syncing

    order = setup.order
    is_blanket = (order.apply or DIALS[mode]) == "auto"
    return Syncing(setup.session, setup.checkout, order.settings, sandbox, is_blanket)


def agent_in(setup: Setup, sandbox: "Sandbox", mode: Mode) -> "AbstractAsyncContextManager[Agent]":
    """The agent of a setup, in a sandbox, for the time of an `async with`."""
    from runtime.agent import agent_for
    from runtime.settings import Bounds, Places

    order = setup.order
    return agent_for(
        setup.session,
        sandbox,
        model=setup.model,
        bounds=Bounds(mode=mode, max_turns=order.max_turns, max_dollars=order.max_budget),
        places=Places(checkout=setup.checkout, user=setup.here.environment.home / ".claude"),
    )
