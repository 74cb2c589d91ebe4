"""Opening a sandbox for a session: it starts in the background and ends with the block; the workspace stays."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio

from images.image import Image
from sandbox.base import Call, Sandbox
from sandbox.checkout import identity
from sandbox.choice import Choice
from sandbox.closed import Closed
from sandbox.docker_sandbox import DockerSandbox
from sandbox.doorway import serve
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.identity import invoking_user
from sandbox.profile import profile_of
from sandbox.sessions import Meta, Session, Sessions, new_id, now
from sandbox.states import Patience
from sandbox.tasks import beside
from sandbox.workspace import tree

if TYPE_CHECKING:
    from sandbox.egress.judge import Ask


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


LOOKING_SECONDS = 10.0


@asynccontextmanager
async def opened(
    session: Session,
    engine: Engine,
    *,
    lazily: bool = False,
    patience: Patience | None = None,
    variables: Mapping[str, str] | None = None,
    ask: "Ask | None" = None,
) -> AsyncIterator[DockerSandbox]:
    """A sandbox for a session, held by this process alone while the block runs.

    Yields at once; the container starts in the background, or, `lazily`, with the first call that needs it; calls wait
    for it. A start that fails makes the call that needs it raise its reason, not the block. `patience` is what the
    session chose, if None. `variables` are set for every command; none of the host's is but these. `ask` is who decides
    about a host that no rule names, in a profile with a proxy; None refuses it.
    Raises: SessionBusy.
    """
    with session.hold():
        async with beside() as tasks:
            patience = patience or Patience(session.meta().choice.idle)
            sandbox = DockerSandbox(session, engine, tasks, patience, _outlet(session, ask))
            sandbox.variables = variables or {}
            tasks.start_soon(serve, sandbox, session)
            if not lazily:
                sandbox.begin()
            try:
                yield sandbox
            finally:
                with anyio.move_on_after(LOOKING_SECONDS, shield=True):  # or all that changed would be a conflict
                    await sandbox.laying.settled()
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await sandbox.close()


def _outlet(session: Session, ask: "Ask | None") -> Closed:
    """The way out that the session's profile has."""
    if not profile_of(session.meta().choice).has_proxy:
        return Closed()
    from sandbox.egress.outlet import Outlet  # noqa: PLC0415 - a start waits for it, and few go out

    return Outlet(session, ask)


@asynccontextmanager
async def noted(sandbox: Sandbox, call: Call) -> AsyncIterator[None]:
    """All that the body changes is this call's doing, however it ends; what cannot be noted is left unexplained."""
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True), contextlib.suppress(SandboxError):
            await sandbox.note(call)
