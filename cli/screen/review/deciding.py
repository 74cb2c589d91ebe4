"""What a key does to the state, given where the cursor is: pure, and all of it in one place."""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.screen.review import state as decide
from cli.screen.review.loading import LARGEST, Loaded
from cli.screen.review.state import OPEN, Edited, Item, Refusal, Side, State, Unseen
from sandbox.changes import File, Refused


@dataclass(frozen=True)
class Place:
    """Where the cursor is: on a hunk of a change, on a change (`hunk` 0), or on a folder (`below` is what is in it).

    `refused`: on something that can never leave, about which there is nothing to decide.
    """

    loaded: Loaded | None = None
    item: Item | None = None
    hunk: int = 0
    below: Sequence[Item] = ()
    refused: Refused | None = None

    @property
    def is_hunk(self) -> bool:
        """Whether a single hunk is meant."""
        return self.hunk > 0 and self.loaded is not None and self.loaded.hunks > 1


def accept(state: State, place: Place) -> State | Refusal | Unseen:
    """Accept what is here; a second time takes it back."""
    item, loaded = place.item, place.loaded
    if item is None:
        return Refusal("choose a file first")
    if loaded is None:
        return Refusal("still being read")
    if place.is_hunk:
        if not loaded.is_whole:
            return Refusal("not all of it can be shown here: f asks for the whole file")
        if place.hunk in decide.parts_of(state.choice(item.path), loaded.hunks).accepted:
            return decide.reopen_hunk(state, item.path, place.hunk, of=loaded.hunks)
        return decide.accept_hunk(state, item.path, place.hunk, of=loaded.hunks)
    if isinstance(state.choice(item.path), decide.Accepted):
        return state.with_choice(item.path, OPEN)
    return decide.accept(state, item.path, is_whole=loaded.is_whole)


def accept_file(state: State, place: Place) -> State | Refusal | Unseen:
    """Accept all of the file, wherever the cursor is in it."""
    if place.item is None or place.loaded is None:
        return Refusal("still being read")
    return decide.accept(state, place.item.path, is_whole=place.loaded.is_whole)


def reject(state: State, place: Place) -> State:
    """Leave out what is here; a second time takes it back."""
    item, loaded = place.item, place.loaded
    if item is None:
        return state.with_choices((one.path for one in place.below), decide.REJECTED)
    if place.is_hunk and loaded is not None:
        if place.hunk in decide.parts_of(state.choice(item.path), loaded.hunks).rejected:
            return decide.reopen_hunk(state, item.path, place.hunk, of=loaded.hunks)
        return decide.reject_hunk(state, item.path, place.hunk, of=loaded.hunks)
    if isinstance(state.choice(item.path), decide.Rejected):
        return state.with_choice(item.path, OPEN)
    return decide.reject(state, item.path)


def undecide(state: State, place: Place) -> State:
    """Take back what was decided here."""
    item, loaded = place.item, place.loaded
    if item is None:
        return state.with_choices((one.path for one in place.below), OPEN)
    if place.is_hunk and loaded is not None:
        return decide.reopen_hunk(state, item.path, place.hunk, of=loaded.hunks)
    return state.with_choice(item.path, OPEN)


def settle(state: State, place: Place, side: Side) -> State | Refusal:
    """Decide the conflict here."""
    return Refusal("choose a file first") if place.item is None else decide.settle(state, place.item.path, side)


def not_editable(state: State, item: Item) -> str:
    """Why this text cannot be opened in an editor; empty if it can."""
    choice = state.choice(item.path)
    change = choice.change if isinstance(choice, Edited) else item.change
    if item.denied:
        return f"this can never be applied: {item.denied}"
    match change.before, change.after:
        case _, File(size=size) if size <= LARGEST:
            return ""
        case _, File():
            return "too big to be edited here"
        case File(size=size), None if size <= LARGEST:
            return ""
        case _:
            return "only the text of a file can be edited"


def next_open(state: State, loaded: Loaded, hunk: int) -> int:
    """The next hunk below that is not decided; 0 if there is none."""
    parts = decide.parts_of(state.choice(loaded.item.path), loaded.hunks)
    decided = parts.accepted | parts.rejected
    return next((number for number in range(hunk + 1, loaded.hunks + 1) if number not in decided), 0)
