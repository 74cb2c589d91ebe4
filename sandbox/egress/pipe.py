"""A connection from inside as the libraries know one: a byte stream, under TLS or not."""

from collections.abc import Callable, Mapping
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
        try:
            data = await self._connection.receive()
        except SandboxError as error:
            raise anyio.BrokenResourceError from error
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        """Say something."""
        try:
            await self._connection.send(item)
        except SandboxError as error:
            raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Say no more."""
        try:
            await self._connection.send_end()
        except SandboxError as error:
            raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        """Whoever gave the connection ends it."""

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """None."""
        return {}
