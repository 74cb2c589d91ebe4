"""The tool calls of one answer: each checked, allowed or denied, run in its order, and given exactly one result."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import anyio

from runtime.answer import ToolUse
from runtime.events import Denied, Event, LimitsReached, Notice, ToolFinished, ToolOutput, ToolStarted
from runtime.history import LOST
from runtime.noting import Notes
from runtime.permissions import Deny, Mode, decide
from runtime.tools.registry import AnyTool, Registry, found, unknown, validated
from runtime.tools.tool import Context, Result, ToolFailed, ToolInput, Workbench
from sandbox.base import Call, Stream
from sandbox.errors import FileError, SandboxError, SandboxLost

INTERRUPTED = Result(
    "Interrupted by the user: this call was stopped, and may have taken effect in part.", is_error=True
)
NOT_RUN = Result("Not run: the work ended before it was this call's turn.", is_error=True)
UNKNOWN = Result(LOST, is_error=True)
DIED = Result(
    "The outcome of this call is unknown: the sandbox ended while it ran, and it may or may not have taken effect. "
    "A new one takes its place, with the files as they are now; /tmp and $HOME are empty, and no process of before "
    "runs any more. Look at what is there before you repeat anything.",
    is_error=True,
)

Emit = Callable[[Event], None]
OnResult = Callable[[ToolUse, Result], None]


@dataclass
class Calls:
    """The calls of one answer. `on_result` is told each result once, as soon as there is one; what is left when the
    block that runs them is left gets one from `finish`, whatever the reason.
    """

    uses: Sequence[ToolUse]
    registry: Registry
    mode: Mode
    bench: Workbench
    emit: Emit
    on_result: OnResult
    notes: Notes
    denials: list[Denied] = field(default_factory=list)
    lost: SandboxError | None = None
    _begun: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Run everything: neighbours that only read side by side, all others one by one and in order."""
        for batch in batches(self.uses, self.registry):
            if self.lost is not None:
                return
            if len(batch) == 1:
                await self._run_one(batch[0])
                continue
            async with anyio.create_task_group() as group:
                for use in batch:
                    group.start_soon(self._run_one, use)

    def finish(self) -> None:
        """Give every call that has no result yet the one that is true for it."""
        for use in self.uses:
            if use.id not in self._told:
                self._tell(use, self._broken_off if use.id in self._begun else NOT_RUN)

    @property
    def _broken_off(self) -> Result:
        match self.lost:
            case None:
                return INTERRUPTED
            case SandboxLost():
                return DIED
            case _:
                return UNKNOWN

    async def _run_one(self, use: ToolUse) -> None:
        self._begun[use.id] = time.monotonic()
        try:
            self._tell(use, await self._result(use))
        except SandboxError as error:
            self.lost = error

    async def _result(self, use: ToolUse) -> Result:
        """What the call came to. Raises SandboxError if there is no sandbox to run it in (any more)."""
        try:
            tool, given = self._checked(use)
            self.emit(ToolStarted(use.id, use.name, use.input, one_line(tool.summary(given))))
            decision = decide(self.mode, tool.name, read_only=tool.read_only)
            if isinstance(decision, Deny):
                denied = Denied(use.id, use.name, use.input, decision.reason)
                self.denials.append(denied)
                self.emit(denied)
                return Result(decision.reason, is_error=True)
            return await self._run(use, tool, given)
        except (ToolFailed, FileError) as failed:
            return Result(str(failed), is_error=True)

    async def _run(self, use: ToolUse, tool: AnyTool, given: ToolInput) -> Result:
        """Run an allowed call; what it changed is noted however it ends."""
        context = Context(self.bench, use.id, self._shower(use))
        if tool.read_only:
            return await tool.run(given, context)
        await self.notes.before_writing()
        try:
            return await tool.run(given, context)
        finally:
            self.notes.begin(Call(use.id, tool.name, one_line(tool.summary(given)), self.bench.agent))

    def _checked(self, use: ToolUse) -> tuple[AnyTool, ToolInput]:
        """The tool and its valid input. Raises ToolFailed."""
        tool = found(use.name, self.registry)
        if tool is None or use.fault:
            self.emit(ToolStarted(use.id, use.name, use.input, ""))
            raise ToolFailed(use.fault) if tool is not None else unknown(use.name, self.registry)
        try:
            return tool, validated(tool, use.input)
        except ToolFailed:
            self.emit(ToolStarted(use.id, use.name, use.input, ""))
            raise

    def _shower(self, use: ToolUse) -> Callable[[Stream, bytes], None]:
        return lambda stream, data: self.emit(ToolOutput(use.id, stream, data))

    def _tell(self, use: ToolUse, result: Result) -> None:
        self._told.add(use.id)
        self.on_result(use, result)
        seconds = time.monotonic() - self._begun.get(use.id, time.monotonic())
        self.emit(ToolFinished(use.id, use.name, result.text, result.is_error, seconds, result.detail))
        if result.limits:
            self.emit(LimitsReached(use.id, result.limits))
        for sentence in result.refused:
            self.emit(Notice(sentence, "warning"))


def batches(uses: Sequence[ToolUse], registry: Registry) -> Iterator[Sequence[ToolUse]]:
    """The calls in groups that may run side by side: neighbours that only read; every other call is alone."""
    group: list[ToolUse] = []
    for use in uses:
        tool = found(use.name, registry)
        if tool is not None and tool.read_only:
            group.append(use)
            continue
        if group:
            yield group
        group = []
        yield [use]
    if group:
        yield group


def one_line(text: str) -> str:
    """A summary's first line, shortened."""
    first = text.strip().split("\n", 1)[0]
    return first if len(first) <= 200 else first[:199] + "…"
