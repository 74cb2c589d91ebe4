"""A connection from inside as the libraries know one: a byte stream, under TLS or not."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anyio
import anyio.abc

from sandbox.base import Connection
from sandbox.errors import SandboxError


class Pipe(anyio.abc.ByteStream):
    """Bytes over one stream of the channel. A sandbox that ends is a connection that broke."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def receive(self, max_bytes: int = 65536) -> bytes:  # noqa: ARG002 - a frame is never larger
        """What came next."""
        with _broken():
            data = await self._connection.receive()
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        """Say something."""
        with _broken():
            await self._connection.send(item)

    async def send_eof(self) -> None:
        """Say no more."""
        with _broken():
            await self._connection.send_end()

    async def aclose(self) -> None:
        """Whoever gave the connection ends it."""

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """None."""
        return {}


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except SandboxError as error:
        raise anyio.BrokenResourceError from error
