"""Syntax colours for what is on the screen: asked of a process that may be killed, kept, and missing until then."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from rich.style import Style

from cli.screen import safe
from cli.screen.review.lines import Document, Kind
from cli.screen.review.loading import Loaded
from cli.screen.review.paint import Span, shown

BLOCK: Final = 100  # rows that are coloured together
LEAD: Final = 60  # rows before them that are read along, so that a comment that began above is one
LONGEST: Final = 400  # characters of a line that are looked at
START: Final = 20.0  # seconds until it says that it is there
PATIENCE: Final = 2.0  # seconds for an answer; whoever needs longer is killed, and the file stays plain
MOST: Final = 400  # blocks that are kept
MOST_DEATHS: Final = 10  # of the process, after which nothing more is coloured
ROOT: Final = os.fspath(Path(__file__).parents[3])
ARGV: Final = (  # -I: nothing is imported from the checkout we stand in, or from where variables point
    sys.executable,
    "-I",
    "-c",
    f"import sys; sys.path.insert(0, {ROOT!r}); from cli.screen.lexing import main; main()",
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

    def __init__(self, ready: Callable[[], object], argv: Sequence[str] = ARGV, *, patience: float = PATIENCE) -> None:
        self._ready = ready
        self._patience = patience
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
            with _started(self._argv) as process:
                try:
                    await self._talk(process)
                finally:
                    process.kill()

    async def _talk(self, process: "subprocess.Popen[bytes]") -> None:
        """Until it does not answer in time, or dies."""
        if (
            await anyio.to_thread.run_sync(partial(_answer, process, b"", patience=START), abandon_on_cancel=True)
            is None
        ):
            return
        while True:
            await self._asked.wait()
            while self._wanted:
                block, document = self._wanted.popitem()
                ask = partial(_answer, process, patience=self._patience)
                found = await anyio.to_thread.run_sync(_coloured, ask, document, block, abandon_on_cancel=True)
                if found is None:
                    self._plain.add(block.path)
                    return
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[block] = found
                self._ready()
            self._asked = anyio.Event()


def _started(argv: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Not asyncio's own: its watcher and ours would both wait for the end of what we kill, and one complains."""
    return subprocess.Popen(
        argv, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )


def _coloured(ask: "Callable[[bytes], bytes | None]", document: Document, block: Block) -> dict[int, Sides] | None:
    """The colours of a block; None if there is no answer in time."""
    found: dict[int, Sides] = {}
    for rows, is_new, text in _texts(document, block):
        reply = ask(json.dumps([safe.path(block.path), text]).encode() + b"\n")
        if reply is None:
            return None
        for row, spans in zip(rows, map(_spans, json.loads(reply)), strict=False):
            left, right = found.get(row, NONE)
            found[row] = (left, spans) if is_new else (spans, right)
    return found


def _answer(process: "subprocess.Popen[bytes]", request: bytes, *, patience: float) -> bytes | None:
    """One line for one line, within our patience."""
    assert process.stdin is not None
    assert process.stdout is not None
    end = time.monotonic() + patience
    reply = b""
    try:
        into, out = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(into, False)
        while not reply.endswith(b"\n"):
            readable, writable, _ = select.select(
                [out], [into] if request else [], [], max(0.0, end - time.monotonic())
            )
            if writable:
                request = request[os.write(into, request) :]
            elif readable:
                piece = os.read(out, 65536)
                reply += piece
                if not piece:
                    return None
            else:
                return None
    except (OSError, ValueError):  # it is gone, or was just ended
        return None
    return reply


def _spans(line: Sequence[tuple[int, int, str, bool]]) -> list[Span]:
    return [(first, last, Style(color=colour, italic=slanted or None)) for first, last, colour, slanted in line]


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
            if rows:
                yield (
                    rows,
                    is_new,
                    "\n".join(_line(document, row, is_new=is_new, is_split=block.is_split) for row in rows),
                )
        first = end


def _is_on(kind: Kind, *, is_new: bool) -> bool:
    return kind in ((Kind.SAME, Kind.PAIR, Kind.COME) if is_new else (Kind.SAME, Kind.PAIR, Kind.GONE))


def _line(document: Document, row: int, *, is_new: bool, is_split: bool) -> str:
    found = document.rows[row]
    return shown(found.right if is_new and is_split else found.left)[:LONGEST]
