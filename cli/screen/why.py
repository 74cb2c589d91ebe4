"""The tool calls behind a change, in sentences for the screen. What they say of themselves is the model's, escaped."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cli.screen import safe
from cli.screen.diffs import Origins
from cli.screen.items import Item

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.provenance import Cause
    from sandbox.sessions import Session

LONGEST: Final = 200  # characters of what a call says; `--json` has all that was noted


def origins(session: "Session", item: Item, blobs: "Blobs") -> Origins:
    """Whose doing an item is: hunk by hunk, or as a whole where there are no hunks to tell apart."""
    from sandbox.gate.provenance import causes, why

    if not item.is_rename:
        found = why(session, item.change, blobs)
        if found:
            return Origins(hunks=[sentences(behind) for _, behind in found])
    behind = [cause for part in item.parts for cause in causes(session, part.path)]
    return Origins(whole=sentences(dict.fromkeys(behind)) or ["↳ nobody was noted"])


def sentences(behind: "Iterable[Cause]") -> list[str]:
    """One each, safe to show: what was done, by which call of which agent."""
    return [sentence(cause) for cause in behind]


def sentence(cause: "Cause") -> str:
    """`↳ Bash  make fix  (toolu_01, main)`."""
    said = safe.line(cause.sentence)
    text = said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
    return f"↳ {text}  ({safe.line(cause.call)}, {safe.line(cause.agent)})" if cause.call else f"↳ {text}"
