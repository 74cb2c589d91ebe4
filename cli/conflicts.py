"""What becomes of files that both the user and the sandbox changed: decided by an option, or asked file by file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from cli.case import Case
from cli.options import Way
from sandbox.changes import Change

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.preimages import Conflict

ANSWERS: Final = {
    "m": "mine",
    "t": "theirs",
    "s": "side file",
    "e": "edit the merge",
    "l": "leave it",
    "r": "retry",
    "q": "quit",
}
MANY_ANSWERS: Final = {
    "o": "one by one",
    "m": "mine, all of them",
    "l": "leave them all",
    "r": "retry",
    "q": "quit",
}
MANY: Final = 8
"""So many conflicts are named, and asked about one by one; more look like another branch, and are asked about once."""


@dataclass(frozen=True)
class Resolved:
    """What was decided: `changes` are to be applied; of `mine` the user's version stays for good; `left` wait."""

    changes: tuple[Change, ...] = ()
    mine: tuple[Change, ...] = ()
    left: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Unresolved:
    """Nobody decided: nothing may be written."""

    conflicts: tuple["Conflict", ...]


@dataclass(frozen=True)
class Again:
    """The user has changed something: everything is to be computed anew."""


@dataclass(frozen=True)
class Quit:
    """The user wants nothing of it applied."""


Resolution = Resolved | Unresolved | Again | Quit


class Asks(Protocol):
    """Somebody who can be asked."""

    def all_at_once(self, changes: Sequence[Change], /) -> str:
        """What to do with so many conflicts; one of `MANY_ANSWERS`."""

    def show(self, change: Change, number: int, count: int, /) -> None:
        """Show one conflict."""

    def choose(self, change: Change, /) -> str:
        """What to do with it; one of `ANSWERS`."""

    def edit(self, change: Change, /) -> Change | None:
        """The change with an edited merge; None if there is none to take."""

    def cannot(self, reason: str, /) -> None:
        """Say that an answer cannot be followed; `choose` is asked again."""


def resolve(case: Case, changes: Sequence[Change], way: Way, blobs: "Blobs", asks: Asks | None = None) -> Resolution:
    """Decide every conflict among the changes. Without `asks` there is nobody to ask.

    Raises StateError where `way` cannot be gone, such as markers in a binary file.
    """
    conflicts = [change for change in changes if change.moved]
    if way == "ask" and asks is not None and len(conflicts) > MANY:
        match asks.all_at_once(conflicts):
            case "m":
                way = "mine"
            case "l":
                return _together(case, changes, {change.path: _left(case, change) for change in conflicts})
            case "r":
                return Again()
            case "q":
                return Quit()
            case _:
                pass
    return _each(case, changes, way, blobs, asks)


def _each(case: Case, changes: Sequence[Change], way: Way, blobs: "Blobs", asks: Asks | None) -> Resolution:
    from sandbox.gate.folders import above

    conflicts = [change for change in changes if change.moved]
    decided: dict[bytes, Resolved] = {}
    for number, change in enumerate(conflicts, 1):
        if any(folder in decided and not decided[folder].changes for folder in above(change.path)):
            continue  # it goes with what the user keeps above it
        match one := _one(case, change, way, blobs, None if asks is None else _Turn(asks, number, len(conflicts))):
            case Resolved():
                decided[change.path] = one
            case None:
                return Unresolved(tuple(conflict_of(one) for one in conflicts))
            case _:
                return one
    return _together(case, changes, decided)


@dataclass(frozen=True)
class _Turn:
    """One question of several."""

    asks: Asks
    number: int
    count: int


def _one(case: Case, change: Change, way: Way, blobs: "Blobs", turn: _Turn | None) -> Resolution | None:
    """What becomes of one conflict; None if nobody says."""
    if way != "ask":
        return _ways(case, blobs)[way](change)
    if turn is None:
        return None
    return _asked(case, change, blobs, turn)


def _asked(case: Case, change: Change, blobs: "Blobs", turn: _Turn) -> Resolution:
    from sandbox.errors import StateError

    turn.asks.show(change, turn.number, turn.count)
    while True:
        try:
            match turn.asks.choose(change):
                case "m":
                    return _mine(case, change)
                case "t":
                    return _theirs(change)
                case "s":
                    return _markers(case, change, blobs)
                case "e":
                    edited = turn.asks.edit(change)
                    if edited is not None:
                        return Resolved((edited,))
                case "r":
                    return Again()
                case "q":
                    return Quit()
                case _:
                    return _left(case, change)
        except StateError as error:
            turn.asks.cannot(str(error))


def _ways(case: Case, blobs: "Blobs") -> dict[str, Callable[[Change], Resolved]]:
    return {
        "mine": lambda change: _mine(case, change),
        "theirs": _theirs,
        "markers": lambda change: _markers(case, change, blobs),
    }


def _mine(case: Case, change: Change) -> Resolved:
    """The user's version, and with it that of everything the sandbox has below the path."""
    return Resolved(mine=case.changes.only([change.path]))


def _theirs(change: Change) -> Resolved:
    from sandbox.gate.decisions import theirs

    return Resolved((theirs(change),))


def _markers(case: Case, change: Change, blobs: "Blobs") -> Resolved:
    """The side file of the whole conflict, whichever hunks of it were asked for."""
    from sandbox.gate.decisions import markers

    left = _left(case, change).left
    (whole,) = [one for one in left if one.path == change.path]
    return Resolved((markers(whole, blobs),), left=left)


def _left(case: Case, change: Change) -> Resolved:
    return Resolved(left=case.changes.only([change.path]))


def _together(case: Case, changes: Sequence[Change], decided: Mapping[bytes, Resolved]) -> Resolved:
    """All of it: what was no conflict is applied as it is, unless it depends on something that stays."""
    from sandbox.gate.held import held_with

    mine = {change.path: change for one in decided.values() for change in one.mine}
    left = {change.path: change for one in decided.values() for change in one.left}
    made = [change for one in decided.values() for change in one.changes]
    plain = [change for change in changes if not change.moved and change.path not in {*mine, *left}]
    held = held_with(case.changes.changes, {*mine, *left})
    waiting = held | {change.path for change in made}  # where a side file goes, one of the sandbox's own waits
    going = [change for change in plain if change.path not in waiting]
    going += [change for change in made if change.path not in held]
    return Resolved(
        tuple(sorted(going, key=lambda change: change.path)),
        tuple(mine.values()),
        (*left.values(), *(change for change in plain if change.path in waiting)),
    )


def conflict_of(change: Change) -> "Conflict":
    """A change that cannot be applied as it is, as an apply would say it."""
    from sandbox.gate.preimages import Conflict

    if change.unseen:
        return Conflict(change.path, "is hidden from the sandbox, which made its own without knowing yours")
    if change.before is None:
        return Conflict(change.path, "was deleted in the checkout, and changed in the sandbox")
    if change.after is None:
        return Conflict(change.path, "was changed in the checkout, and deleted in the sandbox")
    return Conflict(change.path, "was changed in the checkout since the session began")
