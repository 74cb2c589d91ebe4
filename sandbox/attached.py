"""The engine's end of a container's stdin and stdout as a stream, over a plain socket or one under TLS.

The library's own streams lose a race when one is closed in the moment something arrives, and say so on stderr. Nor do
they take a TLS socket that somebody else has connected and checked.
"""

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator

import anyio
import anyio.abc
import anyio.lowlevel

PAUSE = 0.01


class Attached(anyio.abc.ByteReceiveStream, anyio.abc.ByteSendStream):
    """Owns the socket. One task may receive while one sends."""

    def __init__(self, attached: socket.socket) -> None:
        attached.setblocking(False)
        self._socket = attached

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next bytes. Raises what every stream does."""
        await anyio.lowlevel.checkpoint()  # a flood is no reason for others to wait
        while True:
            with _broken():
                try:
                    data = self._socket.recv(max_bytes)
                except (BlockingIOError, ssl.SSLWantReadError):
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
                except (BlockingIOError, ssl.SSLWantWriteError):
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
