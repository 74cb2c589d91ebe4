"""Read: a text file with line numbers, from anywhere inside the sandbox."""

from pathlib import PurePosixPath
from typing import Annotated

import pydantic

from runtime.tools.files import BOM, as_text, read_bytes
from runtime.tools.text import plural
from runtime.tools.tool import AbsolutePath, Context, Result, Tool, ToolInput

LINES = 2_000
LINE_LENGTH = 2_000
MOST = 120_000
"""Characters of one answer; a file of long lines ends earlier than at `limit`."""


class ReadInput(ToolInput):
    """Which part of which file."""

    file_path: AbsolutePath
    offset: Annotated[int, pydantic.Field(ge=0, description="The first line to read, counted from 1")] = 1
    limit: Annotated[int, pydantic.Field(ge=1, description=f"How many lines to read, {LINES} if left out")] = LINES


async def read(given: ReadInput, context: Context) -> Result:
    """Read a part of a text file and remember the file as seen."""
    data = await read_bytes(given.file_path, context)
    text = as_text(given.file_path, data).removeprefix(BOM)
    context.bench.saw(PurePosixPath(given.file_path), data)
    await context.sandbox.saw(PurePosixPath(given.file_path), data)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    start = max(given.offset, 1)
    shown, taken = numbered(lines[start - 1 : start - 1 + given.limit], start)
    return Result(
        shown + note(start, taken, len(lines)),
        detail={
            "type": "text",
            "file": {
                "filePath": given.file_path,
                "content": "\n".join(lines[start - 1 : start - 1 + taken]),
                "numLines": taken,
                "startLine": start,
                "totalLines": len(lines),
            },
        },
    )


def numbered(lines: list[str], start: int) -> tuple[str, int]:
    """Lines with their numbers, as `cat -n` prints them, and how many fitted."""
    shown: list[str] = []
    length = 0
    for number, line in enumerate(lines, start):
        text = line.removesuffix("\r")
        if len(text) > LINE_LENGTH:
            text = f"{text[:LINE_LENGTH]}… [{len(text) - LINE_LENGTH} more characters in this line]"
        row = f"{number:>6}\t{text}"
        length += len(row) + 1
        if length > MOST and shown:
            break
        shown.append(row)
    return "\n".join(shown), len(shown)


def note(start: int, taken: int, total: int) -> str:
    """What to say about what is not shown."""
    if total == 0:
        return "(the file is empty)"
    if taken == 0:
        return f"(the file has {plural(total, 'line')}: line {start} is past its end)"
    end = start + taken - 1
    return "" if end >= total else f"\n(lines {start} to {end} of {total}: go on with offset={end + 1})"


READ = Tool(
    name="Read",
    description=(
        "Read a text file. Lines are numbered like `cat -n` does; the number and the tab after it are not in the file. "
        f"Without offset and limit, the first {LINES} lines. Read a file before you edit it."
    ),
    input=ReadInput,
    read_only=True,
    summary=lambda given: given.file_path,
    run=read,
)
