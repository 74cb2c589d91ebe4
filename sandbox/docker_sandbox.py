"""The sandbox on a real engine: the contract of `sandbox.base`, spoken over the guest's channel."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread

from sandbox.account import Account
from sandbox.around import Around
from sandbox.background import Background, Backgrounds, heard_by
from sandbox.base import Call, Command, Entry, ExecResult, OnOutput
from sandbox.changes import ChangeSet
from sandbox.channel import Stream
from sandbox.closed import Closed
from sandbox.container import Container
from sandbox.disk_watch import DiskWatch
from sandbox.engine import Engine
from sandbox.errors import FileError, SandboxError, SandboxLost
from sandbox.filing import LIST_LIMIT, asked, entries, failed
from sandbox.forwarding import Forward
from sandbox.frames import Kind
from sandbox.gate.freeze import frozen
from sandbox.gate.pulse import OnProgress
from sandbox.hiding.hidden import Hidden
from sandbox.hiding.hiding import Hiding
from sandbox.inside import absolute
from sandbox.life import Life
from sandbox.ports import PortStream, port_stream
from sandbox.profile import profile_of
from sandbox.running import Done, Running, done_of
from sandbox.sessions import Session
from sandbox.states import Patience
from sandbox.tasks import beside, expiring
from sandbox.workspace import gitfolders
from sandbox.workspace.carrying import Carrying
from sandbox.workspace.laying import Laying

KILL_SECONDS = 20.0  # a fork bomb of some hundred processes takes a few to be stopped, killed and reaped
PACE = 1 / (16 * 1024 * 1024)  # seconds for each byte of a background command: a flood nobody reads costs little
TERMINAL_PACE = 1 / (1024 * 1024)  # a screen is slow to draw, and nobody reads so fast


class DockerSandbox:
    """The calls of a sandbox. Each waits for a container, has one started that has ended, and keeps it from idling.

    `variables` are what commands find in their environment besides the sandbox's own; `outlet` is their way out.
    """

    def __init__(
        self, session: Session, engine: Engine, tasks: anyio.abc.TaskGroup, patience: Patience, outlet: Closed
    ) -> None:
        meta = session.meta()
        self.root = PurePosixPath(meta.checkout)
        self.variables: Mapping[str, str] = {}
        self._outlet = outlet
        self._most = profile_of(meta.choice).most()
        self._disk = DiskWatch(session, engine)
        self._session = session
        self._tasks = tasks
        self._account = Account(session)
        self._background = Backgrounds()
        self.forwards: list[Forward] = []
        self._hiding = Hiding(session)
        self.carrying = Carrying(session)
        around = Around(
            files=outlet.files,
            before=self._before_start,
            ready=self._lay_ready,
            started=self._go_on,
            filled=self.carrying.fill,
            still=self.carrying.still,
            leave=self.carrying.farewell,
            beside=self._beside,
        )
        self._life = Life(session, engine, tasks, around=around, patience=patience)
        self.laying = Laying(session, tasks, self._life.refuse)

    def begin(self) -> None:
        """Start a container in the background, if none runs."""
        self._life.begin()

    async def begun(self) -> None:
        """Wait until something has run in here; this starts nothing."""
        await self._life.begun.wait()

    async def close(self) -> None:
        """End the container; the workspace stays on disk."""
        await self._life.close()

    async def ready(self) -> Container:
        """A container, as soon as its guest answers. Raises what made the start fail."""
        return await self._life.container()

    def using(self) -> AbstractAsyncContextManager[Container]:
        """The same for a call of one's own: while the block runs, it is not taken for idle."""
        return self._life.use()

    def take_news(self) -> str:
        """What befell the sandbox between calls."""
        return "\n".join(filter(None, (one.take_news() for one in (self._life, self._disk, self._outlet))))

    async def _beside(self, life: Life, container: Container) -> None:
        async with beside() as tasks:
            tasks.start_soon(self._outlet.serve, container)
            await self._disk.watch(life)

    def _go_on(self) -> None:
        self.laying.go_on()

    async def _before_start(self) -> None:
        """No container runs: take stock. What the workspace lies on is made beside the next container."""
        self._hiding.begin(self._tasks)
        before = self._account.begin()
        if before is None:
            await self._account.catch_up()
        self.laying.begin(before, self._hiding.found)

    async def _lay_ready(self) -> None:
        """What the container is started on."""
        await self._hiding.lay()
        await anyio.to_thread.run_sync(gitfolders.lay, self._session, await self._hiding.found())
        await self.laying.laid()

    async def shell(self) -> str:
        """The program that runs command lines."""
        await self.ready()
        return self._life.environment["SHELL"]

    async def run(self, command: Command, on_output: OnOutput | None = None, /) -> ExecResult:
        """Run one command to its end."""
        result = await self._carry_out(Running(command, on_output, self._most))
        if result.left_running:
            self._account.leave(Call(command.call_id, "", " ".join(command.argv)))
        return result

    async def _carry_out(self, call: Running) -> ExecResult:
        began = anyio.current_time()
        command, patience = call.command, call.patience
        async with (
            self._life.use() as container,
            container.channel.stream() as stream,
            self._disk.minding(call),
            self._outlet.hearing(call),
        ):
            rest = await stream.open(self.request(command), command.stdin)
            try:
                async with expiring(patience, command.timeout):
                    with patience:
                        await call.follow(stream, rest)
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await self._kill(stream, call, container)
                raise
            if patience.cancelled_caught:
                await self._kill(stream, call, container)
        return call.result(timed_out=patience.cancelled_caught, seconds=anyio.current_time() - began)

    async def start(
        self, command: Command, on_output: OnOutput | None = None, on_end: Callable[[], None] = lambda: None, /
    ) -> Background:
        """Start a command in the background; as long as it runs, the sandbox is not idle."""
        await self.ready()
        process = self._background.add(replace(command, stdin=None, keep=0), on_end)
        self._account.leave(Call(command.call_id, "", " ".join(command.argv)), process)
        call = Running(process.command, heard_by(process, on_output), self._most)
        call.patience, call.pace = process.patience, PACE if command.terminal is None else TERMINAL_PACE
        process.terminal = call
        self._tasks.start_soon(self._follow, process, call)
        return process

    async def _follow(self, process: Background, call: Running) -> None:
        """Drive a background command to its end; also if the sandbox ends first, it is told."""
        try:
            result = await self._carry_out(call)
            process.end(replace(result, timed_out=result.timed_out and not process.was_killed))
        except SandboxError as error:
            process.end(None, error)
        finally:
            if process.status == "running":
                process.end(None)

    @property
    def processes(self) -> Sequence[Background]:
        """Every background command."""
        return self._background.all

    async def _kill(self, stream: Stream, call: Running, container: Container) -> None:
        """End every process of a call; a sandbox that will not obey is ended whole."""
        async with self._life.undisturbed(container):  # what is paused obeys nobody
            await stream.send(Kind.KILL)
            with anyio.move_on_after(KILL_SECONDS):
                await call.drain(stream)
        if call.done is None:
            raise SandboxLost("a command could not be stopped, so its sandbox was; the workspace is kept")

    def request(self, command: Command) -> Mapping[str, Any]:
        """A command as the guest takes it. Raises FileError for a cwd that is no path inside."""
        absolute(command.cwd)
        return {
            "op": "run",
            "argv": list(command.argv),
            "cwd": str(command.cwd),
            "env": {**self._life.environment, **self._outlet.variables, **self.variables, **command.env},
            "stdin": command.stdin is not None,
            "report": command.report,
            "terminal": command.terminal,
            "file_size": self._disk.largest_file,
        }

    async def read(self, path: PurePosixPath, /, *, limit: int = 32 * 1024 * 1024) -> bytes:
        """The content of a regular file."""
        try:
            return await self._file({"op": "read", "path": absolute(path), "limit": limit}, most=limit)
        except FileError as error:
            raise await self._hiding.explained(error) from error

    async def list(self, path: PurePosixPath, /) -> Sequence[Entry]:
        """What a directory holds."""
        return entries(await self._file({"op": "list", "path": absolute(path), "limit": LIST_LIMIT}, most=LIST_LIMIT))

    async def write(self, path: PurePosixPath, data: bytes, /) -> None:
        """Make `path` hold exactly `data`."""
        if reason := await self._disk.refusal(path):
            raise FileError("no-space", str(path), reason)
        await self._file({"op": "write", "path": absolute(path)}, data)

    async def _file(self, request: Mapping[str, Any], data: bytes | None = None, *, most: int = 0) -> bytes:
        async with self._life.use() as container:
            content, done = await asked(container, request, data, most=most)
        path = PurePosixPath(request["path"])
        if done.error is None:
            return content
        reason = await self._disk.refusal(path) if done.error == "no-space" else ""
        raise failed(done.error, path, self.root, self._most, reason)

    async def running(self) -> int:
        """How many processes run inside now, ours apart."""
        return (await self._told("count")).left if self._life.is_running else 0

    async def listening(self) -> Sequence[int]:
        """The TCP ports on which something inside listens; nothing does where nothing runs."""
        return (await self._told("listening")).ports if self._life.is_running else ()

    async def _told(self, question: str) -> Done:
        async with self._life.use() as container, container.channel.stream() as stream:
            await stream.open({"op": question})
            return done_of(await stream.receive())

    @asynccontextmanager
    async def connected(self, port: int, /) -> AsyncIterator[PortStream]:
        """A connection to a port inside, as long as the block runs."""
        async with (
            self._life.use() as container,
            container.channel.stream() as stream,
            port_stream(stream, port) as connection,
        ):
            yield connection

    async def note(self, call: Call | None, /) -> Sequence[bytes]:
        """Which paths changed since the last note, recorded as this call's doing; no engine is asked."""
        if not self._life.begun.is_set():
            return ()  # and so nothing ran
        await self.carrying.bring_of(self._life)
        if call is not None:
            return await self._account.note(call)
        if not self._account.has_left:
            return ()
        try:
            have_ended = await self.running() == 0
        except SandboxLost:
            have_ended = True
        return await self._account.note_between(have_ended=have_ended)

    async def saw(self, path: PurePosixPath, data: bytes, /) -> None:
        """What an edit begins with. What cannot be noted is found out as a conflict."""
        if path.is_relative_to(self.root):
            await self._account.saw(path.relative_to(self.root), data)

    async def hidden(self) -> Hidden:
        """What of the checkout is not seen inside."""
        return await self._hiding.found()

    async def freeze(self, on_progress: OnProgress | None = None, /) -> ChangeSet:
        """What this sandbox changed; a container is paused while its files are read, and none is started for that."""

        def tell(files: int, size: int) -> None:
            anyio.from_thread.check_cancelled()  # whoever waits may wait no longer, and the container is paused
            if on_progress is not None:
                on_progress(files, size)

        async with self._life.still():
            await self.laying.looked()
            await self._account.note_rest()
            return await anyio.to_thread.run_sync(frozen, self._session, tell)
