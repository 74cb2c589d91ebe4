"""Opening a sandbox for a session: it starts in the background and ends with the block; the workspace stays."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Literal

import anyio
import anyio.to_thread

from images.image import Image
from sandbox.base import Call, Sandbox
from sandbox.checkout import identity
from sandbox.choice import Choice
from sandbox.container import Container, create
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import SandboxError, StateError
from sandbox.gate.freeze import is_new, mark_beginning, note_checkout
from sandbox.identity import invoking_user
from sandbox.pausing import free_abandoned
from sandbox.profile import User
from sandbox.sessions import Meta, Session, Sessions, new_id, now
from sandbox.tasks import beside
from sandbox.workspace import tree


def prepare(
    *,
    sessions: Sessions,
    checkout: Path,
    kind: Literal["run", "chat", "exec", "shell"],
    image: Image,
    model: str = "",
    title: str = "",
    choice: Choice | None = None,
) -> Session:
    """Make a new session's folder for a checked checkout (`sandbox.checkout`). Raises OutOfSpace, StateError."""
    user = invoking_user()
    meta = Meta(
        id=new_id(),
        kind=kind,
        title=title,
        choice=choice or Choice(),
        checkout=str(checkout),
        folder=identity(checkout),
        created=now(),
        image=image.id,
        image_name=image.name,
        uid=user.uid,
        gid=user.gid,
        model=model,
    )
    session = sessions.create(meta)
    tree.prepare(session)
    return session


@asynccontextmanager
async def opened(session: Session, engine: Engine) -> AsyncIterator[DockerSandbox]:
    """A sandbox for a session, held by this process alone while the block runs.

    Yields at once; the container starts in the background, and the first call waits for it. A start that fails makes
    every call raise its reason, not the block. Raises: SessionBusy.
    """
    with session.hold():
        meta = session.meta()
        sandbox = DockerSandbox(session, PurePosixPath(meta.checkout), User(meta.uid, meta.gid))
        async with beside() as tasks:
            if is_new(session):
                tasks.start_soon(_note, sandbox, session, mark_beginning(session))
            else:
                sandbox.noted.set()
            tasks.start_soon(_start, sandbox, session, engine, tasks)
            try:
                yield sandbox
            finally:
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await sandbox.close()


@asynccontextmanager
async def noted(sandbox: Sandbox, call: Call) -> AsyncIterator[None]:
    """All that the body changes is this call's doing, however it ends; what cannot be noted is left unexplained."""
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True), contextlib.suppress(SandboxError):
            await sandbox.note(call)


async def _note(sandbox: DockerSandbox, session: Session, before: int) -> None:
    """Note what the checkout is, while the sandbox starts: on a large tree this takes longer than that."""
    try:
        await anyio.to_thread.run_sync(note_checkout, session, before)
    except OSError as error:
        sandbox.fail(StateError(f"the checkout could not be looked at: {error}"))
    sandbox.noted.set()


async def _start(sandbox: DockerSandbox, session: Session, engine: Engine, tasks: anyio.abc.TaskGroup) -> None:
    container: Container | None = None
    try:
        if sandbox.noted.is_set():  # there was a sandbox before
            await sandbox.catch_up()
        container = await create(session, engine)
        tasks.start_soon(container.channel.serve)
        await sandbox.begin(container)
        tasks.start_soon(free_abandoned, session, container)
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait for the sandbox
        sandbox.fail(error)
    finally:
        if container is not None and not sandbox.is_running:
            await container.remove()
