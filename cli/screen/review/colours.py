"""Syntax colours for what is on the screen: asked of a process that may be killed, kept, and missing until then."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import anyio.abc
from rich.style import Style

from cli.screen import safe
from cli.screen.review.lines import Document, Kind
from cli.screen.review.loading import Loaded
from cli.screen.review.paint import Span, shown

BLOCK: Final = 100  # rows that are coloured together
LEAD: Final = 60  # rows before them that are read along, so that a comment that began above is one
LONGEST: Final = 400  # characters of a line that are looked at
PATIENCE: Final = 2.0  # seconds for an answer; whoever needs longer is killed, and the file stays plain
MOST: Final = 400  # blocks that are kept
MOST_DEATHS: Final = 10  # of the process, after which nothing more is coloured
ROOT: Final = os.fspath(Path(__file__).parents[3])
ARGV: Final = (  # -I: nothing is imported from the checkout we stand in, or from where variables point
    sys.executable,
    "-I",
    "-c",
    f"import sys; sys.path.insert(0, {ROOT!r}); from cli.screen.review.lexing import main; main()",
)

Sides = tuple[Sequence[Span], Sequence[Span]]
NONE: Final[Sides] = ((), ())


@dataclass(frozen=True)
class Block:
    """Rows of one document that are coloured together."""

    path: bytes
    digest: int
    is_split: bool
    number: int


class Colours:
    """Answers at once with what it knows, and remembers what it was asked for. `ready` is called when more is known."""

    def __init__(self, ready: Callable[[], object], argv: Sequence[str] = ARGV) -> None:
        self._ready = ready
        self._argv = argv
        self._known: dict[Block, dict[int, Sides]] = {}
        self._wanted: dict[Block, Document] = {}
        self._plain: set[bytes] = set()
        self._asked = anyio.Event()

    def __call__(self, loaded: Loaded, index: int, is_split: bool) -> Sides:
        """The colours of a row's left and right text; none while they are not known."""
        block = Block(loaded.item.path, id(loaded.diff), is_split, index // BLOCK)
        known = self._known.get(block)
        if known is not None:
            return known.get(index, NONE)
        if loaded.item.path not in self._plain and block not in self._wanted:
            self._wanted[block] = loaded.split if is_split else loaded.unified
            self._asked.set()
        return NONE

    async def work(self) -> None:
        """Answer what is asked, the newest question first, until cancelled or out of luck."""
        for _ in range(MOST_DEATHS):
            await self._asked.wait()
            async with await anyio.open_process(self._argv, cwd="/", stderr=subprocess.DEVNULL) as process:
                try:
                    await self._talk(process)
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()

    async def _talk(self, process: anyio.abc.Process) -> None:
        """Until it does not answer in time, or dies."""
        while True:
            await self._asked.wait()
            while self._wanted:
                block, document = self._wanted.popitem()
                found: dict[int, Sides] = {}
                for rows, is_new, text in _texts(document, block):
                    answer = await _ask(process, block.path, text)
                    if answer is None:
                        self._plain.add(block.path)
                        return
                    _take(found, rows, answer, is_new=is_new)
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[block] = found
                self._ready()
            self._asked = anyio.Event()


async def _ask(process: anyio.abc.Process, path: bytes, text: str) -> list[list[Span]] | None:
    assert process.stdin is not None
    assert process.stdout is not None
    request = json.dumps([safe.path(path), text]).encode() + b"\n"
    reply = b""
    with anyio.move_on_after(PATIENCE):
        try:
            await process.stdin.send(request)
            while not reply.endswith(b"\n"):
                reply += await process.stdout.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
            return None
        return [
            [(first, last, Style(color=colour, italic=slanted or None)) for first, last, colour, slanted in line]
            for line in json.loads(reply)
        ]
    return None


def _texts(document: Document, block: Block) -> Iterator[tuple[list[int], bool, str]]:
    """The old and the new side of each hunk in a block: the rows, which side, the lines in one text.

    Unchanged lines are coloured as a part of the new side; the first rows may lie before the block.
    """
    first, last = block.number * BLOCK, min(len(document.rows), (block.number + 1) * BLOCK)
    while first < last:
        hunk = document.rows[first].hunk
        start = first
        while start > 0 and first - start < LEAD and document.rows[start - 1].hunk == hunk:
            start -= 1
        end = first
        while end < last and document.rows[end].hunk == hunk:
            end += 1
        for is_new in (False, True):
            rows = [row for row in range(start, end) if _is_on(document.rows[row].kind, is_new=is_new)]
            yield rows, is_new, "\n".join(_line(document, row, is_new=is_new, is_split=block.is_split) for row in rows)
        first = end


def _is_on(kind: Kind, *, is_new: bool) -> bool:
    return kind in ((Kind.SAME, Kind.PAIR, Kind.COME) if is_new else (Kind.SAME, Kind.PAIR, Kind.GONE))


def _line(document: Document, row: int, *, is_new: bool, is_split: bool) -> str:
    found = document.rows[row]
    return shown(found.right if is_new and is_split else found.left)[:LONGEST]


def _take(found: dict[int, Sides], rows: Sequence[int], answer: Sequence[Sequence[Span]], *, is_new: bool) -> None:
    for row, spans in zip(rows, answer, strict=False):
        left, right = found.get(row, NONE)
        found[row] = (left, spans) if is_new else (spans, right)
