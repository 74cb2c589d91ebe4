"""BashOutput and KillShell: looking at commands that run in the background, waiting for them, ending them."""

from collections.abc import Sequence
from typing import Annotated, Any

import anyio
import pydantic

from runtime.tools.endings import ending
from runtime.tools.text import bounded, decoded, plural
from runtime.tools.tool import Context, Result, Tool, ToolFailed, ToolInput, Workbench
from sandbox.base import Command, Output, Process
from sandbox.escape import escape

FIRST_LOOK = 0.25
"""Seconds that a start waits for what fails at once: a program that is not there, a port that is taken."""
TOLD = 30_000
DEFAULT_WAIT, LONGEST_WAIT = 30_000, 600_000
BETWEEN_LOOKS = 0.1  # seconds; lines come in crowds, and each look for a pattern is a process inside
BETWEEN_PORTS = 0.2
SEARCH_SECONDS = 10.0

Id = Annotated[
    str,
    pydantic.Field(
        validation_alias=pydantic.AliasChoices("bash_id", "shell_id", "task_id"),
        description="The background command, `bash_1`",
    ),
]
KillId = Annotated[
    str,
    pydantic.Field(
        validation_alias=pydantic.AliasChoices("shell_id", "bash_id", "task_id"),
        description="The background command, `bash_1`",
    ),
]


class BashOutputInput(ToolInput):
    """Which command, and what to wait for before it is looked at."""

    bash_id: Id = ""
    filter: Annotated[
        str | None, pydantic.Field(description="Tell only lines that match this regular expression (grep -E)")
    ] = None
    block: Annotated[bool, pydantic.Field(description="Wait until the command ends")] = False
    wait_for: Annotated[
        str | None,
        pydantic.Field(description="Wait until a new line matches this regular expression, or the command ends"),
    ] = None
    wait_for_port: Annotated[
        int | None,
        pydantic.Field(
            gt=0, le=65535, description="Wait until something listens on this TCP port, or the command ends"
        ),
    ] = None
    timeout: Annotated[int, pydantic.Field(gt=0, le=LONGEST_WAIT, description="Milliseconds to wait at most")] = (
        DEFAULT_WAIT
    )


class KillShellInput(ToolInput):
    """Which command."""

    shell_id: KillId


async def bash_output(given: BashOutputInput, context: Context) -> Result:
    """Wait if that was asked, then tell what is new; without an id, tell which there are."""
    if not given.bash_id:
        return Result(listing(context))
    process = find(given.bash_id, context)
    note = await wait(given, process, context)
    output = process.take()
    if given.filter is not None:
        output = await matching(output, given.filter, context)
    return told(process, output, [note] if note else [], context)


async def kill_shell(given: KillShellInput, context: Context) -> Result:
    """End one, and everything it started."""
    process = find(given.shell_id, context)
    if process.status != "running":
        return Result(f"{state(process)}; there was nothing to end", detail=detail(process, ""))
    await process.kill()
    context.bench.told_ended.add(process.id)
    return Result(f"{process.id} was killed with all its processes", detail=detail(process, ""))


def begun(process: Process, context: Context, notes: list[str]) -> Result:
    """What is told of a command that has just been started."""
    if process.status == "running":
        text = f"{process.id} runs in the background; BashOutput tells what it says"
        result = Result("\n".join([text, *(f"({note})" for note in notes)]), detail=detail(process, ""))
    else:
        result = told(process, process.take(), notes, context)
    fields = {"stderr": "", "interrupted": False, "isImage": False, "backgroundTaskId": process.id}
    return Result(
        result.text, result.is_error, {**fields, "stdout": result.detail["stdout"]}, result.limits, result.refused
    )


def told(process: Process, output: Output, notes: list[str], context: Context) -> Result:
    """How a command stands, and what is new of what it said."""
    is_news = process.status != "running" and process.id not in context.bench.told_ended
    if is_news:
        context.bench.told_ended.add(process.id)
    text = bounded(output, TOLD).strip("\n")
    left = process.result.left_running if process.result is not None else 0
    if left:
        notes = [*notes, f"{plural(left, 'process')} of this command still running in the background"]
    ended = process.result if is_news else None
    limits, refused = ((), ()) if ended is None else (ended.limits, ended.refused)
    parts = [state(process), text or "(no new output)", *(f"({note})" for note in notes)]
    return Result("\n".join(parts), detail=detail(process, text), limits=limits, refused=refused)


def detail(process: Process, text: str) -> dict[str, Any]:
    """The same in structure."""
    result = process.result
    return {
        "shellId": process.id,
        "command": shown(process),
        "status": process.status,
        "exitCode": None if result is None else result.exit_code,
        "signal": None if result is None else result.signal,
        "outcomeUnknown": result is not None and result.is_unwatched,
        "stdout": text,
        "stderr": "",
    }


def state(process: Process) -> str:
    """One line: which command, how it stands, which limits it reached, and what it was not let ask."""
    ended = process.result
    return "; ".join([standing(process), *(() if ended is None else ended.remarks)])


