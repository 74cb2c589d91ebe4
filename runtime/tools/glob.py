"""Glob: files whose path matches a pattern, newest first."""

import time
from typing import Annotated

import pydantic

from runtime.tools.search import newest_first, place_of
from runtime.tools.tool import AbsolutePath, Context, Result, Tool, ToolFailed, ToolInput

MOST = 100


class GlobInput(ToolInput):
    """A pattern, and the directory below which to look."""

    pattern: Annotated[str, pydantic.Field(min_length=1, description="For example **/*.py or src/**/*.{ts,tsx}")]
    path: Annotated[
        AbsolutePath | None, pydantic.Field(description="Where to look; the working directory if left out")
    ] = None


async def glob(given: GlobInput, context: Context) -> Result:
    """Find files by the shape of their path."""
    started = time.monotonic()
    place = place_of(given.path, context)
    pattern = given.pattern.removeprefix(f"{place}/").removeprefix("./")
    if pattern.startswith(("/", "!")):
        raise ToolFailed(f"the pattern must be relative to the path that is searched ({place}), and not begin with '!'")
    every = ["--files", "--null", "--hidden", "--no-ignore", f"--glob={pattern}", "--glob=!**/.git/**"]
    names, found = await newest_first([*every, "--", str(place)], context)
    truncated = found.cut or len(names) > MOST
    names = names[:MOST]
    rows = [*names, f"(only the newest {MOST} are shown: use a narrower pattern)"] if truncated else names
    return Result(
        "\n".join(rows) or "No file matches.",
        detail={
            "durationMs": round((time.monotonic() - started) * 1000),
            "numFiles": len(names),
            "filenames": names,
            "truncated": truncated,
        },
    )


GLOB = Tool(
    name="Glob",
    description=(
        "Find files by a glob pattern, newest first. A pattern without a slash matches names at any depth. "
        f"Ignored and hidden files are included, .git is not. At most {MOST} are shown."
    ),
    input=GlobInput,
    read_only=True,
    summary=lambda given: given.pattern + (f" in {given.path}" if given.path else ""),
    run=glob,
)
