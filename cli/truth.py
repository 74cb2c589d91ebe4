"""What became of the host: the last line of every run, and the same for programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from cli.words import count

Reasons = tuple[tuple[str, int], ...]
"""Why changes wait, each reason with how many."""


@dataclass(frozen=True)
class Unchanged:
    """Nothing was applied and nothing waits."""


@dataclass(frozen=True)
class Pending:
    """Changes wait in a session; the host is as it was. `conflicts`: they could not be applied as things stand.

    `reasons` count those that wait for a reason of their own.
    """

    files: int
    session: str
    conflicts: int = 0
    reasons: Reasons = ()


@dataclass(frozen=True)
class Applied:
    """Changes were written to the host; `left` of them still wait, some of those for `reasons` of their own."""

    files: int
    session: str
    left: int = 0
    reasons: Reasons = ()


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
        case Pending(files, session, _, reasons):
            return f"{count(files, 'file')} pending{_because(reasons)}: paddock review {session[:8]}"
        case Applied(files, session, left, reasons):
            rest = f" · {count(left, 'file')} pending{_because(reasons)}: paddock review {session[:8]}" if left else ""
            return f"applied {count(files, 'file')}{rest}"
        case TakenBack(files, session, left):
            rest = f" · {count(left, 'file')} pending: paddock review {session[:8]}" if left else ""
            return f"took back {count(files, 'file')}{rest}"
        case _:
            assert_never(truth)


def as_json(truth: Truth) -> Mapping[str, object]:
    """The same for programs: how many files were applied, how many wait, and the sentence."""
    counts: dict[str, object]
    match truth:
        case Unchanged():
            counts = {"state": "unchanged", "applied": 0, "pending": 0}
        case Pending(files, _, conflicts, reasons):
            counts = {"state": "pending", "applied": 0, "pending": files, "conflicts": conflicts}
            counts |= {"pending_because": dict(reasons)}
        case Applied(files, _, left, reasons):
            counts = {"state": "applied", "applied": files, "pending": left, "pending_because": dict(reasons)}
        case TakenBack(files, _, left):
            counts = {"state": "taken back", "applied": 0, "taken_back": files, "pending": left}
        case _:
            assert_never(truth)
    return {**counts, "summary": sentence(truth)}


def _because(reasons: Reasons) -> str:
    return f" ({', '.join(f'{number:,} {reason}' for reason, number in reasons)})" if reasons else ""
