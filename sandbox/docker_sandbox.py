"""The sandbox on a real engine: the contract of `sandbox.base`, spoken over the guest's channel."""

import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

import anyio
import anyio.to_thread
import pydantic

from sandbox.base import Command, Entry, ExecResult, OnOutput
from sandbox.changes import ChangeSet
from sandbox.channel import Stream
from sandbox.container import START_SECONDS, Container
from sandbox.errors import FileError, FileErrorKind, SandboxLost
from sandbox.frames import VERSION, WINDOW, Frame, Kind
from sandbox.gate.freeze import frozen
from sandbox.identity import environment
from sandbox.output import Collector
from sandbox.profile import User
from sandbox.sessions import Session

KILL_SECONDS = 20.0  # a fork bomb of some hundred processes takes a few to be stopped, killed and reaped
FILE_SECONDS = 60.0
LIST_LIMIT = 16 * 1024 * 1024  # bytes of one listing as it travels: some hundred thousand names
EntryKind = Literal["file", "directory", "link", "other"]
KINDS: Mapping[str, EntryKind] = {kind: kind for kind in get_args(EntryKind)}
STREAMS: Mapping[int, Literal["stdout", "stderr"]] = {1: "stdout", 2: "stderr"}
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
    left: int = pydantic.Field(0, ge=0, le=10**6)
    report: str = pydantic.Field("", max_length=4096)
    problem: tuple[Literal["cwd", "exec"], int] | None = None
    error: FileErrorKind | Literal["interrupted"] | None = None


class Hello(pydantic.BaseModel):
    """The guest's first words."""

    version: int
    python: tuple[int, int, int]
    shell: Literal["/bin/bash", "/usr/bin/bash", "/bin/sh"]


