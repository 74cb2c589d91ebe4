"""Write: a whole file, new or replaced."""

from pathlib import PurePosixPath

from runtime.tools.files import explained, structured_patch, why_not_text
from runtime.tools.text import plural
from runtime.tools.tool import AbsolutePath, Context, Result, Tool, ToolFailed, ToolInput
from sandbox.errors import FileError


class WriteInput(ToolInput):
    """The file and everything it shall hold."""

    file_path: AbsolutePath
    content: str


async def write(given: WriteInput, context: Context) -> Result:
    """Make a file hold exactly this content, unless it is no longer what the model read."""
    path = PurePosixPath(given.file_path)
    exists, before = await current(path, context)
    if before is not None and path in context.bench.seen and not context.bench.is_current(path, before):
        raise ToolFailed(f"{path} has changed since you read it: Read it again before you replace it")
    await put(path, given.content.encode(), context)
    original = before.decode() if before is not None and not why_not_text(before) else None
    lines = given.content.count("\n") + (not given.content.endswith("\n") and bool(given.content))
    return Result(
        f"{'Replaced' if exists else 'Created'} {path} ({plural(lines, 'line')}).",
        detail={
            "type": "update" if exists else "create",
            "filePath": given.file_path,
            "content": given.content,
            "structuredPatch": [] if original is None else structured_patch(original, given.content),
            "originalFile": original,
        },
    )


async def current(path: PurePosixPath, context: Context) -> tuple[bool, bytes | None]:
    """Whether the file exists, and what it holds if that can be read whole. Raises ToolFailed."""
    try:
        return True, await context.sandbox.read(path)
    except FileError as error:
        if error.kind in ("not-found", "too-large"):
            return error.kind == "too-large", None
        raise ToolFailed(await explained(error, str(path), context)) from error


async def put(path: PurePosixPath, data: bytes, context: Context) -> None:
    """Write a file and remember it as seen. Raises ToolFailed."""
    try:
        await context.sandbox.write(path, data)
    except FileError as error:
        raise ToolFailed(await explained(error, str(path), context)) from error
    context.bench.saw(path, data)


WRITE = Tool(
    name="Write",
    description=(
        "Write a whole file; folders that are missing are made, a file that exists is replaced. "
        "To change a part of a file use Edit."
    ),
    input=WriteInput,
    read_only=False,
    summary=lambda given: given.file_path,
    run=write,
)
