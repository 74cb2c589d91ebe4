"""Who may pause a session's container: one process at a time, the one that runs it or one that looks from outside.

A lock in the session's folder decides. The file says whether the container is paused: if whoever paused it was killed,
the process that runs the session finds that out and lets the container go on.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator

import anyio
import anyio.to_thread

from sandbox.container import Container
from sandbox.engine import Engine
from sandbox.errors import SandboxError, SessionBusy
from sandbox.sessions import Session

PATIENCE = 120.0  # seconds to wait for another look: it may be copying gigabytes
POLL = 0.02
WATCH = 0.5


class Turn:
    """The right to pause, held. `was_abandoned`: whoever had it last left the container paused."""

    def __init__(self, session: Session) -> None:
        self._path = session.path / "pause"
        self._descriptor: int | None = None

    def try_take(self) -> bool:
        """Take it if nobody has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def is_marked(self) -> bool:
        """Whether the container is said to be paused; anybody may ask."""
        try:
            return self._path.stat().st_size > 0
        except FileNotFoundError:
            return False

    def mark(self, paused: bool) -> None:
        """Say that the container is about to be paused, or that it runs again."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, int(paused))

    def give_back(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextlib.asynccontextmanager
async def taken(session: Session) -> AsyncIterator[Turn]:
    """While the block runs, nobody else pauses the session's container, or begins to look where there is none.

    Raises: SessionBusy.
    """
    turn = Turn(session)
    with anyio.move_on_after(PATIENCE) as patience:
        while not turn.try_take():  # noqa: ASYNC110 - a lock of another process
            await anyio.sleep(POLL)
    if patience.cancelled_caught:
        raise SessionBusy(_busy(session))
    try:
        yield turn
    finally:
        turn.give_back()


@contextlib.asynccontextmanager
async def alone(session: Session, container: Container) -> AsyncIterator[Turn]:
    """The same, and at its start the container is not paused. Raises SessionBusy."""
    async with taken(session) as turn:
        await _resume(turn, container)
        yield turn


@contextlib.asynccontextmanager
async def paused(session: Session, container: Container) -> AsyncIterator[None]:
    """While the block runs, nothing inside does. Raises SessionBusy, SandboxError."""
    async with alone(session, container) as turn:
        turn.mark(True)
        try:
            await container.pause()
            yield
        finally:
            with anyio.CancelScope(shield=True), contextlib.suppress(SandboxError):  # if it was never paused
                await container.unpause()
                turn.mark(False)


async def free_abandoned(session: Session, container: Container) -> None:
    """Let the container go on whenever another process paused it and died. Never returns."""
    turn = Turn(session)
    while True:
        await anyio.sleep(WATCH)
        if turn.is_marked() and turn.try_take():
            try:
                await _resume(turn, container)
            finally:
                turn.give_back()


async def _resume(turn: Turn, container: Container) -> None:
    if turn.is_marked():
        with contextlib.suppress(SandboxError):  # it was killed between the mark and the pause
            await container.unpause()
        turn.mark(False)


@contextlib.contextmanager
def paused_from_outside(session: Session, engine: Engine) -> Iterator[None]:
    """The same for a session that another process runs; its container is found by its label.

    Where it has none, because it is idle, none is started meanwhile. Raises SessionBusy, SandboxError,
    EngineUnavailable.
    """
    turn = Turn(session)
    deadline = time.monotonic() + PATIENCE
    while not turn.try_take():
        if time.monotonic() > deadline:
            raise SessionBusy(_busy(session))
        time.sleep(POLL)
    try:
        with contextlib.ExitStack() as stack:
            for one in engine.containers():
                if one.owner.session == session.id and one.owner.is_alive():
                    stack.enter_context(_paused(one.id, engine, turn))
            yield
    finally:
        turn.give_back()


@contextlib.contextmanager
def _paused(id_: str, engine: Engine, turn: Turn) -> Iterator[None]:
    turn.mark(True)
    try:
        engine.pause(id_)
        yield
    finally:
        with contextlib.suppress(SandboxError):  # the session ended meanwhile
            engine.unpause(id_)
            turn.mark(False)


def _busy(session: Session) -> str:
    return f"another process has been looking at session {session.id[:8]} for minutes: end it"
