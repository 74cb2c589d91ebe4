"""What has been decided in a review so far: values only, so that every rule about accepting can be read in one place.

Accepting a change says that it is applied at the end; rejecting it, or leaving it open, that it stays pending. Nothing
here touches the session or the checkout.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from cli.screen.review.badges import Badge
from sandbox.changes import Change, Node


@dataclass(frozen=True)
class Renamed:
    """The other half of what is probably one file under another name: the old name, or the new one.

    `before` is what the old name holds; `similarity` is in per cent. A guess, for showing: they are two changes.
    """

    other: bytes
    similarity: int
    before: Node | None = None


@dataclass(frozen=True)
class Item:
    """One change under review. `denied` is the rule that forbids it, empty if none does.

    `needs_look`: it is in a class that only a decision about this very change can accept.
    """

    change: Change
    badges: tuple[Badge, ...] = ()
    denied: str = ""
    needs_look: bool = False
    renamed: Renamed | None = None

    @property
    def path(self) -> bytes:
        """Where in the checkout."""
        return self.change.path

    @property
    def drawn(self) -> Change:
        """The change as it is shown: a new name is held against what the old one holds."""
        if self.renamed is None or self.change.after is None:
            return self.change
        return replace(self.change, before=self.renamed.before)

    @property
    def is_conflict(self) -> bool:
        """Whether both sides edited it, so that somebody has to choose."""
        return self.change.moved

    @property
    def is_ordinary(self) -> bool:
        """Whether "accept all" may cover it."""
        return not (self.denied or self.needs_look or self.is_conflict or self.change.ignored)


@dataclass(frozen=True)
class Open:
    """Nothing is decided: it stays pending."""


@dataclass(frozen=True)
class Accepted:
    """All of it is applied."""


@dataclass(frozen=True)
class Rejected:
    """Nothing of it is applied; it stays pending."""


@dataclass(frozen=True)
class Parts:
    """Some hunks are accepted, some rejected, of so many; numbered from 1."""

    accepted: frozenset[int]
    rejected: frozenset[int]
    of: int


@dataclass(frozen=True)
class Edited:
    """A person wrote their own text; this is what is applied."""

    change: Change


class Side(Enum):
    """How a conflict is settled."""

    MINE = "yours is kept"
    THEIRS = "the sandbox's is taken"
    MARKERS = "both go to a side file"


Choice = Open | Accepted | Rejected | Parts | Edited | Side

OPEN: Final = Open()
ACCEPTED: Final = Accepted()
REJECTED: Final = Rejected()


@dataclass(frozen=True)
class Refusal:
    """Why a key did nothing."""

    reason: str


@dataclass(frozen=True)
class Unseen:
    """The change was not shown in full: it takes its own confirmation."""

    item: Item


@dataclass(frozen=True)
class State:
    """The items of a review, in the change set's order, and the choices made so far.

    `seen` was on the screen; `whole` is small enough to be shown in full, as far as that is known.
    """

    items: Mapping[bytes, Item]
    choices: Mapping[bytes, Choice] = field(default_factory=dict)
    seen: frozenset[bytes] = frozenset()
    whole: frozenset[bytes] = frozenset()

    def choice(self, path: bytes) -> Choice:
        """What is decided about a path."""
        return self.choices.get(path, OPEN)

    def to_apply(self) -> Iterator[tuple[Item, Choice]]:
        """What the end of the review writes, with how."""
        for path, item in self.items.items():
            choice = self.choice(path)
            if is_going(choice):
                yield item, choice

    def kept(self) -> tuple[Item, ...]:
        """The conflicts in which the user's own side stays."""
        return tuple(item for path, item in self.items.items() if self.choice(path) is Side.MINE)

    def with_choice(self, path: bytes, choice: Choice) -> "State":
        """The state with this decided, whatever was before."""
        return self.with_choices((path,), choice)

    def with_choices(self, paths: Iterable[bytes], choice: Choice) -> "State":
        """The same for many paths at once: a folder may hold thousands."""
        choices = {**self.choices, **dict.fromkeys(paths, choice)}
        if choice == OPEN:
            choices = {path: one for path, one in choices.items() if one != OPEN}
        return replace(self, choices=choices)

    def with_seen(self, path: bytes) -> "State":
        """The state after a change was on the screen."""
        return self if path in self.seen else replace(self, seen=self.seen | {path})

    def with_whole(self, paths: Iterable[bytes]) -> "State":
        """The state after it was found out that these can be shown in full."""
        return replace(self, whole=self.whole.union(paths))


