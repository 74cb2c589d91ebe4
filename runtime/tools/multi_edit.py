"""MultiEdit: several replacements in one file, all or none."""

from typing import Annotated

import pydantic

from runtime.tools.edit import described, edit_file
from runtime.tools.files import Edit
from runtime.tools.text import plural
from runtime.tools.tool import AbsolutePath, Context, Result, Tool, ToolInput


class OneEdit(ToolInput):
    """One of the replacements."""

    old_string: str
    new_string: str
    replace_all: bool = False


class MultiEditInput(ToolInput):
    """Replacements, made in order, each on the text the one before left."""

    file_path: AbsolutePath
    edits: Annotated[tuple[OneEdit, ...], pydantic.Field(min_length=1)]


async def multi_edit(given: MultiEditInput, context: Context) -> Result:
    """Make every replacement, or leave the file as it was."""
    edits = [Edit(one.old_string, one.new_string, one.replace_all) for one in given.edits]
    before, after = await edit_file(given.file_path, edits, context)
    return Result(
        f"Made {plural(len(edits), 'edit')} in {given.file_path}.",
        detail={
            "filePath": given.file_path,
            "edits": [one.model_dump() for one in given.edits],
            **described(before, after),
        },
    )


MULTI_EDIT = Tool(
    name="MultiEdit",
    description=(
        "Make several exact replacements in one file that you have read, in order. If one of them cannot be made, "
        "none is. Each follows the rules of Edit."
    ),
    input=MultiEditInput,
    read_only=False,
    summary=lambda given: f"{given.file_path} ({plural(len(given.edits), 'edit')})",
    run=multi_edit,
)
