"""Whose lines these are: a text followed through its versions, every line with the one that brought or removed it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sandbox.gate.diff import Hunk
from sandbox.gate.matching import lines, matches

FIRST = 0
"""The owner of what the first text held already."""


@dataclass(frozen=True)
class Step:
    """The text as it was after some version. `brought`: each line's owner; `origin`: its place in the first text."""

    text: Sequence[bytes]
    brought: Sequence[int]
    origin: Sequence[int | None]


def blame(first: bytes, versions: Sequence[bytes], last: bytes, hunks: Iterable[Hunk]) -> list[set[int]]:
    """For each hunk between `first` and `last`: which versions brought its new lines and removed its old ones.

    Versions count from 1, in order; `last` itself is the one after them. Lines that stay are nobody's.
    """
    old = lines(first)
    step = Step(old, [FIRST] * len(old), list(range(len(old))))
    removed: dict[int, int] = {}
    for owner, text in enumerate([*versions, last], 1):
        step = _follow(step, lines(text), owner, removed)
    return [_owners(hunk, step.brought, removed) for hunk in hunks]


def _follow(step: Step, text: Sequence[bytes], owner: int, removed: dict[int, int]) -> Step:
    """Take the next version in; what it dropped of the first text is noted in `removed`."""
    brought = [owner] * len(text)
    origin: list[int | None] = [None] * len(text)
    lost = set(range(len(step.text)))
    for old, new, length in matches(step.text, text):
        brought[new : new + length] = step.brought[old : old + length]
        origin[new : new + length] = step.origin[old : old + length]
        lost.difference_update(range(old, old + length))
    for place in lost:
        if (first := step.origin[place]) is not None:
            removed[first] = owner
    return Step(text, brought, origin)


def _owners(hunk: Hunk, brought: Sequence[int], removed: Mapping[int, int]) -> set[int]:
    found: set[int] = set()
    old = hunk.old_start - (hunk.old_count > 0)
    new = hunk.new_start - (hunk.new_count > 0)
    for tag, _ in hunk.lines:
        match tag:
            case "+":
                found.add(brought[new])
            case "-":
                found.add(removed.get(old, FIRST))
            case " ":
                pass
        old += tag != "+"
        new += tag != "-"
    return found - {FIRST}
