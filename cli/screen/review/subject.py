"""What a review is about, and how it can end: the values on both sides of the screen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.screen.review.state import Item
from sandbox.changes import Change, Refused

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.diff import Hunk
    from sandbox.gate.effects import MassDeletion
    from sandbox.gate.provenance import Cause

Why = Callable[[Change], "Sequence[tuple[Hunk, tuple[Cause, ...]]]"]
"""The tool calls behind each hunk of a change."""

TooMuch = Callable[[Sequence[Change]], "MassDeletion | None"]
"""Whether changes together delete so much that their number has to be typed."""


def nothing_known(change: Change) -> "Sequence[tuple[Hunk, tuple[Cause, ...]]]":
    """For a session without provenance."""
    del change
    return ()


def nothing_much(changes: Sequence[Change]) -> "MassDeletion | None":
    """For a review that applies nothing by itself."""
    del changes
    return None


@dataclass(frozen=True)
class Subject:
    """All that the screen needs. `title` is safe to show; `summary` is the model's, and not.

    `refused` never leaves: it is only shown.
    """

    title: str
    items: Sequence[Item]
    blobs: "Blobs"
    summary: str = ""
    why: Why = field(default=nothing_known)
    too_much: TooMuch = field(default=nothing_much)
    refused: Sequence[Refused] = ()


@dataclass(frozen=True)
class Leave:
    """Everything stays pending."""


@dataclass(frozen=True)
class Interrupted:
    """Ctrl-C: everything stays pending, and the command ends."""


@dataclass(frozen=True)
class Edit:
    """The text at this path is to be opened in an editor; then the review goes on."""

    item: Item


@dataclass(frozen=True)
class Apply:
    """What was accepted is to be written."""


Outcome = Leave | Interrupted | Edit | Apply
