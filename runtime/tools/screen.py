"""What a terminal shows: an emulator, fed with what a program said. Those bytes are hostile: none may make it raise."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import pyte

from runtime.tools.text import decoded

MOST_ANSWERS = 64


class Emulator(pyte.Screen):
    """A screen that ignores what it does not understand, and keeps what the terminal itself would answer."""

    def __init__(self, columns: int, rows: int) -> None:
        self.answers: list[str] = []
        super().__init__(columns, rows)

    def write_process_input(self, data: str) -> None:
        """A program asked where the cursor is, or what terminal this is."""
        if len(self.answers) < MOST_ANSWERS:
            self.answers.append(data)


def _forgiving(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever a sequence carries
        try:
            return method(*arguments, **more)
        except Exception:  # noqa: BLE001 - at prefixes and parameters it does not know it raises whatever comes
            return None

    return call


for _name in {*pyte.Stream.csi.values(), *pyte.Stream.escape.values(), *pyte.Stream.sharp.values()}:
    if hasattr(Emulator, _name):
        setattr(Emulator, _name, _forgiving(getattr(Emulator, _name)))


class Screen:
    """A terminal's screen, as text."""

    def __init__(self, rows: int, columns: int) -> None:
        self._emulator = Emulator(columns, rows)
        self._stream = pyte.ByteStream(self._emulator)

    def feed(self, data: bytes) -> bytes:
        """Take what the program said; what the terminal answers to it by itself."""
        for line in data.splitlines(keepends=True):
            try:
                self._stream.feed(line)
            except Exception:  # noqa: BLE001, S112 - the rest of a line that no terminal could draw
                continue
        answers, self._emulator.answers = self._emulator.answers, []
        return "".join(answers).encode()

    def resize(self, rows: int, columns: int) -> None:
        """Change its size; what it shows stays, as far as there is room."""
        self._emulator.resize(rows, columns)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._emulator.lines, self._emulator.columns

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, from 1."""
        return self._emulator.cursor.y + 1, self._emulator.cursor.x + 1

    def rows(self) -> Sequence[str]:
        """What it shows, without what is empty at the end of lines and below the last one."""
        rows = [decoded(row.rstrip().encode("utf-8", "replace")) for row in self._emulator.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows
