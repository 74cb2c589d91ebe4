"""Task groups that do not change what their body raises."""

import contextlib
from collections.abc import AsyncIterator

import anyio
import anyio.abc


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
