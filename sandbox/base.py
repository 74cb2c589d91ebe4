"""The contract: a place where commands run and files change, apart from the host."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal, Protocol

from sandbox.changes import ChangeSet
from sandbox.gate.pulse import OnProgress
from sandbox.hiding.hidden import Hidden
from sandbox.limits import LimitReached

Stream = Literal["stdout", "stderr"]
Status = Literal["running", "exited", "timed out", "killed", "lost"]
OnOutput = Callable[[Stream, bytes], None]
"""Sees every chunk as it arrives, also the bytes an Output leaves out. Must not block and must not raise."""


@dataclass(frozen=True)
class Command:
    """One process to run inside.

    `argv[0]` is looked up in the sandbox's PATH. `timeout` is in seconds on the host's monotonic clock; None means no
    limit. `keep` is how many bytes of each stream the result holds (half from the start, half from the end).
    `stdin` None means closed at once, so that programs which prompt fail instead of hanging.
    `report` gives the process a pipe as file descriptor 3, whose first 4 KiB come back in `ExecResult.report`.
    `terminal` gives it a terminal of so many rows and columns, on which it speaks and hears (`Process.send`); only a
    command that is started in the background can have one.
    `call_id` names the tool call this belongs to, for provenance and logs.
    """

    argv: Sequence[str]
    cwd: PurePosixPath
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None
    timeout: float | None = None
    keep: int = 64 * 1024
    report: bool = False
    terminal: tuple[int, int] | None = None
    call_id: str = ""


@dataclass(frozen=True)
class Output:
    """What a stream said: all of it, or its head and tail with `omitted` bytes between them."""

    head: bytes = b""
    tail: bytes = b""
    omitted: int = 0

    @property
    def all(self) -> bytes:
        """Head and tail joined; equals the whole stream only if nothing was omitted."""
        return self.head + self.tail


@dataclass(frozen=True)
class ExecResult:
    """How a process ended.

    `exit_code` is 128 + n after signal n, and `signal` is n: a program may also return such a number by itself, as a
    shell does whose last program was killed, and then `signal` is None. `timed_out` is the host's own clock speaking:
    an exit code of 124 or 137 proves nothing. `is_unwatched`: our process that watched it was killed, by a tool or for
    want of memory, so nobody knows how it ended; `exit_code` is 137 then. `left_running` counts processes of it that
    live on. `limits` are those of the sandbox that were reached meanwhile: counted by the kernel, never guessed from
    exit codes. `refused` are sentences about what our proxy let nobody inside ask meanwhile.
    """

    exit_code: int
    stdout: Output
    stderr: Output
    timed_out: bool = False
    signal: int | None = None
    is_unwatched: bool = False
    left_running: int = 0
    report: bytes = b""
    seconds: float = 0.0
    limits: tuple[LimitReached, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said besides: a sentence for each limit reached, and for each request refused."""
        return (*map(str, self.limits), *self.refused)


class Process(Protocol):
    """A command that runs on while other calls are made, and ends with the sandbox if nothing ended it before.

    What it says is always read, so it never blocks for want of a reader; the last 256 KiB are held here.
    """

    @property
    def id(self) -> str:
        """Its name in this sandbox: `bash_1`, `bash_2` …"""
        ...

    @property
    def command(self) -> Command:
        """What was started."""
        ...

    @property
    def status(self) -> Status:
        """How it stands. "lost": the sandbox went away under it."""
        ...

    @property
    def result(self) -> ExecResult | None:
        """How it ended, None until then; the streams in it are empty, for `take` has them."""
        ...

    @property
    def seconds(self) -> float:
        """How long it has run, or ran."""
        ...

    def unread(self) -> Output:
        """What it said since the last `take`, both streams as they came."""
        ...

    def take(self) -> Output:
        """The same, and the next look begins after it."""
        ...

    async def news(self) -> None:
        """Wait until it says something more or ends; returns at once if it has ended."""
        ...

    async def wait(self) -> ExecResult:
        """Wait for its end. Raises FileError if its cwd was none, SandboxLost."""
        ...

    async def send(self, data: bytes) -> None:
        """Type on its terminal; without one, or once it has ended, nothing happens. Raises SandboxLost."""
        ...

    async def resize(self, rows: int, columns: int) -> None:
        """Make its terminal so large. Raises SandboxLost."""
        ...

    async def waits(self) -> bool:
        """Whether the program its keys go to is blocked on reading them, as far as the kernel tells."""
        ...

    async def kill(self) -> None:
        """End every process of it, `setsid` children too, and wait for that; one that has ended stays as it is."""
        ...


class Connection(Protocol):
    """A connection to something that listens inside. Bytes are passed on as they are, each way until its end."""

    async def send(self, data: bytes) -> None:
        """Say something to it. Raises PortClosed, SandboxLost."""
        ...

    async def send_end(self) -> None:
        """Say no more; it may still answer."""
        ...

    async def receive(self) -> bytes:
        """What it says next, empty once it has said all. Raises PortClosed, SandboxLost."""
        ...


