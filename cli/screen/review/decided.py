"""From what was decided to what is applied: the changes themselves, made of the contents that were reviewed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.screen.review.state import Accepted, Choice, Edited, Item, Parts, Side, State
from sandbox.changes import Change

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs


@dataclass(frozen=True)
class Decided:
    """The end of a review: `changes` are to be written; of `kept`, the user's own side stays for good.

    `waiting` was accepted, but cannot be written while something else stays as it is.
    """

    changes: tuple[Change, ...] = ()
    kept: tuple[Change, ...] = ()
    waiting: tuple[Change, ...] = ()


def decided(state: State, blobs: "Blobs") -> Decided:
    """What the choices come to. Raises StateError if a content is missing or damaged; OutOfSpace."""
    from sandbox.gate.held import independent

    made = [change_of(item, choice, blobs) for item, choice in state.to_apply()]
    ready = independent(made, [item.change for item in state.items.values()])
    going = {change.path for change in ready}
    return Decided(
        changes=tuple(ready),
        kept=tuple(item.change for item in state.kept()),
        waiting=tuple(change for change in made if change.path not in going),
    )


def change_of(item: Item, choice: Choice, blobs: "Blobs") -> Change:
    """One change as it was decided. Raises StateError; OutOfSpace."""
    from sandbox.gate import decisions
    from sandbox.gate.hunks import with_hunks

    match choice:
        case Parts(accepted=accepted):
            return with_hunks(item.change, accepted, blobs)
        case Edited(change):
            return change
        case Side.THEIRS:
            return decisions.theirs(item.change)
        case Side.MARKERS:
            return decisions.markers(item.change, blobs)
        case _:
            assert isinstance(choice, Accepted)
            return item.change
