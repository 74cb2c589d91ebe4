"""One container: made, checked against what was asked, started, spoken to, removed."""

import contextlib
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import anyio.to_thread
import pydantic

from images.image import Wishes
from sandbox import accounts, toolbox
from sandbox.channel import Channel
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable, SandboxError, SandboxLost, Unmountable
from sandbox.frames import VERSION
from sandbox.given import Given, excess
from sandbox.identity import Author, author
from sandbox.labels import Owner, labels
from sandbox.profile import User, owner_of, profile_of, request, user_of
from sandbox.scratch import give_back
from sandbox.sessions import Session
from sandbox.tasks import Asked, beside
from sandbox.workspace import tree
from sandbox.workspace.placement import placement_of

START_SECONDS = 30


@dataclass(frozen=True)
class Container:
    """A container that exists, the socket to its stdin and stdout, what its image asks for, whom tools run as.

    `asked` is what the engine was asked for: the request's `HostConfig`.
    """

    id: str
    engine: Engine
    channel: Channel
    wishes: Wishes
    user: User
    asked: Mapping[str, Any]

    async def pause(self) -> None:
        """Stop every process of it where it is."""
        await anyio.to_thread.run_sync(self.engine.pause, self.id)

    async def unpause(self) -> None:
        """Let them go on."""
        await anyio.to_thread.run_sync(self.engine.unpause, self.id)

    async def ran_out_of_memory(self) -> bool:
        """Whether it ended for want of memory, as far as the engine knows."""
        with contextlib.suppress(SandboxError):
            return await anyio.to_thread.run_sync(self.engine.ran_out_of_memory, self.id)
        return False

    async def remove(self) -> bool:
        """End it and wait until it is gone, and whether it surely is: a dead engine is no reason to fail."""
        is_gone = False
        with anyio.CancelScope(shield=True), contextlib.suppress(EngineUnavailable):
            await self.channel.close()
            await anyio.to_thread.run_sync(self.engine.remove, self.id)
            is_gone = True
        return is_gone


def remove_earlier(session: Session, engine: Engine) -> None:
    """Remove a session's containers, and what they leave, that an engine kept through a death of its own or ours.

    The caller holds the session and has none: two may not write to one workspace. Raises EngineUnavailable.
    """
    for one in engine.containers():
        if one.owner.session == session.id:
            engine.remove(one.id)
    for volume in engine.volumes():
        if volume.owner.session == session.id and volume.is_anonymous:
            engine.remove_volume(volume.id)
    give_back(session, engine)


async def create(
    session: Session, engine: Engine, ready: Callable[[], Awaitable[None]], files: Mapping[str, str]
) -> Container:
    """Make, check and start a session's container. Nothing is left of it if any step fails.

    The caller holds the session, and no other container of it is there (`remove_earlier`). `ready` is awaited before
    the start. `files` are written by the guest, by path.
    Raises: SandboxError (the engine's reason), ImageError, CheckoutRefused, EngineUnavailable.
    """
    known = await _ask(session, engine)
    config, wishes, user = await anyio.to_thread.run_sync(_config, session, engine, known, files)
    name = f"paddock-{session.id[:8]}-{os.urandom(3).hex()}"
    id_ = await anyio.to_thread.run_sync(engine.create, name, config)
    try:
        await anyio.to_thread.run_sync(_check, engine, id_, config)
        await ready()  # before the attaching, for which Podman mounts the workspace already
        with anyio.CancelScope(shield=True):  # what a thread has opened must come back to be closed
            channel = Channel(await anyio.to_thread.run_sync(engine.attach, id_))
    except BaseException:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(engine.remove, id_)
        raise
    container = Container(id_, engine, channel, wishes, user, config["HostConfig"])
    try:
        await anyio.to_thread.run_sync(engine.start, id_)
    except BaseException:
        await container.remove()
        raise
    return container


class Hello(pydantic.BaseModel):
    """The guest's first words."""

    version: int
    python: tuple[int, int, int]
    shell: Literal["/bin/bash", "/usr/bin/bash", "/bin/sh", "/opt/paddock/box/tools/sh"]
    given: Given


async def greeted(container: Container) -> str:
    """Wait for the guest's first words; the shell there is inside. Raises SandboxLost, SandboxError."""
    with anyio.move_on_after(START_SECONDS):
        await container.channel.ready.wait()
    if container.channel.hello is None:
        raise container.channel.lost()
    try:
        hello = Hello.model_validate_json(container.channel.hello.payload)
    except pydantic.ValidationError as error:
        raise SandboxLost("the sandbox did not introduce itself") from error
    if hello.version != VERSION:
        raise SandboxLost(f"the sandbox speaks version {hello.version}, not {VERSION}")
    if more := excess(hello.given, container.asked):
        raise SandboxError(f"the engine gave the container {more}: refusing to run in that")
    return hello.shell


@dataclass(frozen=True)
class _Known:
    """What a request stands on: what the image asks for, the shared volumes that are there, whose commits are made."""

    wishes: Wishes
    volumes: Collection[str]
    author: Author


async def _ask(session: Session, engine: Engine) -> _Known:
    """None of these questions waits for another: each takes milliseconds, and every start waits for all."""
    image = session.meta().image
    async with beside() as tasks:
        wishes = Asked(tasks, lambda: engine.images.wishes(image))
        volumes = Asked(tasks, engine.shared_volumes)
        who = Asked(tasks, author)
        return _Known(await wishes.answer(), await volumes.answer(), await who.answer())


def _config(
    session: Session, engine: Engine, known: _Known, files: Mapping[str, str]
) -> tuple[Mapping[str, Any], Wishes, User]:
    """The engine's request, what the image asks for, and whom tools run as."""
    meta, wishes = session.meta(), known.wishes
    if (why := engine.kind.stranger(meta.uid)) and placement_of(session).kind == "mounted":
        raise Unmountable(f"the workspace cannot be mounted: {why}", why)
    profile, user, owner = profile_of(meta.choice), user_of(meta, engine.kind.inside), Owner.of(session.id)
    if not toolbox.is_among(known.volumes):
        toolbox.ensure(engine, lambda _: None)
    who = accounts.accounts(meta.image, user, known.author)
    mounts = [*tree.mounts(session, labels(owner)), toolbox.mount()]
    last = toolbox.beyond(mounts)
    mounts.append(toolbox.mount(last))
    own = tree.carried(session)
    if profile.changes_image:
        files = {**files, "/etc/gitconfig": who.gitconfig}
    else:
        accounts.ensure(engine, who, known.volumes)
        mounts.append(who.mount())
    config = request(
        profile,
        image=meta.image,
        volumes=wishes.volumes,
        entrypoint=toolbox.entrypoint(user, profile, files, owner_of(meta, engine.kind.inside), last, own),
        gives=bool(own),
        mounts=mounts,
        user=user,
        owner=owner,
        runtime=meta.choice.runtime,
    )
    return config, wishes, user


def _check(engine: Engine, id_: str, config: Mapping[str, Any]) -> None:
    """Believe the engine's record, not our request: what it will run must be as tight as what was asked."""
    facts = engine.inspect(id_)
    if facts is None:
        raise SandboxError("the engine lost the container it had just made")
    got = facts["HostConfig"]
    if field := engine.kind.difference(config["HostConfig"], got):
        raise SandboxError(f"the engine changed {field} to {got.get(field)!r}: refusing to run in that")
