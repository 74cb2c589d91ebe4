"""Making an agent: a session's transcript, a model and a sandbox put together."""

import contextlib
from collections.abc import AsyncIterator
from datetime import date
from pathlib import PurePosixPath

import pydantic

from runtime.context import gather
from runtime.conversation import Conversation
from runtime.history import history
from runtime.loop import Agent
from runtime.model import Model, warm
from runtime.prompt import system_prompt
from runtime.settings import Bounds, ModelChoice, Places
from runtime.tools.todo_write import TodoWriteInput
from runtime.tools.tool import Workbench
from runtime.transcript import Transcript, opened
from sandbox.base import Sandbox
from sandbox.sessions import Session, make_private


@contextlib.asynccontextmanager
async def agent_for(
    session: Session, sandbox: Sandbox, *, model: ModelChoice, bounds: Bounds, places: Places
) -> AsyncIterator[Agent]:
    """An agent that works in `sandbox` and goes on with the conversation of `session`, if it has one.

    Returns at once: the SDK is loaded in the background, and the sandbox may still be starting.
    Raises: SessionBusy if another agent writes this session's transcript.
    """
    warm()
    make_private(session.outputs)
    cwd = places.cwd or sandbox.root
    answering = Model(model)
    with opened(session.transcript, session_id=session.id, cwd=str(cwd)) as transcript:
        agent = Agent(
            Conversation(transcript, history(transcript.chain(), model=answering.name)),
            answering,
            Workbench(sandbox, cwd, session.outputs, todos=todos_of(transcript)),
            bounds=bounds,
            system=system_prompt(
                root=sandbox.root,
                cwd=cwd,
                mode=bounds.mode,
                today=date.today(),  # noqa: DTZ011
                choice=session.meta().choice,
            ),
        )
        agent.notices += transcript.notices
        instruct(agent, places, cwd)
        try:
            yield agent
        finally:
            await answering.close()


def todos_of(transcript: Transcript) -> list[dict[str, str]]:
    """The model's list as the conversation left it."""
    for entry in reversed(transcript.chain()):
        detail = entry.raw.get("toolUseResult")
        if isinstance(detail, dict) and "newTodos" in detail:
            try:
                return [todo.model_dump() for todo in TodoWriteInput(todos=detail["newTodos"]).todos]
            except pydantic.ValidationError:
                return []
    return []


def instruct(agent: Agent, places: Places, cwd: PurePosixPath) -> None:
    """Begin a new conversation with the project's instructions; one that goes on has them already."""
    if agent.conversation.messages:
        return
    gathered = gather(places.checkout, cwd, places.user)
    agent.notices += gathered.notices
    if block := gathered.block():
        content = [{"type": "text", "text": block}]
        agent.conversation.say("user", {"role": "user", "content": content}, {"isMeta": True})
