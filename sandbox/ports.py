"""A connection to a port inside, as the host has it: bytes over one stream of the channel, with credit both ways."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from sandbox.channel import Stream
from sandbox.errors import PortClosed, SandboxLost
from sandbox.frames import FRAME, WINDOW, Frame, Kind
from sandbox.running import done_of

ANSWER_SECONDS = 30.0


class PortStream:
    """A connection that was answered."""

    def __init__(self, stream: Stream, port: int) -> None:
        self._stream = stream
        stream.most = 2 * WINDOW
        self._port = port
        self._owed = 0
        self._has_said_all = False

    async def answered(self, seconds: float | None) -> None:
        """Wait until somebody is there. Raises PortClosed if nobody is, or not in so many seconds."""
        with anyio.move_on_after(seconds):
            frame = await self._next()
            if frame is not None and frame.payload == b"\0":
                return
        raise PortClosed(f"nothing inside answers on port {self._port}")

    async def send(self, data: bytes) -> None:
        """Say something to it. Raises PortClosed if it broke off, SandboxLost."""
        await self._stream.send_some(data)
        if self._stream.is_over:
            raise PortClosed(f"port {self._port} broke the connection off")

    async def send_end(self) -> None:
        """Say no more."""
        await self._stream.send(Kind.END)

    async def receive(self) -> bytes:
        """What it says next, empty once it has said all."""
        if self._has_said_all:
            return b""
        if self._owed >= WINDOW // 2:
            owed, self._owed = self._owed, 0
            await self._stream.grant(owed)
        frame = await self._next()
        if frame is None:
            return b""
        data = frame.payload[1:]
        if not data:
            raise SandboxLost("the sandbox broke the protocol")
        self._owed += len(data) + FRAME
        return data

    async def end(self) -> None:
        """Break it off, if it is not over."""
        if not self._stream.is_over:
            with anyio.CancelScope(shield=True), contextlib.suppress(SandboxLost):
                await self._stream.send(Kind.KILL)

    async def _next(self) -> Frame | None:
        """The next DATA frame, None at the end. Raises PortClosed if it broke off, SandboxLost."""
        frame = await self._stream.receive()
        match frame.kind:
            case Kind.DATA:
                return frame
            case Kind.END:
                self._has_said_all = True
                return None
            case _:
                self._has_said_all = True
                if done_of(frame).gone == "refused":
                    raise PortClosed(f"nothing inside listens on port {self._port}")
                if done_of(frame).gone is not None:
                    raise PortClosed(f"port {self._port} broke the connection off")
                return None


@asynccontextmanager
async def accepted(stream: Stream, port: int) -> AsyncIterator[PortStream]:
    """Wait for somebody inside to come to the port that leads out. Raises SandboxLost."""
    await stream.open({"op": "accept"})
    async with _ending(PortStream(stream, port)) as connection:
        await connection.answered(None)
        yield connection


@asynccontextmanager
async def port_stream(stream: Stream, port: int) -> AsyncIterator[PortStream]:
    """Connect to a port over a stream of the channel. Raises PortClosed, SandboxLost."""
    await stream.open({"op": "connect", "port": port})
    async with _ending(PortStream(stream, port)) as connection:
        await connection.answered(ANSWER_SECONDS)
        yield connection


@asynccontextmanager
async def _ending(connection: PortStream) -> AsyncIterator[PortStream]:
    """Break it off at the block's end, if it is not over."""
    try:
        yield connection
    finally:
        await connection.end()
