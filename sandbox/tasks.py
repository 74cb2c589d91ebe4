"""Task groups that do not change what their body raises, and time that runs out for what they run."""

import contextlib
from collections.abc import AsyncIterator

import anyio
import anyio.abc

TICK = 0.5


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