@dataclass(frozen=True)
class Call:
    """What a change can be put down to: one tool call of an agent, or one command of a person.

    `summary` is one line for people: a command, a path. It is the model's text, untrusted.
    """

    id: str
    tool: str
    summary: str
    agent: str = "main"


@dataclass(frozen=True)
class Entry:
    """One name in a directory listing inside the sandbox. `size` is in bytes, 0 for anything but a file."""

    name: str
    kind: Literal["file", "directory", "link", "other"]
    size: int = 0


class Sandbox(Protocol):
    """A running (or starting) sandbox. Every path is absolute, inside, and never a host path.

    Relative paths are refused with FileError("outside"). A call raises SandboxLost when the sandbox dies under it: its
    outcome is unknown, and the next call gets a new one with the same files. Where none can be started, calls raise
    why, EngineUnavailable among others. Cancelling a call kills every process of it, `setsid` children too.
    Names that are not UTF-8 travel as surrogate escapes (PEP 383).
    """

    @property
    def root(self) -> PurePosixPath:
        """The workspace inside: the checkout's own absolute path."""
        ...

    async def shell(self) -> str:
        """The program that runs command lines (`-c`): bash, or where the image has none, a plain `sh`."""
        ...

    async def run(self, command: Command, on_output: OnOutput | None = None, /) -> ExecResult:
        """Run one command to its end.

        Returns a result for every exit, also for a timeout and for a program that could not be found (exit code 127)
        or not be executed (126), the way a shell reports them.
        Raises: FileError if `cwd` is not a directory.
        """
        ...

    async def start(
        self, command: Command, on_output: OnOutput | None = None, on_end: Callable[[], None] = lambda: None, /
    ) -> Process:
        """Start a command in the background; it survives this call and not the sandbox. Its `stdin` is not sent.

        `on_end` is called once, whatever ends it; it must not raise.
        Raises: TooManyProcesses if as many as there may be (32) run already.
        """
        ...

    @property
    def processes(self) -> Sequence[Process]:
        """Every command that was started in the background, in the order of their start, ended ones too."""
        ...

    def connected(self, port: int, /) -> AbstractAsyncContextManager[Connection]:
        """A connection to what listens on a TCP port of the sandbox's own loopback address, as long as the block runs.

        Raises: PortClosed if nothing does.
        """
        ...

    async def listening(self) -> Sequence[int]:
        """The TCP ports on which something inside listens, in order. A claim of the sandbox's own kernel."""
        ...

    async def read(self, path: PurePosixPath, /, *, limit: int = 32 * 1024 * 1024) -> bytes:
        """The content of a regular file, links inside followed.

        Raises: FileError: not-found, hidden (the checkout has it, and it may hold secrets), is-directory, not-a-file
        (fifo, device, socket), denied, too-large (over `limit` bytes).
        """
        ...

    async def write(self, path: PurePosixPath, data: bytes, /) -> None:
        """Make `path` hold exactly `data`; parents are created, an existing file keeps its mode, a link is followed.

        The new content appears at once or not at all.
        Raises: FileError: is-directory, not-a-file, denied, no-space.
        """
        ...

    async def list(self, path: PurePosixPath, /) -> Sequence[Entry]:
        """What a directory holds, sorted by name. Raises: FileError: not-found, not-a-directory, denied."""
        ...

    async def note(self, call: Call | None, /) -> Sequence[bytes]:
        """Which paths of the workspace changed since the last note, recorded as this call's doing.

        Asked at the end of a call, before the next one that may write begins; it looks at what was written and never
        at the whole tree. None, asked before a call: what changed since was the doing of processes that earlier calls
        left running, if any did. Paths are relative, as in a change set; what ignore rules leave out may be missing.
        Raises: OutOfSpace, StateError.
        """
        ...

    async def saw(self, path: PurePosixPath, data: bytes, /) -> None:
        """Somebody inside knows this content of a file by now, and what becomes of the file begins there.

        Where the checkout holds the same at this moment, an edit is no conflict with what its user did before.
        """
        ...

    async def running(self) -> int:
        """How many processes of calls run inside now, those among them that calls left behind."""
        ...

    def take_news(self) -> str:
        """What befell the sandbox beside a call, told once; empty if nothing did.

        One sentence for a person and for the model: it was started again, and what of it is as before.
        """
        ...

    async def hidden(self) -> Hidden:
        """What of the checkout is not seen inside; before the first start, what will not be. Starts nothing.

        Raises: StateError, CheckoutRefused if that cannot be told.
        """
        ...

    async def freeze(self, on_progress: OnProgress | None = None, /) -> ChangeSet:
        """What this sandbox changed, against the checkout; while it is being read, nothing inside runs.

        Contents are already copied into the session's blob store when this returns. `on_progress` hears, from a
        thread, how far it is. Cancelled, it ends within a moment, and everything inside goes on.
        Raises: OutOfSpace.
        """
        ...
