"""Bash: one command line in the sandbox, with a working directory that stays from call to call."""

import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar

import anyio
import pydantic

from runtime.tools.background import FIRST_LOOK, begun
from runtime.tools.endings import ending
from runtime.tools.spool import Spool
from runtime.tools.text import bounded, clean, plural
from runtime.tools.tool import Context, Result, Tool, ToolFailed, ToolInput
from sandbox.base import Command, ExecResult, Process, Stream
from sandbox.errors import FileError, SandboxLost, TooManyProcesses

Outcome = TypeVar("Outcome")

DEFAULT_TIMEOUT, LONGEST_TIMEOUT = 120_000, 600_000
TOLD = 30_000
"""Characters of output the model is told; of stderr at most a third, unless stdout leaves room."""
LONGEST_COMMAND = 120_000
"""Bytes that fit into one argument of a process (Linux allows 128 KiB)."""

REPORT_CWD = "trap 'pwd -P >&3 2>/dev/null' EXIT; "
"""Goes before the command, on its line so that bash counts lines as the model does."""

BENIGN = {
    "grep": "nothing matched",
    "egrep": "nothing matched",
    "fgrep": "nothing matched",
    "rg": "nothing matched",
    "git grep": "nothing matched",
    "find": "some directories could not be read",
    "diff": "the files differ",
    "git diff": "the files differ",
    "test": "the condition is false",
    "[": "the condition is false",
}
"""Programs whose exit code 1 is an answer, not a failure."""


class BashInput(ToolInput):
    """A command line and how long it may take."""

    command: Annotated[str, pydantic.Field(min_length=1)]
    timeout: Annotated[
        int, pydantic.Field(gt=0, le=LONGEST_TIMEOUT, description="Milliseconds the command may take")
    ] = DEFAULT_TIMEOUT
    description: Annotated[str, pydantic.Field(description="What the command does, in five to ten words")] = ""
    run_in_background: Annotated[
        bool, pydantic.Field(description="Return at once; the command runs on. Without `timeout` it has no limit")
    ] = False

    @pydantic.field_validator("command")
    @classmethod
    def _fits(cls, command: str) -> str:
        if "\0" in command:
            raise ValueError("must not hold a NUL byte")
        if len(command.encode()) > LONGEST_COMMAND:
            raise ValueError(f"is longer than {LONGEST_COMMAND} bytes: write a script with Write, then run it")
        return command


async def bash(given: BashInput, context: Context) -> Result:
    """Run one command line and tell what it said, or that it has been started."""
    if given.run_in_background:
        return await start(given, context)
    spool = Spool(context.bench.outputs, context.call_id, TOLD)

    def see(stream: Stream, data: bytes) -> None:
        spool.add(data)
        context.on_output(stream, data)

    notes: list[str] = []
    try:
        result = await in_cwd(given, context, notes, lambda command: context.sandbox.run(command, see))
        kept = spool.is_kept
    finally:
        spool.close()
    notes += follow(result, context)
    where = f"the full output is kept in the session as {spool.path.name}" if kept else ""
    return told(given, result, notes=notes, where=where, kept=str(spool.path) if kept else "")


async def start(given: BashInput, context: Context) -> Result:
    """Start the command in the background; what fails at once is told at once."""
    spool = Spool(context.bench.outputs, context.call_id, 0)
    limited = "timeout" in given.model_fields_set

    async def go(command: Command) -> Process:
        command = replace(command, report=False, timeout=command.timeout if limited else None)
        try:
            process = await context.sandbox.start(command, lambda _, data: spool.add(data), spool.close)
        except TooManyProcesses as error:
            raise ToolFailed(f"not started: {error} with KillShell") from error
        with anyio.move_on_after(FIRST_LOOK), contextlib.suppress(SandboxLost):
            await process.wait()
        return process

    notes: list[str] = []
    process = await in_cwd(given, context, notes, go)
    return begun(process, context, notes)