def standing(process: Process) -> str:
    """How a command stands."""
    seconds = f"{process.seconds:.0f} s"
    match process.status:
        case "running":
            return f"{process.id} is running, for {seconds}"
        case "killed":
            return f"{process.id} was killed after {seconds}"
        case "lost":
            return f"{process.id} ended with its sandbox"
        case _:
            how = "" if process.result is None else ending(process.result, limit=process.command.timeout)
            return f"{process.id} has ended after {seconds}: {how or 'exit code 0'}"


def shown(process: Process) -> str:
    """The command line."""
    return process.command.argv[-1]


def short(process: Process) -> str:
    """The beginning of the command line, for one line of text."""
    line = escape(shown(process).strip().split("\n", 1)[0])
    return line if len(line) <= 60 else line[:59] + "…"


def listing(context: Context) -> str:
    """All there are, one a line."""
    rows = [f"{state(one)}: {short(one)}" for one in context.sandbox.processes]
    return "\n".join(rows) or "there are no background commands: Bash starts one with `run_in_background`"


def find(name: str, context: Context) -> Process:
    """The command of that name. Raises ToolFailed that names those there are."""
    for process in context.sandbox.processes:
        if process.id == name:
            return process
    known = ", ".join(f"{one.id} ({one.status})" for one in context.sandbox.processes[-20:])
    ending_with = "background commands end with the sandbox they were started in"
    raise ToolFailed(f"there is no background command {name!r}: there are {known or 'none'}; {ending_with}")


def ended_reminder(bench: Workbench) -> str:
    """What the model has to be told of commands that ended while it did something else, once; or nothing."""
    ended = [one for one in bench.sandbox.processes if one.status != "running" and one.id not in bench.told_ended]
    bench.told_ended.update(one.id for one in ended)
    if not ended:
        return ""
    rows = [f"- {state(one)}" for one in ended]
    return "\n".join(["<system-reminder>", "Background commands have ended:", *rows, "</system-reminder>"])


def still_running(processes: Sequence[Process]) -> str:
    """What the user is told at the end of a turn, if anything goes on."""
    running = [one for one in processes if one.status == "running"]
    if not running:
        return ""
    names = ", ".join(f"{one.id} `{short(one)}`" for one in running[:3])
    more = f" and {len(running) - 3} more" if len(running) > 3 else ""
    return f"{plural(len(running), 'background command')} running until the session ends: {names}{more}"


async def wait(given: BashOutputInput, process: Process, context: Context) -> str:
    """Wait for what was asked for, if anything was; what to note if it did not come. Raises ToolFailed."""
    signs = [f"`{given.wait_for}` has not been said"] if given.wait_for is not None else []
    signs += [f"nothing listens on {given.wait_for_port}"] if given.wait_for_port is not None else []
    if not given.block and not signs:
        return ""
    with anyio.move_on_after(given.timeout / 1000):
        while process.status == "running":
            if signs and await has_come(given, process, context):
                return ""
            with anyio.move_on_after(BETWEEN_PORTS if given.wait_for_port is not None else None):
                await process.news()
            await anyio.sleep(BETWEEN_LOOKS)
    is_running = process.status == "running"
    if signs and not await has_come(given, process, context):
        return f"waited {given.timeout / 1000:g} s: {' or '.join(signs)}" if is_running else " or ".join(signs)
    return f"waited {given.timeout / 1000:g} s: it has not ended" if given.block and is_running else ""


async def has_come(given: BashOutputInput, process: Process, context: Context) -> bool:
    """Whether the signs that are waited for are there: the port, and the line among what is not told yet."""
    if given.wait_for_port is not None and given.wait_for_port not in await context.sandbox.listening():
        return False
    return given.wait_for is None or bool((await matching(process.unread(), given.wait_for, context)).all)


async def matching(output: Output, pattern: str, context: Context) -> Output:
    """The lines that match. The pattern is the model's and some take years, so they are searched inside."""
    if "\0" in pattern:
        raise ToolFailed("a pattern must not hold a NUL byte")
    argv = ["grep", "-a", "-E", "-e", pattern]
    command = Command(
        argv, context.sandbox.root, stdin=output.all, timeout=SEARCH_SECONDS, keep=4 * len(output.all) + 2
    )
    result = await context.sandbox.run(command)
    if result.timed_out:
        raise ToolFailed(f"the pattern took longer than {SEARCH_SECONDS:g} s: use a simpler one")
    if result.exit_code > 1:
        raise ToolFailed(f"the pattern cannot be used: {decoded(result.stderr.all).strip()[:500]}")
    return Output(tail=result.stdout.all, omitted=output.omitted)


BASH_OUTPUT = Tool(
    name="BashOutput",
    description=(
        "Tell how a command started with Bash's `run_in_background` stands, and what it has said since the last look "
        "(stdout and stderr as they came). `block` waits for its end, `wait_for` for a line, `wait_for_port` for a "
        "server that is ready; never poll with sleep. Without `bash_id` it lists all background commands."
    ),
    input=BashOutputInput,
    read_only=True,
    summary=lambda given: " ".join(
        filter(
            None, [given.bash_id or "all", given.wait_for, f"port {given.wait_for_port}" if given.wait_for_port else ""]
        )
    ),
    run=bash_output,
)

KILL_SHELL = Tool(
    name="KillShell",
    description="End a background command with everything it started.",
    input=KillShellInput,
    read_only=False,
    summary=lambda given: given.shell_id,
    run=kill_shell,
)
