"""Noting what each tool call changed while the model thinks: no call waits for it but the next one that may write."""

import contextlib
from collections.abc import AsyncIterator, Callable

import anyio

from runtime.events import Event, Notice
from sandbox.base import Call, Sandbox
from sandbox.errors import SandboxError
from sandbox.tasks import beside


class Notes:
    """The notes of one run. A note that cannot be taken costs an explanation at the gate, and never the run."""

    def __init__(self, sandbox: Sandbox, tasks: anyio.abc.TaskGroup, emit: Callable[[Event], None]) -> None:
        self._sandbox = sandbox
        self._tasks = tasks
        self._emit = emit
        self._idle = anyio.Event()
        self._idle.set()
        self._has_failed = False
        self._has_news = False

    def begin(self, call: Call) -> None:
        """Note in the background what a call, now over, has changed."""
        self._idle = anyio.Event()
        self._tasks.start_soon(self._note_behind, call, self._idle)

    async def before_writing(self) -> None:
        """Wait for the last note, and put down what changed since to what calls left running."""
        await self._idle.wait()
        await self._note(None)

    async def has_news(self) -> bool:
        """Whether anything changed since this was last asked; unknown counts as yes."""
        await self._idle.wait()
        news, self._has_news = self._has_news or self._has_failed, False
        return news

    async def _note_behind(self, call: Call, done: anyio.Event) -> None:
        with anyio.CancelScope(shield=True):  # an interrupted call has changed things, too
            try:
                await self._note(call)
            finally:
                done.set()

    async def _note(self, call: Call | None) -> None:
        try:
            self._has_news |= bool(await self._sandbox.note(call))
        except SandboxError as error:
            if not self._has_failed:
                self._emit(Notice(f"what calls change cannot be noted: {error}", "warning"))
            self._has_failed = True


@contextlib.asynccontextmanager
async def noting(sandbox: Sandbox, emit: Callable[[Event], None]) -> AsyncIterator[Notes]:
    """Notes for the time of a run; every one of them is taken when the block is left."""
    async with beside() as tasks:
        yield Notes(sandbox, tasks, emit)
