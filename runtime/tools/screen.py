"""What a terminal shows: an emulator, fed with what a program said. Those bytes are hostile: none may make it raise."""

import functools
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import pyte
from pyte import modes

from runtime.tools.text import decoded

MOST_ANSWERS = 64
MOST_MARKS = 8
"""Accents on one letter; the emulator takes longer for each further one, without an end."""
COSTLY = {modes.DECSCNM, modes.DECCOLM}
"""Modes by which a few bytes draw all of the screen anew: its colours, which no text shows, and its width, which is
ours to set.
"""


class Emulator(pyte.Screen):
    """A screen that ignores what it does not understand, and keeps what the terminal itself would answer."""

    def __init__(self, columns: int, rows: int) -> None:
        self.answers: list[str] = []
        super().__init__(columns, rows)

    def write_process_input(self, data: str) -> None:
        """A program asked where the cursor is, or what terminal this is."""
        if len(self.answers) < MOST_ANSWERS:
            self.answers.append(data)

    def draw(self, data: str) -> None:
        """Show text."""
        super().draw(data if data.isascii() else self._with_few_marks(data))

    def alignment_display(self) -> None:
        """A picture for who adjusts a tube: three bytes that fill the screen."""

    def set_mode(self, *numbers: int, **more: Any) -> None:  # noqa: ANN401 - as above
        """Turn modes on."""
        super().set_mode(*_cheap(numbers, **more), **more)

    def reset_mode(self, *numbers: int, **more: Any) -> None:  # noqa: ANN401 - as above
        """Turn modes off."""
        super().reset_mode(*_cheap(numbers, **more), **more)

    @property
    def display(self) -> list[str]:
        """What it shows, line by line. The emulator's own raises where half of a wide letter was written over."""
        return [self._line(y) for y in range(self.lines)]

    def _line(self, y: int) -> str:
        shown: list[str] = []
        is_half = False
        for x in range(self.columns):
            data = self.buffer[y][x].data
            if data or not is_half:
                shown.append(data or " ")
            is_half = bool(data) and unicodedata.east_asian_width(data[0]) in "WF"
        return "".join(shown)

    def _with_few_marks(self, data: str) -> str:
        x, y = (self.cursor.x, self.cursor.y) if self.cursor.x else (self.columns, self.cursor.y - 1)
        marks = len(unicodedata.normalize("NFD", self.buffer[y][x - 1].data)) if y >= 0 else 0
        kept = []
        for char in data:
            marks = marks + 1 if unicodedata.combining(char) else 0
            if marks <= MOST_MARKS:
                kept.append(char)
        return "".join(kept)


def _cheap(numbers: Sequence[int], *, private: bool = False, **_: object) -> Sequence[int]:
    return [number for number in numbers if not (private and number << 5 in COSTLY)]


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
