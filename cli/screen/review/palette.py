"""The colours of the review, once for everything that is drawn."""

from typing import Final

from rich.style import Style

GROUND: Final = "#0d1117"
PANEL: Final = "#161b22"
LINE: Final = "#30363d"
TEXT: Final = "#e6edf3"
DIM: Final = "#848d97"
NAMED: Final = {
    "red": "#ff7b72",
    "orange": "#f0883e",
    "yellow": "#e3b341",
    "green": "#56d364",
    "blue": "#79c0ff",
    "purple": "#d2a8ff",
    "dim": DIM,
    "text": TEXT,
}
CURSOR: Final = "#1f4a7d"
CURSOR_AWAY: Final = "#2d333b"
HEAD: Final = "#1b2a3d"

TREE: Final = Style(color=TEXT, bgcolor=PANEL)
TREE_CURSOR: Final = Style(color=TEXT, bgcolor=CURSOR)
TREE_AWAY: Final = Style(color=TEXT, bgcolor=CURSOR_AWAY)
PLAIN: Final = Style(color=TEXT, bgcolor=GROUND)
FAINT: Final = Style(color=DIM, bgcolor=GROUND)
NOTE: Final = Style(color=NAMED["blue"], bgcolor=GROUND)
WARNING: Final = Style(color=NAMED["yellow"], bgcolor=GROUND)
HUNK: Final = Style(color=DIM, bgcolor=PANEL)
HUNK_HERE: Final = Style(color=TEXT, bgcolor=HEAD, bold=True)
GONE: Final = Style(color=TEXT, bgcolor="#2b1519")
COME: Final = Style(color=TEXT, bgcolor="#10261a")
GONE_SIGN: Final = Style(color=NAMED["red"], bgcolor="#2b1519", bold=True)
COME_SIGN: Final = Style(color=NAMED["green"], bgcolor="#10261a", bold=True)
GONE_WORD: Final = Style(bgcolor="#78242d")
COME_WORD: Final = Style(bgcolor="#1b5a30")
NO_LINE: Final = Style(bgcolor=PANEL)
SHEET: Final = Style(color=TEXT, bgcolor=PANEL)
NOTHING: Final = Style(color=LINE, bgcolor=GROUND)
FOUND: Final = Style(color="#0d1117", bgcolor=NAMED["yellow"])
CLIPPED: Final = Style(color=NAMED["yellow"], bold=True)
BAR_HERE: Final = Style(color=NAMED["blue"], bgcolor=GROUND)
ACCEPTED: Final = Style(color=NAMED["green"], bold=True)
REJECTED: Final = Style(color=NAMED["red"], bold=True)


def ink(name: str, *, bold: bool = False) -> Style:
    """A text colour by its name."""
    return Style(color=NAMED[name], bold=bold)