def is_going(choice: Choice) -> bool:
    """Whether it writes something."""
    match choice:
        case Open() | Rejected() | Side.MINE:
            return False
        case Parts(accepted=accepted):
            return bool(accepted)
        case _:
            return True


def accept(state: State, path: bytes, *, is_whole: bool) -> State | Refusal | Unseen:
    """Accept a change on its own. `is_whole`: all of it could be seen."""
    item = state.items[path]
    refusal = _refused(item)
    if refusal is not None:
        return refusal
    if item.is_conflict:
        return Refusal("both sides changed it: m keeps yours, t takes the sandbox's, M writes both to a side file")
    return state.with_choice(path, ACCEPTED) if is_whole else Unseen(item)


def accept_unseen(state: State, path: bytes) -> State | Refusal:
    """Accept a change that was not shown in full, after it was confirmed by name."""
    found = accept(state, path, is_whole=True)
    assert not isinstance(found, Unseen)
    return found


def reject(state: State, path: bytes) -> State:
    """Leave a change out, aloud."""
    return state.with_choice(path, REJECTED)


def accept_hunk(state: State, path: bytes, number: int, *, of: int) -> State | Refusal:
    """Accept one hunk of `of`."""
    item = state.items[path]
    refusal = _refused(item)
    if refusal is not None:
        return refusal
    parts = parts_of(state.choice(path), of)
    return _with_parts(
        state, path, replace(parts, accepted=parts.accepted | {number}, rejected=parts.rejected - {number})
    )


def reject_hunk(state: State, path: bytes, number: int, *, of: int) -> State:
    """Leave one hunk of `of` out."""
    parts = parts_of(state.choice(path), of)
    return _with_parts(
        state, path, replace(parts, accepted=parts.accepted - {number}, rejected=parts.rejected | {number})
    )


def reopen_hunk(state: State, path: bytes, number: int, *, of: int) -> State:
    """Take back what was decided about one hunk."""
    parts = parts_of(state.choice(path), of)
    return _with_parts(
        state, path, replace(parts, accepted=parts.accepted - {number}, rejected=parts.rejected - {number})
    )


def parts_of(choice: Choice, of: int) -> Parts:
    """A choice, hunk by hunk. One that is no matter of hunks counts as open."""
    match choice:
        case Parts():
            return choice
        case Accepted():
            return Parts(frozenset(range(1, of + 1)), frozenset(), of)
        case Rejected():
            return Parts(frozenset(), frozenset(range(1, of + 1)), of)
        case _:
            return Parts(frozenset(), frozenset(), of)


def settle(state: State, path: bytes, side: Side) -> State | Refusal:
    """Decide a conflict."""
    item = state.items[path]
    if not item.is_conflict:
        return Refusal("this is no conflict: only the sandbox changed it")
    if side is not Side.MINE:
        refusal = _refused(item)
        if refusal is not None:
            return refusal
    return state.with_choice(path, side)


def amend(state: State, path: bytes, change: Change) -> State | Refusal:
    """Put a person's own text in the change's place; with that it is accepted."""
    return _refused(state.items[path]) or state.with_choice(path, Edited(change))


def _refused(item: Item) -> Refusal | None:
    return Refusal(f"this can never be applied: {item.denied}") if item.denied else None


def _with_parts(state: State, path: bytes, parts: Parts) -> State:
    if len(parts.accepted) == parts.of:
        return state.with_choice(path, Side.THEIRS if state.items[path].is_conflict else ACCEPTED)
    if len(parts.rejected) == parts.of:
        return state.with_choice(path, REJECTED)
    return state.with_choice(path, parts if parts.accepted or parts.rejected else OPEN)
