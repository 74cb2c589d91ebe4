"""What became of the host: the last line of every run, and the same for programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never


@dataclass(frozen=True)
class Unchanged:
    """Nothing was applied and nothing waits."""


@dataclass(frozen=True)
class Pending:
    """Changes wait in a session; the host is as it was. `conflicts`: they could not be applied as things stand."""

    files: int
    session: str
    conflicts: int = 0


@dataclass(frozen=True)
class Applied:
    """Changes were written to the host; `left` of them still wait."""

    files: int
    session: str
    left: int = 0


@dataclass(frozen=True)
class TakenBack:
    """An earlier apply was undone on the host; `left` changes wait in its session, those among them."""

    files: int
    session: str
    left: int = 0


Truth = Unchanged | Pending | Applied | TakenBack


def sentence(truth: Truth) -> str:
    """One line that a person can act on."""
    match truth:
        case Unchanged():
            return "host unchanged"
        case Pending(files, session):
            return f"{_files(files)} pending: paddock review {session[:8]}"
        case Applied(files, session, left):
            rest = f" · {_files(left)} pending: paddock review {session[:8]}" if left else ""
            return f"applied {_files(files)}{rest}"
        case TakenBack(files, session, left):
            rest = f" · {_files(left)} pending: paddock review {session[:8]}" if left else ""
            return f"took back {_files(files)}{rest}"
        case _:
            assert_never(truth)


def as_json(truth: Truth) -> Mapping[str, object]:
    """The same for programs: how many files were applied, how many wait, and the sentence."""
    match truth:
        case Unchanged():
            counts = {"state": "unchanged", "applied": 0, "pending": 0}
        case Pending(files, _, conflicts):
            counts = {"state": "pending", "applied": 0, "pending": files, "conflicts": conflicts}
        case Applied(files, _, left):
            counts = {"state": "applied", "applied": files, "pending": left}
        case TakenBack(files, _, left):
            counts = {"state": "taken back", "applied": 0, "taken_back": files, "pending": left}
        case _:
            assert_never(truth)
    return {**counts, "summary": sentence(truth)}


def _files(number: int) -> str:
    return f"{number:,} file{'' if number == 1 else 's'}"
