"""An agent in a fake sandbox, answered by a scripted model over the real SDK."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio

from runtime.agent import agent_for
from runtime.events import Event, Finished
from runtime.loop import Agent
from runtime.script import ScriptServer, parse_script
from runtime.settings import Bounds, ModelChoice, Places
from sandbox.sessions import Meta, Session, Sessions, new_id, now
from tests.fakes import FakeSandbox, fake_sandbox


@dataclass
class Stage:
    """Everything around an agent, so that a test can look at each part, and open the session again."""

    folder: Path
    sandbox: FakeSandbox
    session: Session
    server: ScriptServer
    choice: ModelChoice
    bounds: Bounds = field(default_factory=Bounds)
    events: list[Event] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The workspace's folder."""
        return Path(self.sandbox.root)

    @contextlib.asynccontextmanager
    async def agent(self, **bounds: Any) -> AsyncIterator[Agent]:
        """An agent on this session."""
        places = Places(checkout=self.root, user=self.folder / "user")
        async with agent_for(
            self.session, self.sandbox, model=self.choice, bounds=replace(self.bounds, **bounds), places=places
        ) as agent:
            yield agent

    async def run(self, prompt: str = "go", **bounds: Any) -> Finished:
        """One run of a new agent on this session."""
        async with self.agent(**bounds) as agent:
            return await agent.run(prompt, self.events.append)

    def seen(self, kind: type) -> list[Any]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def told(self) -> list[str]:
        """What the model was told by the tools, in the order of the last request that had any."""
        blocks = [block for message in self.server.requests[-1]["messages"] for block in message["content"]]
        return [block["content"] for block in blocks if block["type"] == "tool_result"]


@contextlib.asynccontextmanager
async def stage(folder: Path, script: str, files: dict[str, str] | None = None, **choice: Any) -> AsyncIterator[Stage]:
    """Set everything up. `choice` changes the model choice."""
    async with fake_sandbox(folder, files) as sandbox:
        session = Sessions(folder / "state").create(meta(str(sandbox.root)))
        with ScriptServer(parse_script(script), cwd=str(sandbox.root)) as server:
            model = ModelChoice(base_url=server.url, api_key="sk-test-key", stream_retries=2)
            yield Stage(folder, sandbox, session, server, replace(model, **choice))


def meta(checkout: str) -> Meta:
    """What a session needs to be one."""
    return Meta(
        id=new_id(),
        kind="run",
        checkout=checkout,
        created=now(),
        image="sha256:0",
        image_name="base",
        uid=0,
        gid=0,
    )


def play(folder: Path, script: str, *, files: dict[str, str] | None = None, **choice: Any) -> Stage:
    """Run one prompt through a script and return what is left."""
    return anyio.run(_play, folder, script, files, choice)


async def _play(folder: Path, script: str, files: dict[str, str] | None, choice: dict[str, Any]) -> Stage:
    bounds = {name: choice.pop(name) for name in ("mode", "max_turns", "max_dollars") if name in choice}
    async with stage(folder, script, files, **choice) as place:
        await place.run(**bounds)
    return place