class DockerSandbox:
    """A sandbox that is starting, running or lost. `start` runs in the background; every call waits for it."""

    def __init__(self, session: Session, root: PurePosixPath, user: User) -> None:
        self.root = root
        self._session = session
        self._user = user
        self.noted = anyio.Event()
        self._started = anyio.Event()
        self._failure: Exception | None = None
        self._container: Container | None = None
        self._pausing = anyio.Lock()
        self._environment: Mapping[str, str] = {}

    async def begin(self, container: Container) -> None:
        """Take a started container and wait for the guest's first words. Raises SandboxLost."""
        self._container = container
        with anyio.move_on_after(START_SECONDS):
            await container.channel.ready.wait()
        if container.channel.hello is None:
            raise container.channel.lost()
        try:
            hello = Hello.model_validate_json(container.channel.hello.payload)
        except pydantic.ValidationError as error:
            raise SandboxLost("the sandbox did not introduce itself") from error
        if hello.version != VERSION:
            raise SandboxLost(f"the sandbox speaks version {hello.version}, not {VERSION}")
        self._environment = environment(self._user, hello.shell)
        self._started.set()

    def fail(self, error: Exception) -> None:
        """There will be no sandbox: every call, waiting or yet to come, raises this."""
        self._failure = error
        self._started.set()

    @property
    def is_running(self) -> bool:
        """Whether the guest has answered."""
        return self._started.is_set() and self._failure is None

    async def close(self) -> None:
        """End the container; the workspace stays on disk."""
        if self._container is not None:
            await self._container.remove()

    async def ready(self) -> Container:
        """The container, as soon as the guest answers. Raises what made the start fail."""
        await self._started.wait()
        if self._failure is not None:
            raise self._failure
        if self._container is None:
            raise SandboxLost("the sandbox never started")
        return self._container

    async def run(self, command: Command, on_output: OnOutput | None = None, /) -> ExecResult:
        """Run one command to its end."""
        container = await self.ready()
        began = anyio.current_time()
        call = _Running(command, on_output)
        async with container.channel.stream() as stream:
            rest = await stream.open(self.request(command), command.stdin)
            try:
                with anyio.move_on_after(command.timeout) as patience:
                    await call.follow(stream, rest)
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await self._kill(stream, call, container)
                raise
            if patience.cancelled_caught:
                await self._kill(stream, call, container)
        return call.result(timed_out=patience.cancelled_caught, seconds=anyio.current_time() - began)

    async def _kill(self, stream: Stream, call: "_Running", container: Container) -> None:
        """End every process of a call; a sandbox that will not obey is ended whole."""
        async with self._pausing:  # what is paused obeys nobody
            await stream.send(Kind.KILL)
            with anyio.move_on_after(KILL_SECONDS):
                await call.drain(stream)
        if call.done is None:
            await container.remove()
            raise SandboxLost("a command could not be stopped, so its sandbox was; the workspace is kept")

    def request(self, command: Command) -> Mapping[str, Any]:
        """A command as the guest takes it. Raises FileError for a cwd that is no path inside."""
        _absolute(command.cwd)
        return {
            "op": "run",
            "argv": list(command.argv),
            "cwd": str(command.cwd),
            "env": {**self._environment, **command.env},
            "stdin": command.stdin is not None,
            "report": command.report,
        }

    async def read(self, path: PurePosixPath, /, *, limit: int = 32 * 1024 * 1024) -> bytes:
        """The content of a regular file."""
        return await self._file({"op": "read", "path": _absolute(path), "limit": limit}, most=limit)

    async def list(self, path: PurePosixPath, /) -> Sequence[Entry]:
        """What a directory holds."""
        text = await self._file({"op": "list", "path": _absolute(path), "limit": LIST_LIMIT}, most=LIST_LIMIT)
        try:
            rows = json.loads(text)
            return [Entry(str(name), KINDS[kind], int(size)) for name, kind, size in rows]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise SandboxLost("the sandbox broke the protocol") from error

    async def write(self, path: PurePosixPath, data: bytes, /) -> None:
        """Make `path` hold exactly `data`."""
        await self._file({"op": "write", "path": _absolute(path)}, data)

    async def _file(self, request: Mapping[str, Any], data: bytes | None = None, *, most: int = 0) -> bytes:
        container = await self.ready()
        path = str(request["path"])
        async with container.channel.stream() as stream:
            try:
                with anyio.fail_after(FILE_SECONDS):
                    rest = await stream.open(request, data)
                    if rest is not None:
                        await stream.send_data(rest)
                    content, done = await _content(stream, most)
            except anyio.get_cancelled_exc_class():
                await stream.send(Kind.KILL)  # or half a write would stay behind, under a name of ours
                raise
            except TimeoutError as error:
                await stream.send(Kind.KILL)
                raise FileError("other", path, f"no answer within {FILE_SECONDS:.0f} s") from error
        match done.error:
            case None:
                return content
            case "interrupted":
                raise FileError("other", path, "something in the sandbox interrupted it; try again")
            case kind:
                raise FileError(kind, path)

    async def freeze(self) -> ChangeSet:
        """What this sandbox changed; the container is paused while its files are read."""
        container = await self.ready()
        await self.noted.wait()
        async with self._pausing:
            await container.pause()
            try:
                return await anyio.to_thread.run_sync(frozen, self._session)
            finally:
                with anyio.CancelScope(shield=True):
                    await container.unpause()


class _Running:
    """One command while it runs: what it has said, and how it ended."""

    def __init__(self, command: Command, on_output: OnOutput | None) -> None:
        self.command = command
        self.done: Done | None = None
        self._on_output = on_output
        self._collectors = {name: Collector(command.keep) for name in STREAMS.values()}
        self._owed = 0

    async def follow(self, stream: Stream, stdin: bytes | None) -> None:
        """Feed it and listen to it until it is done."""
        if stdin is None:
            await self.drain(stream)
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send_data, stdin)
            await self.drain(stream)
            tasks.cancel_scope.cancel()

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
            left_running=done.left,
            report=done.report.encode("latin-1", "replace"),
            seconds=seconds,
        )


async def _content(stream: Stream, most: int) -> tuple[bytes, Done]:
    """All the data of a file call, and its end. Raises SandboxLost if more comes than was asked for."""
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


def _absolute(path: PurePosixPath) -> str:
    text = str(path)
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise FileError("outside", ascii(text), "not a name a file can have") from error
    if not path.is_absolute() or "\0" in text:
        raise FileError("outside", ascii(text), "a path inside the sandbox is absolute")
    return text
