"""Terminal: a program on a terminal of its own. Text and keys go in, and what the screen shows comes back as text."""

from typing import TYPE_CHECKING, Annotated, Any

import anyio
import anyio.to_thread
import pydantic

from runtime.tools.background import Id, find, matching, state
from runtime.tools.keys import KEYS, bytes_of
from runtime.tools.spool import Spool
from runtime.tools.tool import Context, Result, Tool, ToolFailed, ToolInput
from sandbox.base import Command, Output, Process
from sandbox.errors import TooManyProcesses

if TYPE_CHECKING:
    from runtime.tools.screen import Screen

ROWS, COLUMNS = 24, 80
QUIET = 0.6
"""Seconds without a change after which a screen counts as drawn."""
FIRST_SIGHT = 4.0
"""The same for one that has not drawn anything yet: a program takes its time to begin."""
BETWEEN_LOOKS = 0.05
DEFAULT_WAIT, LONGEST_WAIT = 10_000, 600_000
TYPING_SECONDS = 10.0
MOST_DRAWN = 64 * 1024
"""Bytes of what was said since the last look: of a flood the end, for drawing takes its time."""
TERM = "linux"
"""The terminal the emulator is closest to; every image with terminfo knows it."""


class TerminalInput(ToolInput):
    """A program to start or a terminal to go on with, what to type, and what to wait for."""

    command: Annotated[
        str, pydantic.Field(max_length=100_000, description="Start this command line on a new terminal")
    ] = ""
    id: Annotated[Id, pydantic.Field(validation_alias=pydantic.AliasChoices("id", "bash_id"))] = ""
    input: Annotated[
        str, pydantic.Field(max_length=10_000, description="Text to type, as it is; no Enter is added")
    ] = ""
    keys: Annotated[
        tuple[str, ...],
        pydantic.Field(
            max_length=100, description=f"Keys to press after that: {', '.join(KEYS)}, Ctrl-A to Ctrl-Z, Alt-x"
        ),
    ] = ()
    wait_for: Annotated[
        str | None,
        pydantic.Field(
            description="Wait until a line of the screen matches this regular expression, not only for quiet"
        ),
    ] = None
    timeout: Annotated[int, pydantic.Field(gt=0, le=LONGEST_WAIT, description="Milliseconds to wait at most")] = (
        DEFAULT_WAIT
    )
    rows: Annotated[int | None, pydantic.Field(ge=2, le=200, description=f"Height, {ROWS} if not said")] = None
    columns: Annotated[int | None, pydantic.Field(ge=10, le=300, description=f"Width, {COLUMNS} if not said")] = None

    @pydantic.field_validator("keys")
    @classmethod
    def _known(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            bytes_of(key)
        return keys

    @pydantic.model_validator(mode="after")
    def _one(self) -> "TerminalInput":
        if bool(self.command) == bool(self.id):
            raise ValueError("takes `command` for a new terminal, or `id` of one there is")
        if "\0" in self.command:
            raise ValueError("must not hold a NUL byte")
        return self


async def terminal(given: TerminalInput, context: Context) -> Result:
    """Start or find it, type, wait until it has drawn, and tell what it shows."""
    process, screen = await begin(given, context) if given.command else known(given, context)
    size = (given.rows or screen.size[0], given.columns or screen.size[1])
    if size != screen.size:
        screen.resize(*size)
        await process.resize(*size)
    with anyio.move_on_after(TYPING_SECONDS) as patience:
        await process.send(given.input.encode("utf-8", "replace") + b"".join(map(bytes_of, given.keys)))
    if patience.cancelled_caught:
        raise ToolFailed("what was typed was not taken: the program does not read its terminal")
    skipped, note = await settle(given, process, screen, context)
    return await shown(
        process, screen, [f"{skipped} bytes that went by were not drawn"] * bool(skipped) + [note] * bool(note), context
    )


async def begin(given: TerminalInput, context: Context) -> tuple[Process, "Screen"]:
    """A new terminal. Raises ToolFailed."""
    rows, columns = given.rows or ROWS, given.columns or COLUMNS
    command = Command(
        ["bash", "-c", given.command],
        context.bench.cwd,
        env={"TERM": TERM},
        terminal=(rows, columns),
        call_id=context.call_id,
    )
    spool = Spool(context.bench.outputs, context.call_id, 0)
    try:
        process = await context.sandbox.start(command, lambda _, data: spool.add(data), spool.close)
    except TooManyProcesses as error:
        raise ToolFailed(f"not started: {error} with KillShell") from error
    screen = context.bench.screens[process.id] = new_screen(rows, columns)
    return process, screen


def known(given: TerminalInput, context: Context) -> tuple[Process, "Screen"]:
    """One there is. Raises ToolFailed."""
    process = find(given.id, context)
    if process.command.terminal is None:
        raise ToolFailed(f"{process.id} has no terminal: BashOutput tells what it says")
    return process, context.bench.screens.setdefault(process.id, new_screen(*process.command.terminal))


def new_screen(rows: int, columns: int) -> "Screen":
    """An empty screen. The emulator is loaded with the first one: most sessions have none."""
    from runtime.tools.screen import Screen  # noqa: PLC0415

    return Screen(rows, columns)


async def settle(given: TerminalInput, process: Process, screen: "Screen", context: Context) -> tuple[int, str]:
    """Draw until what is waited for shows, or nothing changes any more; bytes skipped, and what did not come."""
    skipped, quiet_since = 0, anyio.current_time()
    with anyio.move_on_after(given.timeout / 1000):
        while True:
            drawn, passed = news(process)
            skipped += passed
            if drawn:
                quiet_since = anyio.current_time()
                await process.send(await anyio.to_thread.run_sync(screen.feed, drawn))
                if given.wait_for is not None and await shows(given.wait_for, screen, context):
                    return skipped, ""
            patience = QUIET if screen.rows() else FIRST_SIGHT
            has_ended = process.status != "running"
            if has_ended or (given.wait_for is None and anyio.current_time() - quiet_since > patience):
                break
            with anyio.move_on_after(QUIET / 4):
                await process.news()
            await anyio.sleep(BETWEEN_LOOKS)
    drawn, passed = news(process)
    skipped += passed
    await anyio.to_thread.run_sync(screen.feed, drawn)
    if given.wait_for is not None and not await shows(given.wait_for, screen, context):
        return (
            skipped,
            f"`{given.wait_for}` does not show after {given.timeout / 1000:g} s" if process.status == "running" else "",
        )
    return skipped, ""


def news(process: Process) -> tuple[bytes, int]:
    """What it said since the last look, as far as it is drawn, and how many bytes before that are not."""
    output = process.take()
    drawn = output.tail[-MOST_DRAWN:]
    return drawn, output.omitted + len(output.tail) - len(drawn)


async def shows(pattern: str, screen: "Screen", context: Context) -> bool:
    """Whether a line of the screen matches."""
    text = "\n".join(screen.rows()).encode()
    return bool((await matching(Output(tail=text + b"\n"), pattern, context)).all)


async def shown(process: Process, screen: "Screen", notes: list[str], context: Context) -> Result:
    """What the screen shows, and where the cursor is."""
    if process.status != "running":
        context.bench.told_ended.add(process.id)
    rows = screen.rows()
    row, column = screen.cursor
    size = f"{screen.size[0]} x {screen.size[1]}"
    waits = await process.waits()
    where = (
        f"{'; it waits for input' if waits else ''}; cursor in row {row}, column {column} of {size}"
        if process.status == "running"
        else ""
    )
    text = "\n".join([f"{state(process)}{where}", *rows, *(f"({note})" for note in notes)])
    result = process.result
    detail: dict[str, Any] = {
        "shellId": process.id,
        "status": process.status,
        "exitCode": None if result is None else result.exit_code,
        "screen": list(rows),
        "cursor": [row, column],
        "waitsForInput": waits,
    }
    return Result(text, detail=detail)


def summary(given: TerminalInput) -> str:
    """One line for people: the program, or the keys."""
    return " ".join(filter(None, [given.command or given.id, repr(given.input) if given.input else "", *given.keys]))


TERMINAL: Tool[TerminalInput] = Tool(
    name="Terminal",
    description=(
        "Run a program that needs a terminal (a debugger, a REPL, an installer that asks, an editor) and work it as a "
        "person does: `command` starts it on a new terminal, `id` goes on with one. `input` is typed, then `keys` are "
        "pressed (Enter is a key), and what the screen shows comes back, once it is quiet or `wait_for` shows. "
        "For everything else Bash is better. KillShell ends it."
    ),
    input=TerminalInput,
    read_only=False,
    summary=summary,
    run=terminal,
)
