"""A sandbox for unit tests: the whole contract over a temporary folder, with real processes, and no isolation at all.

It exists so that the agent can be tested without an engine. `tests/contracts` holds it to the same behaviour as the
real one. Never use it for anything but tests: a command in it is a command on this machine.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import shutil
import signal
import stat
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Self

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread

from sandbox.background import Background, Backgrounds, heard_by
from sandbox.base import Call, Command, Entry, ExecResult, OnOutput, Output, Stream
from sandbox.changes import Change, ChangeSet, Directory, File, Link, Node
from sandbox.errors import FileError, FileErrorKind, PortClosed, SandboxError, SandboxLost
from sandbox.gate.pulse import OnProgress
from sandbox.hiding.hidden import NOTHING, Hidden
from sandbox.limits import LimitReached
from sandbox.programs import PYTHON, RIPGREP
from tests.fake_terminal import FakeTerminal

MARK = "FAKE_SANDBOX_CALL"
"""An environment variable by which the processes of a call are found again, also after setsid."""
OWN = {PYTHON: sys.executable, RIPGREP: "rg"}
"""What every sandbox has, as this machine has it."""
LINGER = 0.1
"""Seconds to wait for the rest of the output once the process is gone, as a child may hold the pipe for ever."""


@dataclass
class Capture:
    """The head and tail of one stream."""

    keep: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    omitted: int = 0

    def add(self, data: bytes) -> None:
        """Take the next chunk."""
        half = self.keep // 2
        room = half - len(self.head)
        self.head += data[:room] if room > 0 else b""
        self.tail += data[max(room, 0) :]
        over = len(self.tail) - (self.keep - half)
        if over > 0:
            self.omitted += over
            del self.tail[:over]

    def output(self) -> Output:
        """What was captured, as the contract says it."""
        if not self.omitted:
            return Output(head=bytes(self.head + self.tail))
        return Output(bytes(self.head), bytes(self.tail), self.omitted)


class FakeSandbox:
    """A folder that plays the workspace. Use it as an async context manager; `folder` is made beside its base copy."""

    def __init__(self, folder: Path, *, blobs: Path | None = None) -> None:
        self.folder = folder / "workspace"
        self.home = folder / "home"
        self.base = folder / "base"
        self.blobs = blobs
        self.path = os.environ["PATH"]
        self.lost = False
        self.limits: tuple[LimitReached, ...] = ()
        self.deaths = 0
        self.news = ""
        self.secrets = NOTHING
        self._running: set[str] = set()
        self._background = Backgrounds()
        self.noted: list[tuple[Call | None, tuple[bytes, ...]]] = []
        self.sights: list[tuple[PurePosixPath, bytes]] = []
        self._last: dict[bytes, Node] = {}

    @property
    def root(self) -> PurePosixPath:
        """The workspace."""
        return PurePosixPath(os.path.realpath(self.folder))

    async def __aenter__(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        self.home.mkdir(exist_ok=True)
        shutil.copytree(self.folder, self.base, symlinks=True)
        self._last = nodes(self.folder)
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        for call in self._running:
            kill_call(call)

    def lose(self, *, for_good: bool = True) -> None:
        """Die with everything that runs; be gone from now on, or be there again for the next call."""
        self.lost = for_good
        self.deaths += 1
        for call in self._running:
            kill_call(call)

    async def shell(self) -> str:
        """The program that runs command lines."""
        return "bash"

    async def run(self, command: Command, on_output: OnOutput | None = None, /) -> ExecResult:
        """Run one command to its end."""
        command = replace(command, argv=[OWN.get(part, part) for part in command.argv])
        self._check(command.cwd)
        cwd = os.fsencode(str(command.cwd))
        if not os.path.isdir(cwd):
            raise FileError("not-a-directory", str(command.cwd))
        env = {"PATH": self.path, "HOME": str(self.home), "LANG": "C.UTF-8", **command.env}
        program = shutil.which(command.argv[0], path=env["PATH"])
        if "/" in command.argv[0]:
            program = os.path.join(str(command.cwd), command.argv[0])
            if not os.path.exists(program):
                program = None
            elif os.path.isdir(program) or not os.access(program, os.X_OK):
                return ExecResult(126, Output(), Output(head=f"{command.argv[0]}: permission denied\n".encode()))
        if program is None:
            return ExecResult(127, Output(), Output(head=f"{command.argv[0]}: not found\n".encode()))
        call, deaths = uuid.uuid4().hex, self.deaths
        self._running.add(call)
        try:
            result = await run_process(command, {**env, MARK: call}, call, on_output)
        except BaseException:
            kill_call(call)
            raise
        if self.deaths > deaths:
            raise SandboxLost("the sandbox is gone: its workspace is intact, run again")
        return replace(result, limits=self.limits)

    async def start(
        self, command: Command, on_output: OnOutput | None = None, on_end: Callable[[], None] = lambda: None, /
    ) -> Background:
        """Start a command in the background."""
        self._check(command.cwd)
        process = self._background.add(replace(command, stdin=None, keep=0), on_end)
        terminal = None if command.terminal is None else FakeTerminal(command.terminal)
        process.terminal = terminal
        self._tasks.start_soon(self._follow, process, heard_by(process, on_output), terminal)
        return process

    async def _follow(self, process: Background, hear: OnOutput, terminal: FakeTerminal | None) -> None:
        try:
            with process.patience:
                if terminal is None:
                    process.end(await self.run(process.command, hear))
                else:
                    process.end(await self._run_on(terminal, process.command, hear))
            if process.status == "running":
                process.end(ExecResult(137, Output(), Output(), signal=9))
        except SandboxError as error:
            process.end(None, error)
        finally:
            if process.status == "running":
                process.end(None)

    async def _run_on(self, terminal: FakeTerminal, command: Command, hear: OnOutput) -> ExecResult:
        call = uuid.uuid4().hex
        self._running.add(call)
        try:
            running = await asyncio.create_subprocess_exec(
                *terminal.argv(command.argv),
                cwd=os.fsencode(str(command.cwd)),
                env={"PATH": self.path, "HOME": str(self.home), "LANG": "C.UTF-8", **command.env, MARK: call},
                stdin=terminal.theirs,
                stdout=terminal.theirs,
                stderr=terminal.theirs,
                start_new_session=True,
            )
            terminal.close_theirs()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(terminal.follow, hear)
                await wait_exit(running)
                tasks.cancel_scope.deadline = anyio.current_time() + LINGER
        except BaseException:
            kill_call(call)
            raise
        finally:
            terminal.close()
        code = running.returncode or 0
        return ExecResult(
            code if code >= 0 else 128 - code, Output(), Output(), signal=-code if code < 0 else None,
            left_running=len(processes(call)),
        )  # fmt: skip

    @property
    def processes(self) -> Sequence[Background]:
        """Every background command."""
        return self._background.all

    async def listening(self) -> Sequence[int]:
        """The TCP ports that processes of calls listen on."""
        inodes = set()
        for call in self._running:
            for pid in processes(call):
                with contextlib.suppress(OSError):
                    inodes |= {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
        rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
        found = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
        return sorted({int(address.rpartition(":")[2], 16) for address in found})

    @contextlib.asynccontextmanager
    async def connected(self, port: int, /) -> AsyncIterator["FakeConnection"]:
        """A connection to a port of this machine."""
        try:
            stream = await anyio.connect_tcp("127.0.0.1", port)
        except OSError:
            try:
                stream = await anyio.connect_tcp("::1", port)
            except OSError as error:
                raise PortClosed(f"nothing inside listens on port {port}") from error
        async with stream:
            yield FakeConnection(stream)

    async def read(self, path: PurePosixPath, /, *, limit: int = 32 * 1024 * 1024) -> bytes:
        """The content of a regular file."""
        await anyio.lowlevel.checkpoint()
        self._check(path)
        with file_errors(path):
            data = content(path, limit)
        if len(data) > limit:
            raise FileError("too-large", str(path))
        return data

    async def write(self, path: PurePosixPath, data: bytes, /) -> None:
        """Make a file hold exactly this."""
        await anyio.lowlevel.checkpoint()
        self._check(path)
        with file_errors(path):
            target = os.path.realpath(path)
            if os.path.isdir(target):
                raise FileError("is-directory", str(path))
            if os.path.exists(target) and not os.path.isfile(target):
                raise FileError("not-a-file", str(path))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            mode = stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else 0o666 & ~umask()
            partial = f"{target}.{uuid.uuid4().hex}"
            Path(partial).write_bytes(data)
            os.chmod(partial, mode)
            os.rename(partial, target)

    async def list(self, path: PurePosixPath, /) -> Sequence[Entry]:
        """What a directory holds, sorted by name."""
        await anyio.lowlevel.checkpoint()
        self._check(path)
        with file_errors(path), os.scandir(path) as found:
            return sorted((entry_of(entry) for entry in found), key=lambda entry: os.fsencode(entry.name))

    async def running(self) -> int:
        """How many processes run inside now."""
        return sum(len(processes(call)) for call in self._running)

    async def saw(self, path: PurePosixPath, data: bytes, /) -> None:
        """What was seen; there is no checkout beside it that could have changed."""
        await anyio.lowlevel.checkpoint()
        self.sights.append((path, data))

    async def note(self, call: Call | None, /) -> Sequence[bytes]:
        """Which paths changed since the last note; `noted` has them all."""
        await anyio.lowlevel.checkpoint()
        now = nodes(self.folder)
        paths = tuple(sorted(path for path in now.keys() | self._last.keys() if now.get(path) != self._last.get(path)))
        self._last = now
        self.noted.append((call, paths))
        return paths

    def take_news(self) -> str:
        """What a test says befell it."""
        news, self.news = self.news, ""
        return news

    async def hidden(self) -> Hidden:
        """What a test says is hidden."""
        return self.secrets

    async def freeze(self, on_progress: OnProgress | None = None, /) -> ChangeSet:
        """What differs from the copy made at the start."""
        self._check(self.root)
        before, after = nodes(self.base), nodes(self.folder)
        changes: list[Change] = []
        for path in sorted(before.keys() | after.keys()):
            old, new = before.get(path), after.get(path)
            if old != new and not is_implied(path, old, new, before if new is None else after):
                self._keep(self.base, path, old)
                self._keep(self.folder, path, new)
                changes.append(Change(path, old, new))
        return ChangeSet(tuple(changes))

    def _keep(self, tree: Path, path: bytes, node: Node | None) -> None:
        if self.blobs is not None and isinstance(node, File):
            with open(os.path.join(os.fsencode(tree), path), "rb") as file:
                (self.blobs / node.digest).write_bytes(file.read())

    def _check(self, path: PurePosixPath) -> None:
        if self.lost:
            raise SandboxLost("the sandbox is gone: its workspace is intact, run again")
        try:
            os.fsencode(path)
        except UnicodeEncodeError as error:
            raise FileError("outside", ascii(str(path)), "is no name a file can have") from error
        if not path.is_absolute() or "\0" in str(path):
            raise FileError("outside", ascii(str(path)), "is not an absolute path")


@dataclass(frozen=True)
class FakeConnection:
    """A connection as the contract says it."""

    stream: anyio.abc.SocketStream

    async def send(self, data: bytes) -> None:
        """Say something."""
        try:
            await self.stream.send(data)
        except anyio.BrokenResourceError as error:
            raise PortClosed("the connection broke off") from error

    async def send_end(self) -> None:
        """Say no more."""
        await self.stream.send_eof()

    async def receive(self) -> bytes:
        """What it says next, empty at the end."""
        try:
            return await self.stream.receive()
        except anyio.EndOfStream:
            return b""
        except anyio.BrokenResourceError as error:
            raise PortClosed("the connection broke off") from error


async def run_process(command: Command, env: dict[str, str], call: str, on_output: OnOutput | None) -> ExecResult:
    """Start the process, follow its output, and end it when its time is over."""
    started = time.monotonic()
    report, argv, passed = -1, list(command.argv), ()
    if command.report:
        report, end = os.pipe()
        # Only a shell can place a pipe at exactly descriptor 3 without code between fork and exec.
        argv = ["bash", "-c", f'exec "$@" 3>&{end} {end}>&-', "bash", *argv]
        passed = (end,)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=os.fsencode(str(command.cwd)),
            env=env,
            stdin=asyncio.subprocess.DEVNULL if command.stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=passed,
        )
    finally:
        for descriptor in passed:
            os.close(descriptor)
    captures: dict[Stream, Capture] = {"stdout": Capture(command.keep), "stderr": Capture(command.keep)}
    try:
        timed_out = await follow(process, command, captures, on_output, call)
        reported = await anyio.to_thread.run_sync(os.read, report, 4096) if command.report else b""
    finally:
        if report >= 0:
            os.close(report)
        process._transport.close()  # type: ignore[attr-defined]  # asyncio leaves pipes open that a child still holds
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return ExecResult(
        exit_code=code if code >= 0 else 128 - code,
        stdout=captures["stdout"].output(),
        stderr=captures["stderr"].output(),
        timed_out=timed_out,
        signal=-code if code < 0 else None,
        left_running=len(processes(call)),
        report=reported,
        seconds=time.monotonic() - started,
    )


async def follow(
    process: asyncio.subprocess.Process,
    command: Command,
    captures: dict[Stream, Capture],
    on_output: OnOutput | None,
    call: str,
) -> bool:
    """Read both streams until the process is gone; whether its time ran out."""

    async def read(stream: Stream, reader: asyncio.StreamReader | None) -> None:
        while reader is not None and (data := await reader.read(1 << 16)):
            captures[stream].add(data)
            if on_output is not None:
                on_output(stream, data)

    async def feed() -> None:
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(command.stdin or b"")
                await process.stdin.drain()
                process.stdin.close()

    timed_out = False
    async with anyio.create_task_group() as group:
        readers = anyio.create_task_group()
        async with readers:
            readers.start_soon(read, "stdout", process.stdout)
            readers.start_soon(read, "stderr", process.stderr)
            group.start_soon(feed)
            with anyio.move_on_after(command.timeout) as limit:
                await wait_exit(process)
            if limit.cancelled_caught:
                timed_out = True
                kill_call(call)
                await wait_exit(process)
            readers.cancel_scope.deadline = anyio.current_time() + LINGER
        group.cancel_scope.cancel()
    return timed_out


async def wait_exit(process: asyncio.subprocess.Process) -> None:
    """Return when the process itself has ended: asyncio's own `wait` waits for its pipes too, which others may hold."""
    while process.returncode is None:  # noqa: ASYNC110 - the transport knows it, and tells nobody in time
        await anyio.sleep(0.002)


