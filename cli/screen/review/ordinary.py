"""Accepting many at once: what is ordinary and can be seen in full; of a rename, no old name without the new one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cli.screen.review.state import ACCEPTED, OPEN, Choice, Item, State, is_going


@dataclass(frozen=True)
class Taken:
    """What came of it. Left are `apart`, which need a decision of their own, and `cut`, which nobody can see in full.

    `halves`: old names of files whose new name is not accepted; without it, accepting would only delete them.
    """

    state: State
    number: int
    apart: int = 0
    cut: int = 0
    halves: int = 0

    @property
    def sentence(self) -> str:
        """What was taken, how much was left, and why."""
        left = (
            (self.apart, "a decision of its own", "a decision of their own"),
            (self.cut, "its name typed: it is too big to be shown in full", "their names typed: too big to be shown"),
            (self.halves, "its new name accepted first", "their new names accepted first"),
        )
        needs = [f"1 needs {one}" if number == 1 else f"{number:,} need {more}" for number, one, more in left if number]
        return " · ".join((f"accepted {self.number:,} ordinary", *needs))


def take_ordinary(state: State, items: Iterable[Item]) -> Taken:
    """Accept of these what is open, ordinary, and known to fit the screen in full."""
    taken: dict[bytes, Item] = {}
    apart = cut = 0
    for item in items:
        if state.choice(item.path) != OPEN or item.denied:
            continue
        if not item.is_ordinary:
            apart += 1
        elif item.path not in state.whole:
            cut += 1
        else:
            taken[item.path] = item
    choices: dict[bytes, Choice] = {**state.choices, **dict.fromkeys(taken, ACCEPTED)}
    halves = [
        path
        for path, item in taken.items()
        if item.renamed is not None
        and item.change.after is None
        and not is_going(choices.get(item.renamed.other, OPEN))
    ]
    for path in halves:
        del choices[path]
    return Taken(replace(state, choices=choices), len(taken) - len(halves), apart, cut, len(halves))
