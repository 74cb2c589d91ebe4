"""Make what a workspace lies on, or bring it up to date, beside the engine's work on a container that waits for it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread

from sandbox.errors import StateError
from sandbox.gate.freeze import note_checkout
from sandbox.gate.manifest import Manifest
from sandbox.hiding.hidden import Hidden
from sandbox.sessions import Session
from sandbox.workspace.frozen import copy_checkout, flush
from sandbox.workspace.refreshing import refresh

Result = TypeVar("Result")


@dataclass(eq=False)
class _Step:
    done: anyio.Event = field(default_factory=anyio.Event)
    error: Exception | None = None


class Laying:
    """Made by the process that holds the session. `refuse` is told why a new session cannot be worked in at all."""

    def __init__(self, session: Session, tasks: anyio.abc.TaskGroup, refuse: Callable[[Exception], None]) -> None:
        self._session = session
        self._refuse = refuse
        self._tasks = tasks
        self._step = _Step()
        self._looked = anyio.Event()
        self._looked.set()
        self._started = anyio.Event()

    def begin(self, before: int | None, hidden: Callable[[], Awaitable[Hidden]]) -> None:
        """Begin, for a container that is about to be made. `before`: the moment a new session begins at, else None.

        `hidden` is waited for: what is not to be seen is not copied, and two walks at a time are as slow as both.
        """
        self.go_on()  # a start that failed may have left one waiting
        self._step, self._started = _Step(), anyio.Event()
        if before is not None:
            self._looked = anyio.Event()
        self._tasks.start_soon(self._lay, self._step, before, hidden)

    async def laid(self) -> None:
        """Wait until the container can be started. Raises why it cannot."""
        await self._step.done.wait()
        if self._step.error is not None:
            raise self._step.error

    def go_on(self) -> None:
        """The container has started: what can be done beside it may be done now."""
        self._started.set()

    async def looked(self) -> None:
        """Wait until it is noted what a new session began with."""
        self.go_on()
        await self._looked.wait()

    async def settled(self) -> None:
        """The same, if a container has started; else nothing has run, and the next to open the session looks anew."""
        if self._started.is_set():
            await self._looked.wait()

    async def _lay(self, step: _Step, before: int | None, hidden: Callable[[], Awaitable[Hidden]]) -> None:
        looked, started = self._looked, self._started
        try:
            unseen = await hidden()
            if before is None:
                await looked.wait()  # a start that failed can have left one under way
                await _in_thread(refresh, self._session, unseen)
            else:
                copied = await _in_thread(copy_checkout, self._session, unseen, before)
                step.done.set()
                await started.wait()  # a look at a large tree, or a flushed disk, would make the start itself longer
                await anyio.to_thread.run_sync(_note, self._session, copied, before)
        except Exception as problem:  # noqa: BLE001 - whatever it is belongs to those who wait for the sandbox
            step.error = problem
            if isinstance(problem, OSError):
                step.error = StateError(f"the checkout could not be looked at: {problem}")
            if before is not None:  # nothing can be compared with what nobody looked at
                self._refuse(step.error)
        finally:
            step.done.set()
            if before is not None:
                looked.set()


async def _in_thread(work: Callable[..., Result], *arguments: object) -> Result:
    """Do it in a thread, which is told when nobody waits for it any more."""
    return await anyio.to_thread.run_sync(lambda: work(*arguments, beat=anyio.from_thread.check_cancelled))


def _note(session: Session, copied: Manifest | None, before: int) -> None:
    if copied is None:
        note_checkout(session, before)
    else:
        flush(session)
        copied.save(session.manifest)
