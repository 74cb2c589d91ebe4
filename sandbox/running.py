"""One call on the channel, from the host's side: what the guest says of it, checked, and how it ended."""

import errno
import json
import os
from collections.abc import Mapping
from typing import Annotated, Literal

import anyio
import pydantic

from sandbox.base import Command, ExecResult, OnOutput
from sandbox.channel import Stream
from sandbox.errors import FileError, FileErrorKind, SandboxLost
from sandbox.frames import WINDOW, Frame, Kind
from sandbox.limits import Folder, LimitName, LimitReached, told
from sandbox.output import Collector
from sandbox.tasks import beside

STREAMS: Mapping[int, Literal["stdout", "stderr"]] = {1: "stdout", 2: "stderr"}
Failure = FileErrorKind | Literal["interrupted", "no-process"]
WAITS_SECONDS = 5.0
NO_PROGRAM = {
    0: "not a valid argument",
    errno.ENOENT: "not found",
    errno.EAGAIN: "process limit reached",
    errno.ENOMEM: "memory limit reached",
    errno.E2BIG: "too many arguments",
}


class Done(pydantic.BaseModel):
    """What the guest says at a call's end. It is untrusted: every field has a type and a range."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    exit: int = pydantic.Field(0, ge=0, le=255)
    signal: int | None = pydantic.Field(None, ge=1, le=64)
    left: int = pydantic.Field(0, ge=0, le=10**6)
    report: str = pydantic.Field("", max_length=4096)
    unwatched: bool = False
    problem: tuple[Literal["cwd", "exec"], int] | None = None
    error: Failure | None = None
    gone: Literal["refused", "reset"] | None = None
    waits: bool = False
    ports: tuple[Annotated[int, pydantic.Field(ge=0, le=65535)], ...] = pydantic.Field((), max_length=1024)
    limits: tuple[LimitName, ...] = pydantic.Field((), max_length=8)
    ended: int = pydantic.Field(0, ge=0, le=10**6)
    scratch: dict[Folder, Annotated[int, pydantic.Field(ge=0)]] = {}


class Running:
    """One command while it runs: what it has said, and how it ended.

    Leaving `patience` stops it. `pace` is how many seconds to let pass for each byte it says before it may say more.
    """

    def __init__(self, command: Command, on_output: OnOutput | None, most: Mapping[LimitName, int]) -> None:
        self.command = command
        self.patience = anyio.CancelScope()
        self.pace = 0.0
        self._stream: Stream | None = None
        self._begun = anyio.Event()
        self.done: Done | None = None
        self.limits: list[LimitReached] = []
        self.refused: dict[str, None] = {}
        self._most = most
        self._on_output = on_output
        self._collectors = {name: Collector(command.keep) for name in STREAMS.values()}
        self._owed = 0

    async def follow(self, stream: Stream, stdin: bytes | None) -> None:
        """Feed it and listen to it until it is done."""
        self._stream = stream
        self._begun.set()
        if stdin is None:
            await self.drain(stream)
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send_data, stdin)
            await self.drain(stream)
            tasks.cancel_scope.cancel()

    async def send(self, data: bytes) -> None:
        """Type on its terminal, as soon as it has one."""
        await self._begun.wait()
        if self._stream is not None and self.done is None:
            await self._stream.send_some(data)

    async def resize(self, rows: int, columns: int) -> None:
        """Make its terminal so large."""
        await self._begun.wait()
        if self._stream is not None and self.done is None:
            await self._stream.send(Kind.RESIZE, json.dumps([rows, columns]).encode())

    async def waits(self) -> bool:
        """Whether what its terminal's keys go to is reading them now."""
        await self._begun.wait()
        if self._stream is None or self.done is not None:
            return False
        async with self._stream.another() as stream:
            await stream.open({"op": "waits", "call": self._stream.number})
            with anyio.move_on_after(WAITS_SECONDS):
                return done_of(await stream.receive()).waits
        return False

    async def drain(self, stream: Stream) -> None:
        """Listen to it until it is done, giving credit as its output is taken in."""
        while self.done is None:
            frame = await stream.receive()
            if frame.kind is Kind.DONE:
                self.done = done_of(frame)
                return
            self._take(frame)
            if self._owed >= WINDOW // 2:
                owed, self._owed = self._owed, 0
                await anyio.sleep(owed * self.pace)
                await stream.grant(owed)

    def _take(self, frame: Frame) -> None:
        name = STREAMS.get(frame.payload[0] if frame.payload else 0)
        if name is None:
            raise SandboxLost("the sandbox broke the protocol")
        data = frame.payload[1:]
        self._owed += len(data)
        self._collectors[name].add(data)
        if self._on_output is not None:
            self._on_output(name, data)

    def has_failed(self) -> bool:
        """Whether it ended otherwise than with 0, or was ended."""
        return self.done is None or self.done.exit != 0

    def result(self, *, timed_out: bool, seconds: float) -> ExecResult:
        """How it ended. Raises FileError if its cwd was none."""
        done = self.done or Done(exit=255)
        match done.problem:
            case ("cwd", number):
                kind: FileErrorKind = "denied" if number == errno.EACCES else "not-a-directory"
                raise FileError(kind, str(self.command.cwd), "" if kind == "denied" else "no such directory inside")
            case ("exec", number):
                reason = NO_PROGRAM.get(number) or os.strerror(number)
                self._collectors["stderr"].add(f"{self.command.argv[0]}: {reason}\n".encode(errors="surrogateescape"))
            case None:
                pass
        return ExecResult(
            exit_code=done.exit,
            stdout=self._collectors["stdout"].output(),
            stderr=self._collectors["stderr"].output(),
            timed_out=timed_out,
            signal=done.signal,
            is_unwatched=done.unwatched,
            left_running=done.left,
            report=done.report.encode("latin-1", "replace"),
            seconds=seconds,
            limits=(*self.limits, *told(done.limits, self._most, ended=done.ended, scratch=done.scratch)),
            refused=tuple(self.refused),
        )


async def collected(stream: Stream, most: int, rest: bytes | None) -> tuple[bytes, Done]:
    """All the data of a file call, and its end, which may come before `rest` of ours is taken.

    Raises SandboxLost if more comes than was asked for.
    """
    async with beside() as tasks:
        if rest is not None:
            tasks.start_soon(stream.send_data, rest)
        try:
            return await _received(stream, most)
        finally:
            tasks.cancel_scope.cancel()


async def _received(stream: Stream, most: int) -> tuple[bytes, Done]:
    pieces: list[bytes] = []
    size = 0
    while (frame := await stream.receive()).kind is not Kind.DONE:
        size += len(frame.payload) - 1
        if len(frame.payload) < 2 or size > most + 1:
            raise SandboxLost("the sandbox broke the protocol")
        pieces.append(frame.payload[1:])
    return b"".join(pieces), done_of(frame)


def done_of(frame: Frame) -> Done:
    """The end of a call, as the guest tells it. Raises SandboxLost if that is not well formed."""
    try:
        return Done.model_validate_json(frame.payload)
    except pydantic.ValidationError as error:
        raise SandboxLost("the sandbox broke the protocol") from error
