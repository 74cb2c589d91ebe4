"""Searching with ripgrep in the sandbox: how it is run, and what its answers mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runtime.tools.endings import ending
from runtime.tools.text import clean, decoded
from runtime.tools.tool import Context, ToolFailed
from sandbox.base import Command
from sandbox.errors import FileError
from sandbox.programs import APART, PYTHON, RIPGREP

TIMEOUT = 60.0
KEPT = 8 * 1024 * 1024
RG = (RIPGREP, "--no-config", "--color=never")
DATED = """
import os, sys
reader, writer = os.pipe()
search = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
os.close(writer)
rest = b""
with open(reader, "rb") as names:
    while piece := names.read1(65536):
        *whole, rest = (rest + piece).split(b"\\0")
        for name in whole:
            try:
                sys.stdout.buffer.write(b"%d %s\\0" % (os.lstat(name).st_mtime_ns, name))
            except FileNotFoundError:
                pass
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(search, 0)[1]))
"""
"""Runs a search for names and puts each file's time before its name. (`rg --sortr=modified` of version 13, which we
bring along, orders only within a directory.)"""


@dataclass(frozen=True)
class Found:
    """What a search printed. `cut` says that there was more, `warning` what it could not read."""

    data: bytes
    cut: bool
    warning: str

    def records(self) -> Sequence[bytes]:
        """The output as NUL-terminated records, none of them half."""
        return self.data.split(b"\0")[:-1]


async def ripgrep(arguments: Sequence[str], context: Context) -> Found:
    """Run ripgrep. Raises ToolFailed for a bad pattern or a missing path."""
    return await search([*RG, *arguments], context)


async def newest_first(arguments: Sequence[str], context: Context) -> tuple[Sequence[str], Found]:
    """Run ripgrep for names (`--null`) and sort them by time."""
    dated = await search([PYTHON, "-I", "-S", "-c", DATED, *RG, *arguments], context)
    rows = [record.partition(b" ") for record in dated.records()]
    rows.sort(key=lambda row: (-int(row[0]), row[2]))
    return [name_of(row[2]) for row in rows], dated


async def search(argv: Sequence[str], context: Context) -> Found:
    """Run a search and tell apart: found, found nothing, could not search."""
    root = context.sandbox.root
    command = Command(argv, root, env=APART, timeout=TIMEOUT, keep=2 * KEPT, call_id=context.call_id)
    try:
        result = await context.sandbox.run(command)
    except FileError as error:
        raise ToolFailed(f"the workspace cannot be entered: {clean(str(error))}") from error
    if result.timed_out:
        raise ToolFailed(f"the search took longer than {TIMEOUT:g} s: narrow it with a path or a glob")
    complaint = decoded(result.stderr.all).strip()
    if result.exit_code > 2:  # no word of ripgrep's: somebody ended it, and what it found is not all there is
        raise ToolFailed(f"the search did not come to its end: {ending(result)}")
    if result.exit_code == 2 and not result.stdout.head:
        raise ToolFailed(f"the search failed: {complaint[:1_000]}")
    cut = result.stdout.omitted > 0
    return Found(result.stdout.head if cut else result.stdout.all, cut, complaint[:500])


def name_of(record: bytes) -> str:
    """A file's name as text."""
    return clean(record.decode("utf-8", "surrogateescape"))


def place_of(path: str | None, context: Context) -> PurePosixPath:
    """Where to search: the given path, or where Bash stands."""
    return PurePosixPath(path) if path else context.bench.cwd