async def in_cwd(
    given: BashInput, context: Context, notes: list[str], go: Callable[[Command], Awaitable[Outcome]]
) -> Outcome:
    """Run the command where Bash stands, or in the workspace's root if that place is gone."""
    bench, shell = context.bench, await context.sandbox.shell()
    for _ in range(2):
        command = Command(
            argv=[shell, "-c", given.command if given.run_in_background else REPORT_CWD + given.command],
            cwd=bench.cwd,
            timeout=given.timeout / 1000,
            report=True,
            call_id=context.call_id,
        )
        try:
            return await go(command)
        except FileError as error:
            if bench.cwd == context.sandbox.root:
                raise ToolFailed(f"the workspace {bench.cwd} cannot be entered: {clean(str(error))}") from error
            notes.append(f"{bench.cwd} is gone. Shell cwd was reset to {context.sandbox.root}")
            bench.cwd = context.sandbox.root
    raise AssertionError("the workspace's root was tried")


def follow(result: ExecResult, context: Context) -> list[str]:
    """Stand where the command left its shell, if that is inside the workspace; what to note otherwise."""
    reported = result.report.decode("utf-8", "surrogateescape").removesuffix("\n")
    if not reported.startswith("/") or "\0" in reported:
        return []
    bench, root = context.bench, context.sandbox.root
    place = PurePosixPath(reported)
    if place == root or root in place.parents:
        bench.cwd = place
        return []
    bench.cwd = root
    return [f"Shell cwd was reset to {root}"]


def told(given: BashInput, result: ExecResult, *, notes: list[str], where: str, kept: str) -> Result:
    """What the model is told: how it ended, stdout, stderr, and what else is worth knowing."""
    err_room = max(TOLD // 3, TOLD - len(result.stdout.all))
    stderr = bounded(result.stderr, err_room, where=where)
    stdout = bounded(result.stdout, max(TOLD - len(stderr), TOLD // 3), where=where)
    meaning = BENIGN.get(last_program(given.command), "") if result.exit_code == 1 and not result.timed_out else ""
    bad = result.timed_out or (result.exit_code != 0 and not meaning)
    notes = [*result.remarks, *notes]
    how = ending(result, limit=given.timeout / 1000, meaning=meaning)
    parts = [how, stdout.rstrip("\n"), stderr.rstrip("\n")]
    if result.left_running:
        notes = [*notes, f"{plural(result.left_running, 'process')} of this command still running in the background"]
    parts += [f"({note})" for note in notes]
    text = "\n".join(part for part in parts if part)
    detail: dict[str, Any] = {
        "stdout": stdout,
        "stderr": stderr,
        "interrupted": False,
        "isImage": False,
        "noOutputExpected": False,
        "exitCode": result.exit_code,
    }
    if result.signal is not None:
        detail |= {"signal": result.signal}
    if result.is_unwatched:
        detail |= {"outcomeUnknown": True}
    if result.timed_out:
        detail |= {"interrupted": True, "timedOutAfterMs": given.timeout}
    if result.limits:
        detail |= {"limitsReached": [{"name": limit.name, "limit": limit.most} for limit in result.limits]}
    if result.refused:
        detail |= {"networkDenied": list(result.refused)}
    if kept:
        detail |= {"persistedOutputPath": kept}
    if meaning:
        detail |= {"returnCodeInterpretation": meaning}
    return Result(text or "(no output)", bad, detail, result.limits, result.refused)


def last_program(command: str) -> str:
    """The program whose exit code the command line has, as far as that can be told without a shell's grammar."""
    last = re.split(r"\|\||&&|[;|\n]", command.strip())[-1].split()
    while last and re.fullmatch(r"\w+=\S*", last[0]):
        last.pop(0)
    if not last:
        return ""
    name = last[0].rsplit("/", 1)[-1]
    return f"git {last[1]}" if name == "git" and len(last) > 1 else name


BASH = Tool(
    name="Bash",
    description=(
        "Run a command line with bash in the sandbox. The working directory stays from call to call while it is inside "
        "the workspace; variables and other shell state do not. There is no terminal, and stdin is closed. "
        f"A command may take {DEFAULT_TIMEOUT // 1000} s, or up to {LONGEST_TIMEOUT // 1000} s if `timeout` says so; "
        "after that it is stopped with all its processes. Long output is cut in the middle. "
        "A server, a watcher or anything else that does not end by itself is started with `run_in_background`; "
        "BashOutput then tells what it says, and waits for it. "
        "For reading, searching and editing files the other tools are better."
    ),
    input=BashInput,
    read_only=False,
    summary=lambda given: given.command,
    run=bash,
)
