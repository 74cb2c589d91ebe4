"""The model's text as it streams, broken between words; code fences are left as they are, to be copied."""

import re
from typing import Final

from rich.cells import cell_len

FENCE: Final = "```"
PIECES: Final = re.compile(r"\n| +|[^ \n]+")


class Prose:
    """Turns pieces of safe text into what to write, for a terminal of `width` columns; 0 breaks nothing.

    A word is held back until it is complete: `end` gives what is left.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._column = 0
        self._line = ""  # of this line, all that was taken in: a fence is known by its start
        self._blanks = ""
        self._word = ""
        self._is_code = False

    def add(self, text: str) -> str:
        """Take in a piece."""
        if not self._width:
            return text
        return "".join(self._take(piece) for piece in PIECES.findall(text))

    def end(self) -> str:
        """The last word."""
        return self._put_word()

    def _take(self, piece: str) -> str:
        if piece == "\n":
            written = self._put_word()
            if self._line.lstrip().startswith(FENCE):
                self._is_code = not self._is_code
            self._line, self._column, self._blanks = "", 0, ""
            return written + "\n"
        self._line += piece
        if piece.isspace():
            written = self._put_word()
            self._blanks += piece
            return written
        self._word += piece
        return ""

    def _put_word(self) -> str:
        word, self._word = self._word, ""
        if not word:
            return ""
        blanks, self._blanks = self._blanks, ""
        size = cell_len(word)
        if self._column and not self._is_code and self._column + len(blanks) + size > self._width:
            self._column = size
            return f"\n{word}"
        self._column += len(blanks) + size
        return blanks + word
