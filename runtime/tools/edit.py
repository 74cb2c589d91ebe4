"""Edit: exact text in a file the model has read, replaced."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any

import pydantic

from runtime.tools.files import Edit, as_text, edited, read_bytes, structured_patch
from runtime.tools.tool import AbsolutePath, Context, Result, Tool, ToolFailed, ToolInput
from runtime.tools.write import put


class EditInput(ToolInput):
    """One replacement in one file."""

    file_path: AbsolutePath
    old_string: Annotated[str, pydantic.Field(description="The text to replace, exactly as it stands in the file")]
    new_string: Annotated[str, pydantic.Field(description="The text to put in its place")]
    replace_all: Annotated[bool, pydantic.Field(description="Replace every occurrence, not just the only one")] = False


async def edit(given: EditInput, context: Context) -> Result:
    """Replace one piece of text."""
    change = Edit(given.old_string, given.new_string, given.replace_all)
    before, after = await edit_file(given.file_path, [change], context)
    return Result(
        f"Edited {given.file_path}.",
        detail={
            "filePath": given.file_path,
            "oldString": given.old_string,
            "newString": given.new_string,
            **described(before, after),
            "replaceAll": given.replace_all,
        },
    )


async def edit_file(file_path: str, edits: Sequence[Edit], context: Context) -> tuple[str, str]:
    """Make all edits, or none; the text before and after. Raises ToolFailed if the model does not know the file."""
    path = PurePosixPath(file_path)
    data = await read_bytes(file_path, context)
    if path not in context.bench.seen:
        raise ToolFailed(f"{file_path} has not been read yet: Read it before you edit it")
    if not context.bench.is_current(path, data):
        raise ToolFailed(f"{file_path} has changed since you read it: Read it again before you edit it")
    before = as_text(file_path, data)
    after = edited(before, edits)
    await put(path, after.encode(), context)
    return before, after


def described(before: str, after: str) -> dict[str, Any]:
    """What readers of a tool result are told about an edit."""
    return {"originalFile": before, "structuredPatch": structured_patch(before, after), "userModified": False}


EDIT = Tool(
    name="Edit",
    description=(
        "Replace exact text in a file that you have read. old_string must be in the file exactly once, blanks and "
        "indentation included, or replace_all must be set. Do not include the line numbers that Read shows."
    ),
    input=EditInput,
    read_only=False,
    summary=lambda given: given.file_path,
    run=edit,
)
