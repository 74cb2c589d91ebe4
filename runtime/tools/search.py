"""Searching with ripgrep in the sandbox: how it is run, and what its answers mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runtime.tools.text import clean, decoded
from runtime.tools.tool import Context, ToolFailed
from sandbox.base import Command
from sandbox.errors import FileError

TIMEOUT = 60.0
KEPT = 8 * 1024 * 1024


@dataclass(frozen=True)
class Found:
    """What ripgrep printed. `cut` says that there was more, `warning` what it could not read."""

    data: bytes
    cut: bool
    warning: str

    def names(self) -> Sequence[str]:
        """The output as NUL-separated names, none of them half."""
        names = self.data.split(b"\0")
        return [clean(name.decode("utf-8", "surrogateescape")) for name in names[:-1]]


async def ripgrep(arguments: Sequence[str], context: Context) -> Found:
    """Run ripgrep where Bash stands. Raises ToolFailed for a bad pattern, a missing path, or an image without it."""
    command = Command(
        argv=["rg", "--no-config", "--color=never", *arguments],
        cwd=context.sandbox.root,
        timeout=TIMEOUT,
        keep=2 * KEPT,
        call_id=context.call_id,
    )
    try:
        result = await context.sandbox.run(command)
    except FileError as error:
        raise ToolFailed(f"the workspace cannot be entered: {clean(str(error))}") from error
    if result.timed_out:
        raise ToolFailed(f"the search took longer than {TIMEOUT:g} s: narrow it with a path or a glob")
    if result.exit_code == 127:
        raise ToolFailed("this image has no ripgrep (rg): use Bash with grep or find instead")
    complaint = decoded(result.stderr.all).strip()
    if result.exit_code not in (0, 1) and not result.stdout.head:
        raise ToolFailed(f"the search failed: {complaint[:1_000] or f'rg ended with {result.exit_code}'}")
    cut = result.stdout.omitted > 0
    return Found(result.stdout.head if cut else result.stdout.all, cut, complaint[:500])


def place_of(path: str | None, context: Context) -> PurePosixPath:
    """Where to search: the given path, or where Bash stands."""
    return PurePosixPath(path) if path else context.bench.cwd
