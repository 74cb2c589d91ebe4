"""How big changes are: lines added and removed, and whether the screen can show all of it."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.screen.review.lines import LONGEST_LINE
from cli.screen.review.loading import LARGEST, load, size_of
from cli.screen.review.state import OPEN, Item
from sandbox.errors import StateError

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs


@dataclass(frozen=True)
class Measured:
    """What was found: `counts` by path, None where there are no lines; the paths of which all can be shown."""

    counts: dict[bytes, tuple[int, int] | None]
    whole: frozenset[bytes]


def measured(items: Iterable[Item], blobs: "Blobs") -> Measured:
    """Measure some changes. What is damaged has no counts and is not whole: where it is shown, that is said."""
    from sandbox.gate.diff import counts

    found: dict[bytes, tuple[int, int] | None] = {}
    whole: set[bytes] = set()
    for item in items:
        size = size_of(item.drawn)
        if size > LARGEST:
            continue
        if size <= LONGEST_LINE:  # neither a line nor their number can be too much
            with contextlib.suppress(StateError):
                found[item.path] = counts(item.drawn, blobs)
                whole.add(item.path)
            continue
        loaded = load(item, OPEN, blobs)
        if loaded.is_read:
            found[item.path] = None if loaded.diff.binary else (loaded.diff.added, loaded.diff.removed)
        if loaded.is_whole:
            whole.add(item.path)
    return Measured(found, frozenset(whole))
