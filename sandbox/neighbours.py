"""Other sessions on the same ground: in the same folder, by whatever path, in one above it or in one below."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.errors import StateError
from sandbox.sessions import Session

Place = Literal["here", "above", "below"]
_Folder = tuple[int, int]
"""Device and inode: which folder it is, whatever its path."""


@dataclass(frozen=True)
class Neighbour:
    """A running session whose checkout shares files with ours; `place`: where it lies, seen from ours."""

    session: Session
    checkout: Path
    place: Place

    @property
    def sentence(self) -> str:
        """What a person should know, not escaped: the path is the user's own."""
        match self.place:
            case "here":
                where = "in this folder too"
            case "above":
                where = f"in {self.checkout}, which holds this folder"
            case _:
                where = f"in {self.checkout}, which lies in this folder"
        return (
            f"session {self.session.id[:8]} is running {where}: both can change the same files, and what collides is "
            "merged, or asked about, when the second one is applied"
        )


def neighbours(checkout: Path, sessions: Iterable[Session]) -> tuple[Neighbour, ...]:
    """The running sessions, in their order, that share files with a checkout."""
    ours = _folders(checkout)
    found: list[Neighbour] = []
    for session in sessions:
        try:
            theirs = Path(session.meta().checkout)
            place = _place(ours, _folders(theirs))
            if place is not None and session.is_held():
                found.append(Neighbour(session, theirs, place))
        except (OSError, StateError):
            continue  # a session that cannot be read, or whose checkout is gone
    return tuple(found)


def _place(ours: tuple[_Folder, ...], theirs: tuple[_Folder, ...]) -> Place | None:
    if ours[0] == theirs[0]:
        return "here"
    if theirs[0] in ours:
        return "above"
    return "below" if ours[0] in theirs else None


def _folders(path: Path) -> tuple[_Folder, ...]:
    """A folder and all above it."""
    facts = [os.stat(one) for one in (path, *path.resolve().parents)]
    return tuple((one.st_dev, one.st_ino) for one in facts)
