"""LS: what a directory inside holds."""

import fnmatch
from pathlib import PurePosixPath

from runtime.tools.files import explained
from runtime.tools.text import clean
from runtime.tools.tool import AbsolutePath, Context, Result, Tool, ToolFailed, ToolInput
from sandbox.base import Entry
from sandbox.errors import FileError

MOST = 1_000
MARKS = {"file": "", "directory": "/", "link": "@", "other": "?"}


class LsInput(ToolInput):
    """Which directory, and which names to leave out."""

    path: AbsolutePath
    ignore: tuple[str, ...] = ()


async def ls(given: LsInput, context: Context) -> Result:
    """List one directory, without those below it."""
    try:
        entries = await context.sandbox.list(PurePosixPath(given.path))
    except FileError as error:
        if error.kind == "not-a-directory":
            raise ToolFailed(f"{given.path} is not a directory: read it with Read") from error
        raise ToolFailed(await explained(error, given.path, context)) from error
    kept = [entry for entry in entries if not any(fnmatch.fnmatch(entry.name, glob) for glob in given.ignore)]
    rows = [row(entry) for entry in kept[:MOST]]
    if len(kept) > MOST:
        rows.append(f"(… and {len(kept) - MOST} more)")
    names = [clean(entry.name) for entry in kept[:MOST]]
    return Result("\n".join(rows) or "(the directory is empty)", detail={"path": given.path, "names": names})


def row(entry: Entry) -> str:
    """One entry in a line: what it is called, what it is, and how large."""
    size = f"  {entry.size}" if entry.kind == "file" else ""
    return clean(entry.name).replace("\n", "\\n") + MARKS[entry.kind] + size


LS = Tool(
    name="LS",
    description="List a directory: `/` marks directories, `@` links; files are followed by their size in bytes.",
    input=LsInput,
    read_only=True,
    summary=lambda given: given.path,
    run=ls,
)
