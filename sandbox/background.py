"""Commands that run on beside the calls: what each says is kept, the newest of it, and who waits for it is woken."""

from collections.abc import Callable, Sequence
from typing import Protocol

import anyio

from sandbox.base import Command, ExecResult, OnOutput, Output, Status, Stream
from sandbox.errors import SandboxError, SandboxLost, TooManyProcesses

MOST = 32
KEPT = 256 * 1024
"""Bytes held of what one has said lately."""
REMEMBERED = 256
"""Ended ones that can still be asked about."""


class Terminal(Protocol):
    """Where its sandbox takes what is typed."""

    async def send(self, data: bytes) -> None:
        """Type."""
        ...

    async def resize(self, rows: int, columns: int) -> None:
        """Change its size."""
        ...

    async def waits(self) -> bool:
        """Whether somebody reads it now."""
        ...


class Background:
    """One such command, as its sandbox drives it; the rest is `sandbox.base.Process`. Stopped by leaving `patience`."""

    def __init__(self, name: str, command: Command, on_end: Callable[[], None] = lambda: None) -> None:
        self.id = name
        self.command = command
        self.patience = anyio.CancelScope()
        self.result: ExecResult | None = None
        self.was_killed = False
        self.terminal: Terminal | None = None
        self._failure: SandboxError | None = None
        self._on_end = on_end
        self._began = anyio.current_time()
        self._ended: float | None = None
        self._kept = bytearray()
        self._said = self._taken = 0
        self._news = anyio.Event()

    @property
    def status(self) -> Status:
        """How it stands."""
        if self._ended is None:
            return "running"
        if self.result is None:
            return "lost"
        if self.was_killed:
            return "killed"
        return "timed out" if self.result.timed_out else "exited"

    @property
    def seconds(self) -> float:
        """How long it has run, or ran."""
        return (anyio.current_time() if self._ended is None else self._ended) - self._began

    def hear(self, _stream: Stream, data: bytes) -> None:
        """Its sandbox: it says something."""
        self._said += len(data)
        self._kept += data
        del self._kept[: max(0, len(self._kept) - KEPT)]
        self._tell()

    def end(self, result: ExecResult | None, failure: SandboxError | None = None) -> None:
        """Its sandbox: it has ended, or cannot be followed any more."""
        self.result, self._failure = result, failure
        self._ended = anyio.current_time()
        self._on_end()
        self._tell()

    def unread(self) -> Output:
        """What it said since the last `take`."""
        fresh = self._said - self._taken
        held = min(fresh, len(self._kept))
        return Output(tail=bytes(self._kept[len(self._kept) - held :]), omitted=fresh - held)

    def take(self) -> Output:
        """The same, and the next look begins after it."""
        output, self._taken = self.unread(), self._said
        return output

    async def news(self) -> None:
        """Wait until it says something more or ends."""
        if self._ended is None:
            await self._news.wait()

    async def wait(self) -> ExecResult:
        """Wait for its end. Raises FileError, SandboxLost."""
        while self._ended is None:
            await self._news.wait()
        if self.result is None:
            raise self._failure or SandboxLost(f"{self.id} ended with its sandbox")
        return self.result

    async def send(self, data: bytes) -> None:
        """Type on its terminal."""
        if self.terminal is not None and self._ended is None:
            await self.terminal.send(data)

    async def resize(self, rows: int, columns: int) -> None:
        """Make its terminal so large."""
        if self.terminal is not None and self._ended is None:
            await self.terminal.resize(rows, columns)

    async def waits(self) -> bool:
        """Whether what its keys go to is reading them."""
        return self.terminal is not None and self._ended is None and await self.terminal.waits()

    async def kill(self) -> None:
        """End all of it, and wait for that."""
        if self._ended is None:
            self.was_killed = True
            self.patience.cancel()
        while self._ended is None:
            await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()


def heard_by(process: Background, on_output: OnOutput | None) -> OnOutput:
    """Tells a process, and whoever else listens, what it says."""
    if on_output is None:
        return process.hear

    def hear(stream: Stream, data: bytes) -> None:
        process.hear(stream, data)
        on_output(stream, data)

    return hear


class Backgrounds:
    """Those of one sandbox."""

    def __init__(self) -> None:
        self._all: list[Background] = []
        self._count = 0

    @property
    def all(self) -> Sequence[Background]:
        """In the order of their start."""
        return tuple(self._all)

    def add(self, command: Command, on_end: Callable[[], None]) -> Background:
        """One more. Raises TooManyProcesses."""
        running = [one for one in self._all if one.status == "running"]
        if len(running) >= MOST:
            raise TooManyProcesses(f"{MOST} background commands are running, and no more may: end one first")
        ended = [one for one in self._all if one.status != "running"]
        for one in ended[: max(0, len(ended) - REMEMBERED + 1)]:
            self._all.remove(one)
        self._count += 1
        process = Background(f"bash_{self._count}", command, on_end)
        self._all.append(process)
        return process
