"""The way in for the user's other commands: which ports a running session has, and connections to them.

The channel belongs to the process that runs the session. It listens on a socket in the session's private folder, and
talks to processes of the same user only. One line of JSON asks, one answers; a connection's bytes follow.
"""

import contextlib
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

import anyio
import anyio.abc
import pydantic
from anyio.streams.buffered import BufferedByteReceiveStream

from sandbox.base import Sandbox
from sandbox.errors import PortClosed, SandboxError, SandboxLost
from sandbox.forwarding import Forward, join
from sandbox.sessions import Session

NAME = "ports"
LONGEST = 64 * 1024  # bytes of a line
PATIENCE = 30.0
MOST_GUESTS = 256


class Ask(pydantic.BaseModel):
    """What another process may ask for. "hold": that it forwards a port, as long as it stays."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    ask: Literal["list", "connect", "hold"]
    port: int = pydantic.Field(0, ge=0, le=65535)
    host: int = pydantic.Field(0, ge=0, le=65535)


class Answer(pydantic.BaseModel):
    """What it is told."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    error: str = ""
    listening: tuple[int, ...] = ()
    forwards: tuple[tuple[int, int], ...] = ()


class House(Sandbox, Protocol):
    """A sandbox, and which of its ports are forwarded now."""

    forwards: list[Forward]


@contextlib.contextmanager
def door(session: Session) -> Iterator[str]:
    """The socket's path: through the folder's descriptor, because a socket's name has at most 108 bytes."""
    descriptor = os.open(session.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


async def serve(house: House, session: Session) -> None:
    """Answer other processes until cancelled. Where no socket can be, there is none, and the session works without."""
    try:
        with door(session) as path:
            listener = await anyio.create_unix_listener(path, mode=0o600)
    except OSError:
        return
    free = anyio.CapacityLimiter(MOST_GUESTS)

    async def handle(client: anyio.abc.SocketStream) -> None:
        async with client, free:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError, SandboxError):
                if _is_same_user(client):
                    await _answer(house, client)

    try:
        async with listener:
            await listener.serve(handle)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(session.path / NAME)


def _is_same_user(client: anyio.abc.SocketStream) -> bool:
    raw = client.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610 - not Django's
    _, uid, _ = struct.unpack("3i", raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(uid == os.geteuid())


async def _answer(house: House, client: anyio.abc.SocketStream) -> None:
    try:
        asked = Ask.model_validate_json(await _line(client))
    except ValueError:
        await _tell(client, Answer(error="that is no question"))
        return
    match asked.ask:
        case "list":
            pairs = tuple((one.inside, one.host or 0) for one in house.forwards)
            await _tell(client, Answer(listening=tuple(await house.listening()), forwards=pairs))
        case "hold":
            await _hold(house, client, Forward(asked.port, asked.host))
        case "connect":
            await _connect(house, client, asked.port)


async def _hold(house: House, client: anyio.abc.SocketStream, forward: Forward) -> None:
    house.forwards.append(forward)
    try:
        await _tell(client, Answer())
        async for _ in client:
            pass
    finally:
        house.forwards.remove(forward)


async def _connect(house: House, client: anyio.abc.SocketStream, port: int) -> None:
    try:
        async with house.connected(port) as inside:
            await _tell(client, Answer())
            await join(client, inside)
    except PortClosed as error:
        await _tell(client, Answer(error=str(error)))


async def _tell(client: anyio.abc.SocketStream, answer: Answer) -> None:
    await client.send(answer.model_dump_json().encode() + b"\n")


async def _line(stream: anyio.abc.SocketStream) -> bytes:
    """One line; who sends it waits for an answer before anything else. Raises SandboxLost."""
    try:
        with anyio.fail_after(PATIENCE):
            return await BufferedByteReceiveStream(_OneByOne(stream)).receive_until(b"\n", LONGEST)
    except (TimeoutError, anyio.IncompleteRead, anyio.DelimiterNotFound, anyio.BrokenResourceError) as error:
        raise SandboxLost("the session ended in the middle of an answer") from error


class _OneByOne(anyio.abc.ByteReceiveStream):
    """Reads no further than the line's end: what follows belongs to somebody else."""

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self._stream = stream

    async def receive(self, max_bytes: int = 1) -> bytes:
        return await self._stream.receive(min(1, max_bytes))

    async def aclose(self) -> None:
        await self._stream.aclose()


class Elsewhere:
    """The ports of a session that another process runs. Everything raises SandboxLost once that has ended."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def ports(self) -> tuple[Sequence[int], Sequence[Forward]]:
        """What listens inside, and what of it is forwarded."""
        async with self._asking({"ask": "list"}) as (_, answer):
            return answer.listening, [Forward(inside, host) for inside, host in answer.forwards]

    @asynccontextmanager
    async def holding(self, forward: Forward) -> AsyncIterator[anyio.abc.SocketStream]:
        """While the block runs, others are told of this forward; the stream ends with the session."""
        async with self._asking({"ask": "hold", "port": forward.inside, "host": forward.host}) as (stream, _):
            yield stream

    @asynccontextmanager
    async def connected(self, port: int, /) -> AsyncIterator["Passed"]:
        """A connection to a port inside. Raises PortClosed."""
        async with self._asking({"ask": "connect", "port": port}) as (stream, answer):
            if answer.error:
                raise PortClosed(f"nothing inside listens on port {port}")
            yield Passed(stream)

    @asynccontextmanager
    async def _asking(self, what: Mapping[str, Any]) -> AsyncIterator[tuple[anyio.abc.SocketStream, Answer]]:
        try:
            with door(self._session) as path:
                stream = await anyio.connect_unix(path)
        except OSError as error:
            name = self._session.id[:8]
            raise SandboxLost(f"session {name} does not run now: a port is reached while `paddock` runs it") from error
        async with stream:
            await stream.send(json.dumps(what).encode() + b"\n")
            try:
                answer = Answer.model_validate_json(await _line(stream))
            except ValueError as error:
                raise SandboxLost("the session gave no answer that makes sense: is it of this version?") from error
            yield stream, answer


class Passed:
    """A connection that another process passes on."""

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self._stream = stream

    async def send(self, data: bytes) -> None:
        """Say something to it."""
        with _broken():
            await self._stream.send(data)

    async def send_end(self) -> None:
        """Say no more."""
        with _broken():
            await self._stream.send_eof()

    async def receive(self) -> bytes:
        """What it says next, empty once it has said all."""
        with _broken():
            try:
                return await self._stream.receive()
            except anyio.EndOfStream:
                return b""


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    try:
        yield
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
        raise PortClosed("the connection broke off") from error
