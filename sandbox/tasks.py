"""Task groups that do not change what their body raises, questions asked at once, and time that runs out."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

import anyio
import anyio.abc
import anyio.to_thread

Result = TypeVar("Result")
TICK = 0.5


class Asked(Generic[Result]):
    """A blocking question, asked in a worker thread from now on; the answer is waited for where it is needed."""

    def __init__(self, tasks: anyio.abc.TaskGroup, question: Callable[[], Result]) -> None:
        self._question = question
        self._answers: list[Result] = []
        self._error: Exception | None = None
        self._done = anyio.Event()
        tasks.start_soon(self._ask)

    async def _ask(self) -> None:
        try:
            self._answers.append(await anyio.to_thread.run_sync(self._question))
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait for the answer
            self._error = error
        finally:
            self._done.set()

    async def answer(self) -> Result:
        """The answer, or the error that the question raised."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._answers[0]


@contextlib.asynccontextmanager
async def beside() -> AsyncIterator[anyio.abc.TaskGroup]:
    """A task group for what runs beside the block; the block's own error comes out as itself, and not in a group."""
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except Exception as error:  # noqa: BLE001 - raised again below
            failure = error
    if failure is not None:
        raise failure


@contextlib.asynccontextmanager
async def expiring(scope: anyio.CancelScope, seconds: float | None) -> AsyncIterator[None]:
    """Cancel `scope`, which is in the block, after so many seconds by this machine's monotonic clock; None: never.

    Time in which this process was stopped (Ctrl-Z, a debugger) does not count: what it runs may have been done long
    ago, and nobody listened.
    """
    async with beside() as tasks:
        if seconds is not None:
            tasks.start_soon(_expire, scope, seconds)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def _expire(scope: anyio.CancelScope, seconds: float) -> None:
    left = seconds
    while left > 0:
        before = anyio.current_time()
        await anyio.sleep(min(left, TICK))
        left -= min(anyio.current_time() - before, 2 * TICK)
    scope.cancel()
