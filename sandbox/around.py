"""What is done around a container: the hooks of a sandbox's life, as one value."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sandbox.container import Container


@dataclass(frozen=True)
class Around:
    """What is done with every container.

    `before` is awaited when surely no earlier one runs any more; `ready` when it is made, and not started yet;
    `started` is called when the engine has started it; `filled` is awaited when its guest answers, before any call.
    `files` are what the guest writes at its start, by path. `still` keeps what is inside from running for a block.
    `beside` runs beside it and ends with it; `leave` is awaited before it is ended, unless it has died.
    """

    files: Mapping[str, str]
    before: Callable[[], Awaitable[None]]
    ready: Callable[[], Awaitable[None]]
    started: Callable[[], None]
    filled: Callable[[Container], Awaitable[None]]
    still: Callable[[Container], AbstractAsyncContextManager[None]]
    leave: Callable[[Container], Awaitable[None]]
    beside: Callable[[Any, Container], Coroutine[Any, Any, None]]
