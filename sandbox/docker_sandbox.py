"""The sandbox on a real engine: the contract of `sandbox.base`, spoken over the guest's channel."""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

import anyio
import anyio.from_thread
import anyio.to_thread
import pydantic

from sandbox.base import Call, Command, Entry, ExecResult, OnOutput
from sandbox.changes import ChangeSet
from sandbox.channel import Stream
from sandbox.container import START_SECONDS, Container
from sandbox.errors import FileError, OutOfSpace, SandboxError, SandboxLost, StateError
from sandbox.frames import VERSION, Kind
from sandbox.gate.freeze import frozen
from sandbox.gate.ledger import Ledger
from sandbox.gate.notes import Manner
from sandbox.gate.pulse import OnProgress
from sandbox.identity import environment
from sandbox.pausing import alone, paused
from sandbox.profile import User
from sandbox.running import Running, collected, done_of
from sandbox.sessions import Session

KILL_SECONDS = 20.0  # a fork bomb of some hundred processes takes a few to be stopped, killed and reaped
FILE_SECONDS = 60.0
LIST_LIMIT = 16 * 1024 * 1024  # bytes of one listing as it travels: some hundred thousand names
EntryKind = Literal["file", "directory", "link", "other"]
KINDS: Mapping[str, EntryKind] = {kind: kind for kind in get_args(EntryKind)}


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
        self._ledger = Ledger(session)
        self._left: dict[str, Call] = {}
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

    async def catch_up(self) -> None:
        """Before it is started again: put in order what was left, and note what changed since as no call's doing."""
        with contextlib.suppress(SandboxError):  # the first call's own note fails of the same, and says so
            await anyio.to_thread.run_sync(self._ledger.catch_up)

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
        call = Running(command, on_output)
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
        result = call.result(timed_out=patience.cancelled_caught, seconds=anyio.current_time() - began)
        if result.left_running:
            self._left[command.call_id] = Call(command.call_id, "", " ".join(command.argv))
        return result

    async def _kill(self, stream: Stream, call: Running, container: Container) -> None:
        """End every process of a call; a sandbox that will not obey is ended whole."""
        async with self._pausing, alone(self._session, container):  # what is paused obeys nobody
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
                    content, done = await collected(stream, most)
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

    async def running(self) -> int:
        """How many processes run inside now, ours apart."""
        container = await self.ready()
        async with container.channel.stream() as stream:
            await stream.open({"op": "count"})
            return done_of(await stream.receive()).left

    async def note(self, call: Call | None, /) -> Sequence[bytes]:
        """Which paths changed since the last note, recorded as this call's doing; no engine is asked."""
        if not self._started.is_set():
            return ()  # and so nothing ran
        if call is None:
            return await self._note_between()
        if call.id in self._left:
            self._left[call.id] = call
        manner: Manner = "beside" if self._left.keys() - {call.id} else "by"
        return await anyio.to_thread.run_sync(self._ledger.note, call, manner)

    async def saw(self, path: PurePosixPath, data: bytes, /) -> None:
        """What an edit begins with. What cannot be noted is found out as a conflict."""
        if path.is_relative_to(self.root):
            name = bytes(path.relative_to(self.root))
            with contextlib.suppress(OutOfSpace, StateError):
                await anyio.to_thread.run_sync(self._ledger.saw, name, data)

    async def _note_between(self) -> Sequence[bytes]:
        """Before a call; of processes that have ended, nothing more is to be expected."""
        if not self._left:
            return ()
        try:
            have_ended = await self.running() == 0
        except SandboxLost:
            have_ended = True
        paths = await self._note_rest()
        if have_ended:
            self._left.clear()
        return paths

    async def _note_rest(self) -> Sequence[bytes]:
        """What changed between calls was done by processes that calls left running; without any, nothing can have."""
        if not self._left:
            return ()
        left = list(self._left.values())
        one = replace(left[0], id=",".join(call.id for call in left), summary=" or ".join(map(_shown, left)), tool="")
        return await anyio.to_thread.run_sync(self._ledger.note, one, "after")

    async def freeze(self, on_progress: OnProgress | None = None, /) -> ChangeSet:
        """What this sandbox changed; the container is paused while its files are read."""

        def tell(files: int, size: int) -> None:
            anyio.from_thread.check_cancelled()  # whoever waits may wait no longer, and the container is paused
            if on_progress is not None:
                on_progress(files, size)

        container = await self.ready()
        await self.noted.wait()
        async with self._pausing, paused(self._session, container):
            await self._note_rest()
            return await anyio.to_thread.run_sync(frozen, self._session, tell)


def _shown(call: Call) -> str:
    return f"{call.tool} {call.summary}".strip()


def _absolute(path: PurePosixPath) -> str:
    text = str(path)
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise FileError("outside", ascii(text), "not a name a file can have") from error
    if not path.is_absolute() or "\0" in text:
        raise FileError("outside", ascii(text), "a path inside the sandbox is absolute")
    return text
