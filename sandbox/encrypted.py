"""A stream of bytes over a TLS socket that somebody else has connected and checked, for the loop we run on."""

import contextlib
import os
import ssl
from collections.abc import Iterator

import anyio
import anyio.abc

PAUSE = 0.01


class Encrypted(anyio.abc.ByteReceiveStream, anyio.abc.ByteSendStream):
    """Owns the socket. One task may receive while one sends."""

    def __init__(self, socket: ssl.SSLSocket) -> None:
        socket.setblocking(False)
        self._socket = socket

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next bytes. Raises what every stream does."""
        while True:
            with _broken():
                try:
                    data = self._socket.recv(max_bytes)
                except ssl.SSLWantReadError:
                    await anyio.wait_readable(self._socket)
                    continue
                except ssl.SSLWantWriteError:
                    await anyio.wait_writable(self._socket)
                    continue
            if not data:
                raise anyio.EndOfStream
            return data

    async def send(self, item: bytes) -> None:
        """Send all of it."""
        rest = memoryview(item)
        while rest:
            with _broken():
                try:
                    rest = rest[self._socket.send(rest) :]
                except ssl.SSLWantWriteError:
                    await anyio.wait_writable(self._socket)
                except ssl.SSLWantReadError:
                    await anyio.sleep(PAUSE)  # a word of the protocol's own is on its way: who receives takes it

    async def aclose(self) -> None:
        """Close it at once, which the other side takes for the end of all."""
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            os.close(self._socket.detach())  # whatever else still holds the object


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except OSError as error:  # that of TLS is one of them
        raise anyio.BrokenResourceError from error
