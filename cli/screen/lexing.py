"""A process of its own that knows programming languages: a line of JSON in, a line of JSON out, until stdin ends.

The regular expressions of a lexer can be made to run for hours by a text that was written for it. So it runs where it
can be killed, sees nothing but text that is already fit to be shown, and is imported by nothing else.
"""

import json
import resource
import sys
from bisect import bisect_right
from typing import Final

from rich.style import Style
from rich.syntax import Syntax

MEMORY: Final = 1024 * 1024 * 1024  # bytes
THEME: Final = "github-dark"

Piece = tuple[int, int, str, bool]
"""From and to in a line, its colour as `#rrggbb`, and whether it is slanted."""


def main() -> None:
    """Answer until nobody asks any more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print(flush=True)  # noqa: T201 - an empty line: here I am
    for line in sys.stdin:
        name, text = json.loads(line)
        print(json.dumps(pieces(name, text)), flush=True)  # noqa: T201 - this is how it answers


def pieces(name: str, text: str) -> list[list[Piece]]:
    """What is coloured in each line of a text; the language is told by the file's name."""
    lines = text.split("\n")
    found: list[list[Piece]] = [[] for _ in lines]
    lexer = Syntax.guess_lexer(name, text)
    if lexer == "default":
        return found
    spans = Syntax(text, lexer, theme=THEME, tab_size=1).highlight(text).spans
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    for span in spans:
        row = bisect_right(starts, span.start) - 1
        while row < len(lines) and starts[row] < span.end:
            first, last = max(0, span.start - starts[row]), min(len(lines[row]), span.end - starts[row])
            colour = _colour(span.style)
            if first < last and colour and isinstance(span.style, Style):
                found[row].append((first, last, colour, bool(span.style.italic)))
            row += 1
    return found


def _colour(style: Style | str) -> str:
    if isinstance(style, str) or style.color is None or style.color.triplet is None:
        return ""
    return style.color.triplet.hex
