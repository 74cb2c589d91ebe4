"""What a gate is told beforehand, and what has become of the changes when it closes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli import exits
from cli.case import Case, reasons
from cli.options import Dial
from cli.truth import Pending, Truth, Unchanged

if TYPE_CHECKING:
    from sandbox.gate.apply import Applied as Done
    from sandbox.gate.apply import Conflicts


@dataclass(frozen=True)
class Settled:
    """What is true now, and the exit code it asks for; `result` is what an apply came to, if there was one.

    `commit` names the commit that was made of it, if one was.
    """

    truth: Truth
    code: int = exits.DONE
    result: "Done | Conflicts | None" = None
    commit: str = ""


@dataclass(frozen=True)
class Consent:
    """Who can be asked, and what was said beforehand: `deletions` is the number that `--deletions` stated.

    `message` is what the commit is about that is to be made of what is applied; without one, none is made.
    """

    can_ask: bool
    deletions: int | None = None
    message: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """Who decides. `is_explicit`: the user asked for this dial, so that nobody to ask is an error.

    `deletions` and `settings` are what the options of these names were given.
    """

    dial: Dial
    is_explicit: bool
    can_ask: bool
    deletions: int | None = None
    settings: str = ""

    @property
    def consent(self) -> Consent:
        """What is needed for a mass deletion."""
        return Consent(self.can_ask, self.deletions)


def pending(case: Case) -> Truth:
    """What is true while nothing has been applied."""
    waiting = case.changes.pending
    return Pending(len(waiting), case.session.id, reasons=reasons(case, waiting)) if waiting else Unchanged()
