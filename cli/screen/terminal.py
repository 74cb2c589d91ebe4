"""One output stream: its colours, its width, and one status line below everything that was written."""

import shutil
import threading
import time
from typing import Final, TextIO

STYLES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "reverse": "7",
}
FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
TICK: Final = 0.12  # seconds between two frames


class Terminal:
    """Writes text that is already safe to show (see `cli.screen.safe`).

    `color` None means: only if the stream is a terminal. On anything but a terminal there is no status line, and the
    width is 80 columns, so that logs do not depend on who looked.
    """

    def __init__(self, stream: TextIO, *, color: bool | None = None) -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()
        self.has_color = self.is_terminal if color is None else color
        self._lock = threading.RLock()
        self._status = ""
        self._since = 0.0
        self._drawn = False
        self._at_line_start = True
        self._ticker: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def width(self) -> int:
        """Columns, at least 20."""
        return max(20, shutil.get_terminal_size((80, 24)).columns) if self.is_terminal else 80

    @property
    def height(self) -> int:
        """Rows; 0 means that there is no page."""
        return shutil.get_terminal_size((80, 24)).lines if self.is_terminal else 0

    def style(self, text: str, *names: str) -> str:
        """The text in these styles, or as it is where there is no colour."""
        if not self.has_color or not names or not text:
            return text
        return f"\x1b[{';'.join(STYLES[name] for name in names)}m{text}\x1b[0m"

    def fit(self, text: str, room: int) -> str:
        """The text cut to `room` columns, with … where something is missing."""
        if len(text) <= room and text.isascii():
            return text
        from rich.cells import cell_len, set_cell_size

        return text if cell_len(text) <= room else set_cell_size(text, max(0, room - 1)).rstrip() + "…"

    def wrap(self, text: str, *, indent: int = 0, mark: str = "") -> list[str]:
        """The text as rows, all but the first `indent` columns in: none of it can pose as a line of ours.

        A terminal begins a row too long for it anew at its very edge. In a pipe the text stays in one piece. `mark`
        stands at the edge of every further row.
        """
        if not self.is_terminal or (len(text) <= self.width and text.isascii()):
            return [text]
        from rich.cells import cell_len, chop_cells

        if cell_len(text) <= self.width:
            return [text]
        first = chop_cells(text, self.width)[0]
        rest = chop_cells(text[len(first) :], self.width - indent)
        return [first, *(f"{mark:<{indent}}{row}" for row in rest)]

    def wrap_words(self, text: str, *, indent: int) -> list[str]:
        """The same for a sentence, which may be broken where it has a blank; `indent` columns are before all of it."""
        if not self.is_terminal or len(text) + indent <= self.width:
            return [f"{'':{indent}}{text}"]
        rows, row = [], ""
        for word in text.split(" "):
            if row and len(row) + 1 + len(word) > self.width - indent:
                rows.append(row)
                row = word
            else:
                row = f"{row} {word}" if row else word
        return [part for line in [*rows, row] for part in self.wrap(f"{'':{indent}}{line}", indent=indent)]

    def write(self, text: str) -> None:
        """Write as it is; the status line moves below."""
        if not text:
            return
        with self._lock:
            self._erase()
            self.stream.write(text)
            self._at_line_start = text.endswith("\n")
            self.stream.flush()

    def line(self, text: str = "") -> None:
        """Write one line, beginning a new one first if the last is unfinished."""
        self.end_line()
        self.write(text + "\n")

    def end_line(self) -> None:
        """Go to the start of a line, if not there already."""
        if not self._at_line_start:
            self.write("\n")

    def status(self, text: str = "") -> None:
        """Say what is being waited for, with a clock; an empty text takes it away. Does nothing off a terminal."""
        if not self.is_terminal:
            return
        with self._lock:
            if not text:
                self._status = ""
                self._erase()
                self.stream.flush()
                return
            if not self._status:
                self._since = time.monotonic()
            self._status = text
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, daemon=True, name="status line")
            self._ticker.start()

    def close(self) -> None:
        """Take the status line away and end its clock."""
        self._stop.set()
        if self._ticker is not None:
            self._ticker.join()
            self._ticker = None
        self._stop.clear()
        self.status()

    def _tick(self) -> None:
        number = 0
        while not self._stop.wait(TICK):
            number += 1
            with self._lock:
                if self._status and self._at_line_start:
                    self._draw(FRAMES[number % len(FRAMES)])

    def _draw(self, frame: str) -> None:
        seconds = int(time.monotonic() - self._since)
        clock = f" {seconds} s" if seconds else ""
        text = self.fit(f"{frame} {self._status}{clock}", self.width - 1)
        try:
            self.stream.write(f"\r\x1b[2K{self.style(text, 'dim')}")
            self.stream.flush()
        except OSError:  # the terminal is gone; whoever writes next will hear of it
            self._stop.set()
        self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            self.stream.write("\r\x1b[2K")
            self._drawn = False
