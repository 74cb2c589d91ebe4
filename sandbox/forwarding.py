"""Ports inside, reached from this machine: for each a listener on its loopback address, and on no other."""

import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import anyio
import anyio.abc

from sandbox.base import Connection
from sandbox.errors import PortTaken, SandboxError
from sandbox.tasks import beside

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 128  # of one forwarded port at a time; further ones are closed at once


class HasPorts(Protocol):
    """A sandbox, or what stands for one of another process."""

    def connected(self, port: int, /) -> AbstractAsyncContextManager[Connection]:
        """A connection to a port inside."""
        ...


@dataclass(frozen=True)
class Forward:
    """A port inside and the one of this machine by which it is reached. `host` 0: any free one; None: any, the same one
    if that is free.
    """

    inside: int
    host: int | None = None

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{LOOPBACK}:{self.host}"


def parsed(text: str) -> Forward:
    """What `8000`, `9000:8000` or `0:8000` asks for. Raises ValueError that says what is wrong."""
    host, _, inside = text.rpartition(":")
    numbers = [
        int(part) if part.isascii() and part.isdecimal() and len(part) < 6 else -1 for part in (host or "0", inside)
    ]
    if not (0 <= numbers[0] <= 65535 and 1 <= numbers[1] <= 65535) or text.startswith(":"):
        raise ValueError(f"{text!r} is no PORT or HOSTPORT:PORT: it is always {LOOPBACK} that is listened on")
    return Forward(numbers[1], numbers[0] if host else None)


@asynccontextmanager
async def forwarded(sandbox: HasPorts, wanted: Sequence[Forward]) -> AsyncIterator[Sequence[Forward]]:
    """While the block runs, these ports are reached from this machine; gives them as they came to be.

    Raises: PortTaken if one that was named is in use.
    """
    async with AsyncExitStack() as stack, beside() as tasks:
        made = []
        for one in wanted:
            listener = await stack.enter_async_context(await _listener(one))
            port = int(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610 - not Django's
            made.append(Forward(one.inside, port))
            tasks.start_soon(_serve, sandbox, one.inside, listener)
        try:
            yield tuple(made)
        finally:
            tasks.cancel_scope.cancel()


async def _listener(wanted: Forward) -> anyio.abc.Listener[anyio.abc.SocketStream]:
    choices = [wanted.inside, 0] if wanted.host is None else [wanted.host]
    for port in choices:
        try:
            return await anyio.create_tcp_listener(local_host=LOOPBACK, local_port=port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES) or port == choices[-1]:
                why = f"port {port} of this machine cannot be used ({error.strerror})"
                raise PortTaken(f"{why}: name another, such as 0:{wanted.inside} for a free one") from error
    raise AssertionError("the last choice returned or raised")


async def _serve(sandbox: HasPorts, port: int, listener: anyio.abc.Listener[anyio.abc.SocketStream]) -> None:
    free = anyio.Semaphore(MOST_CONNECTIONS)

    async def handle(client: anyio.abc.SocketStream) -> None:
        async with client:
            try:
                free.acquire_nowait()
            except anyio.WouldBlock:
                return
            try:
                async with sandbox.connected(port) as inside:
                    await join(client, inside)
            except SandboxError:
                return  # whoever connected sees its connection end: nothing listens inside, or the sandbox has ended
            finally:
                free.release()

    await listener.serve(handle)


async def join(client: anyio.abc.SocketStream, inside: Connection) -> None:
    """Pass bytes both ways until both sides have said all, or one is gone."""
    async with anyio.create_task_group() as tasks:

        async def inwards() -> None:
            try:
                async for data in client:
                    await inside.send(data)
                await inside.send_end()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, SandboxError):
                tasks.cancel_scope.cancel()

        tasks.start_soon(inwards)
        try:
            while data := await inside.receive():
                await client.send(data)
            await client.send_eof()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError, SandboxError):
            tasks.cancel_scope.cancel()