def processes(call: str) -> list[int]:
    """The processes of a call that are alive, whatever session they are in."""
    wanted = f"{MARK}={call}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                alive = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
                if alive and wanted in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                    found.append(int(name))
    return found


def kill_call(call: str) -> None:
    """Kill every process of a call, until three looks in a row find none: one in the middle of exec shows no mark."""
    quiet = 0
    while quiet < 3:
        pids = processes(call)
        quiet = 0 if pids else quiet + 1
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def content(path: PurePosixPath, limit: int) -> bytes:
    """What a regular file holds, up to a byte more than the limit."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise FileError("is-directory" if stat.S_ISDIR(mode) else "not-a-file", str(path))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def file_errors(path: PurePosixPath) -> Iterator[None]:
    """Translate what the operating system says."""
    kinds: dict[type[OSError], FileErrorKind] = {
        FileNotFoundError: "not-found",
        IsADirectoryError: "is-directory",
        NotADirectoryError: "not-a-directory",
        PermissionError: "denied",
        FileExistsError: "exists",
    }
    try:
        yield
    except OSError as error:
        kind = "not-found" if error.errno == errno.ELOOP else kinds.get(type(error), "other")
        raise FileError(kind, str(path), error.strerror or "") from error


def entry_of(entry: os.DirEntry[str]) -> Entry:
    """A directory entry as the contract says it."""
    if entry.is_symlink():
        return Entry(entry.name, "link")
    if entry.is_dir():
        return Entry(entry.name, "directory")
    if entry.is_file():
        return Entry(entry.name, "file", entry.stat().st_size)
    return Entry(entry.name, "other")


def nodes(tree: Path) -> dict[bytes, Node]:
    """Every path below a folder, and what it is."""
    found: dict[bytes, Node] = {}
    top = os.fsencode(tree)
    for folder, folders, names in os.walk(top):
        for name in folders + names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = node(path)
    return found


def node(path: bytes) -> Node:
    """What is at a path."""
    facts = os.lstat(path)
    if stat.S_ISLNK(facts.st_mode):
        return Link(os.readlink(path))
    if stat.S_ISDIR(facts.st_mode):
        return Directory()
    with open(path, "rb") as file:
        data = file.read()
    return File(hashlib.sha256(data).hexdigest(), len(data), bool(facts.st_mode & 0o100))


def is_implied(path: bytes, old: Node | None, new: Node | None, tree: dict[bytes, Node]) -> bool:
    """Whether a directory that came or went says nothing that the paths below it do not say."""
    came_or_went = {type(old), type(new)} == {Directory, type(None)}
    return came_or_went and any(other.startswith(path + b"/") for other in tree)


def umask() -> int:
    """The mask new files get."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@contextlib.asynccontextmanager
async def fake_sandbox(folder: Path, files: dict[str, str] | None = None) -> AsyncIterator[FakeSandbox]:
    """A fake sandbox whose workspace holds these files at the start."""
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    for name, text in (files or {}).items():
        target = workspace / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    async with FakeSandbox(folder) as sandbox:
        yield sandbox
