"""Grep: what is in files, found by ripgrep with its own flags."""

from typing import Annotated, Any, Literal

import pydantic

from runtime.tools.search import newest_first, place_of, ripgrep
from runtime.tools.text import decoded
from runtime.tools.tool import AbsolutePath, Context, Result, Tool, ToolInput

HEAD_LIMIT = 250
TOLD = 30_000
"""Characters the model is told, whatever the limits say."""

Mode = Literal["content", "files_with_matches", "count"]
Lines = Annotated[int | None, pydantic.Field(ge=0, le=10_000)]


class GrepInput(ToolInput):
    """A regular expression, where to look, and what to show. The short names are ripgrep's flags."""

    pattern: Annotated[str, pydantic.Field(min_length=1, description="A regular expression, in ripgrep's syntax")]
    path: Annotated[AbsolutePath | None, pydantic.Field(description="A file or directory; the cwd if left out")] = None
    glob: Annotated[str | None, pydantic.Field(description="Only files that match, for example *.py")] = None
    type: Annotated[str | None, pydantic.Field(description="Only files of a type: py, js, rust …")] = None
    output_mode: Mode = "files_with_matches"
    ignore_case: Annotated[bool, pydantic.Field(alias="-i")] = False
    line_numbers: Annotated[bool, pydantic.Field(alias="-n")] = True
    only_matching: Annotated[bool, pydantic.Field(alias="-o")] = False
    after: Annotated[Lines, pydantic.Field(alias="-A", description="Lines to show after each match")] = None
    before: Annotated[Lines, pydantic.Field(alias="-B", description="Lines to show before each match")] = None
    around: Annotated[Lines, pydantic.Field(alias="-C", description="Lines to show around each match")] = None
    multiline: Annotated[bool, pydantic.Field(description="Let a match go over several lines")] = False
    head_limit: Annotated[int, pydantic.Field(ge=0, description="Lines or files to show; 0 for all")] = HEAD_LIMIT
    offset: Annotated[int, pydantic.Field(ge=0, description="Lines or files to leave out at first")] = 0


async def grep(given: GrepInput, context: Context) -> Result:
    """Search the content of files."""
    arguments = [*flags(given), "--", str(place_of(given.path, context))]
    if given.output_mode == "files_with_matches":
        names, found = await newest_first(arguments, context)
        rows = list(names)
    else:
        found = await ripgrep(arguments, context)
        rows = decoded(found.data).split("\n")[:-1]
    end = given.offset + given.head_limit if given.head_limit else len(rows)
    shown = rows[given.offset : end]
    text, fitted = fitting(shown)
    left = len(rows) - given.offset - fitted
    notes = []
    if left > 0 or found.cut:
        more = "more" if found.cut else f"{left} more"
        notes.append(f"({more}: go on with offset={given.offset + fitted}, or narrow the search)")
    if found.warning:
        notes.append(f"(some places could not be searched: {found.warning})")
    return Result("\n".join([text or "Nothing matches.", *notes]), detail=detail(given, shown[:fitted]))


def flags(given: GrepInput) -> list[str]:
    """The input as ripgrep's arguments; every value is joined to its flag, so that none can become another flag."""
    arguments = [f"--regexp={given.pattern}", "--hidden", "--glob=!.git", "--max-columns=2000", "--max-columns-preview"]
    arguments += [f"--glob={given.glob}"] if given.glob else []
    arguments += [f"--type={given.type}"] if given.type else []
    arguments += ["--ignore-case"] if given.ignore_case else []
    arguments += ["--multiline", "--multiline-dotall"] if given.multiline else []
    match given.output_mode:
        case "files_with_matches":
            return [*arguments, "--files-with-matches", "--null"]
        case "count":
            return [*arguments, "--count", "--with-filename", "--sort=path"]
        case "content":
            arguments += ["--with-filename", "--no-heading", "--sort=path"]
            arguments += ["--line-number" if given.line_numbers else "--no-line-number"]
            arguments += ["--only-matching"] if given.only_matching else []
            context = {"after": given.after, "before": given.before, "context": given.around}
            names = {"after": "after-context", "before": "before-context", "context": "context"}
            return arguments + [f"--{names[key]}={value}" for key, value in context.items() if value is not None]


def fitting(rows: list[str]) -> tuple[str, int]:
    """As many rows as the model is told, and their number; one row always fits."""
    length, taken = 0, 0
    for row in rows:
        length += len(row) + 1
        if length > TOLD and taken:
            break
        taken += 1
    return "\n".join(rows[:taken])[:TOLD], taken


def detail(given: GrepInput, rows: list[str]) -> dict[str, Any]:
    """The same in the shape readers of tool results know."""
    shape: dict[str, Any] = {"mode": given.output_mode, "appliedLimit": given.head_limit, "appliedOffset": given.offset}
    match given.output_mode:
        case "files_with_matches":
            return {**shape, "numFiles": len(rows), "filenames": rows}
        case "count":
            counts = [int(row.rpartition(":")[2]) for row in rows if row.rpartition(":")[2].isdigit()]
            content = "\n".join(rows)
            return {**shape, "numFiles": len(rows), "filenames": [], "content": content, "numMatches": sum(counts)}
        case "content":
            return {**shape, "numFiles": 0, "filenames": [], "content": "\n".join(rows), "numLines": len(rows)}


GREP = Tool(
    name="Grep",
    description=(
        "Search the content of files with ripgrep. Shows the files that match, newest first, or with output_mode "
        f"`content` the lines, or with `count` how many. Ignored files are left out. At most {HEAD_LIMIT} rows."
    ),
    input=GrepInput,
    read_only=True,
    summary=lambda given: given.pattern + "".join(f" in {where}" for where in (given.path, given.glob) if where),
    run=grep,
)
