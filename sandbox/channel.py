"""The channel to the guest: many calls at once over one attached stream, each with its own credit."""

import json
import math
import socket
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import anyio

from sandbox.attached import Attached
from sandbox.errors import SandboxLost
from sandbox.frames import CHUNK, FRAME, WINDOW, Frame, Kind, Parser, Unwrapper


class Stream:
    """One call on the channel: frames in, frames out. A context manager, so that no stream outlives its call."""

    def __init__(self, channel: "Channel", number: int) -> None:
        self._channel = channel
        self._number = number
        self._send, self._receive = anyio.create_memory_object_stream[Frame | None](math.inf)
        self._may_send = WINDOW
        self._more_credit = anyio.Event()
        self.is_over = False
        self.most = math.inf
        self._waiting = 0

    async def __aenter__(self) -> Self:
        self._channel.streams[self._number] = self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.streams.pop(self._number, None)
        self._send.close()
        self._receive.close()

    @property
    def number(self) -> int:
        """By which the guest knows it."""
        return self._number

    def another(self) -> "Stream":
        """A new call on the same channel."""
        return self._channel.stream()

    async def open(self, request: Mapping[str, Any], data: bytes | None = None) -> bytes | None:
        """Say what this call is. Small `data` goes along; what is returned is left to `send_data`."""
        frames = [Frame(self._number, Kind.OPEN, json.dumps(request, separators=(",", ":")).encode())]
        if data is not None and len(data) <= CHUNK // 2:
            frames += [Frame(self._number, Kind.DATA, b"\x00" + data), Frame(self._number, Kind.END)]
            data = None
        await self._channel.send(*frames)
        return data

    async def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send one frame. Raises SandboxLost."""
        await self._channel.send(Frame(self._number, kind, payload))

    async def send_data(self, data: bytes) -> None:
        """Send bytes to the process's stdin, as fast as it takes them, then their end."""
        await self.send_some(data)
        await self.send(Kind.END)

    async def send_some(self, data: bytes) -> None:
        """Send bytes, as fast as they are taken. A call that is over takes no more. Raises SandboxLost."""
        for start in range(0, len(data), CHUNK):
            piece = data[start : start + CHUNK]
            while self._may_send < len(piece):
                if self.is_over:
                    return
                self._more_credit = anyio.Event()
                await self._more_credit.wait()
            self._may_send -= len(piece)
            await self.send(Kind.DATA, b"\x00" + piece)

    async def receive(self) -> Frame:
        """The next DATA, END or DONE frame. Raises SandboxLost when there will be none."""
        frame = await self._receive.receive()
        if frame is None:
            raise self._channel.lost()
        self._waiting -= len(frame.payload) + FRAME
        return frame

    async def grant(self, amount: int) -> None:
        """Let the process send that much more output."""
        await self.send(Kind.CREDIT, struct.pack(">I", amount))

    def take(self, frame: Frame | None) -> None:
        """The channel's reader brings a frame, or None for the end of everything.

        Raises SandboxLost if more than `most` bytes wait here, which no credit allowed.
        """
        if frame is not None and frame.kind is Kind.CREDIT:
            if len(frame.payload) == 4:
                self._may_send = min(WINDOW, self._may_send + int(struct.unpack(">I", frame.payload)[0]))
            self._more_credit.set()
            return
        self.is_over = self.is_over or frame is None or frame.kind is Kind.DONE
        self._more_credit.set()
        if frame is not None:
            self._waiting += len(frame.payload) + FRAME
            if self._waiting > self.most:
                raise SandboxLost("the sandbox broke the protocol")
        self._send.send_nowait(frame)


class Channel:
    """Over the engine's attached socket of one container, and its owner.

    `serve` reads it to its end; `close` ends the guest's stdin, and so the guest.
    """

    def __init__(self, attached: socket.socket) -> None:
        self._attached = Attached(attached)
        self._sending = anyio.Lock()
        self._unwrapper = Unwrapper()
        self._next = 0
        self._why: str | None = None
        self.streams: dict[int, Stream] = {}
        self.hello: Frame | None = None
        self.ready = anyio.Event()

    def stream(self) -> Stream:
        """A new call."""
        self._next += 1
        return Stream(self, self._next)

    async def serve(self) -> None:
        """Hand every frame to its stream, until the stream ends or breaks; then every stream learns of it.

        Cancelling does not end it, only `close` does: a call that is being cancelled still needs its last answer.
        """
        parser = Parser()
        try:
            with anyio.CancelScope(shield=True):
                while True:
                    for frame in parser.feed(self._unwrapper.feed(await self._attached.receive(4 * CHUNK))):
                        self._deliver(frame)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._end("the sandbox ended")
        except SandboxLost as error:
            self._end(str(error))

    def _deliver(self, frame: Frame) -> None:
        if frame.stream == 0 and frame.kind is Kind.HELLO:
            self.hello = frame
            self.ready.set()
        elif frame.stream in self.streams:
            self.streams[frame.stream].take(frame)  # anything else is a late word of a call that is over

    def _end(self, why: str) -> None:
        self._why = why
        self.ready.set()
        for stream in list(self.streams.values()):
            stream.take(None)

    @property
    def last_words(self) -> str:
        """The last line of what the guest complained of, hostile; empty if all is well."""
        said = self._unwrapper.stderr.decode("utf-8", "backslashreplace").strip()
        return said.rpartition("\n")[2]

    def lost(self) -> SandboxLost:
        """What to raise now that the guest is gone, with the last it said."""
        why = f"{self._why or 'the sandbox ended'}{f' ({self.last_words})' if self.last_words else ''}"
        return SandboxLost(f"{why}: the outcome of what was running is unknown; the workspace is kept")

    async def send(self, *frames: Frame) -> None:
        """Send frames, whole and in a row. Raises SandboxLost."""
        if self._why is not None:
            raise self.lost()
        try:
            with anyio.CancelScope(shield=True):  # half a frame would be the end of the channel
                async with self._sending:
                    await self._attached.send(b"".join(frame.encode() for frame in frames))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise self.lost() from error

    async def close(self) -> None:
        """Let go of the guest's stdin: it exits, and the engine removes the container."""
        self._why = self._why or "the sandbox was closed"
        await self._attached.aclose()
