"""`paddock apply`: who has to say yes to what. Ordinary changes go together, one with an effect by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli import exits, gate
from cli.ask import Person
from cli.case import Case, relative
from cli.screen import safe
from cli.screen.terminal import Terminal
from cli.settled import Settled, pending
from cli.words import count
from sandbox.changes import Change

if TYPE_CHECKING:
    from cli.settled import Consent

YES = {"y": "yes", "n": "no", "q": "quit"}


@dataclass(frozen=True)
class Wish:
    """What the command asked for: with `yes` not to be asked; `paths` are those that were named."""

    yes: bool
    paths: Sequence[str]
    consent: "Consent"

    def is_named(self, case: Case) -> bool:
        """Whether paths were named. The checkout itself is none: who names it means whatever there is."""
        return bool(self.paths) and all(relative(path, case.checkout).strip("/.") for path in self.paths)


def approve(case: Case, changes: Sequence[Change], wish: Wish, terminal: Terminal) -> Settled:
    """Ask where there is somebody to ask, and apply what was approved, all of it or nothing.

    `--yes` covers what is ordinary, and what needs its own yes only where its path was named: naming asks for it.
    Raises ApprovalNeeded if nobody can be asked; Misuse if all that was named is denied.
    """
    from cli.screen.judged import show_left, show_notices
    from sandbox.gate.held import independent

    show_notices(case.policy, terminal)
    open_ = gate.without_denied(case, changes, terminal)
    is_named = wish.is_named(case)
    if not open_ and is_named:
        raise exits.Misuse("a rule denies what you named, and nobody can approve that: `paddock policy list` has them")
    if not open_:
        return Settled(pending(case))
    special = () if wish.yes and is_named else tuple(one for one in open_ if not case.verdict(one).is_ordinary)
    apart = set(special)
    plain = [change for change in open_ if change not in apart]
    if wish.yes:
        show_left(case, special, terminal)
        approved = plain
        if not plain:
            raise _not_covered(case, special)
    elif not wish.consent.can_ask:
        raise exits.ApprovalNeeded(f"applying {count(len(open_), 'file')} has to be approved: add --yes")
    else:
        approved = _asked(case, plain, special, terminal)
    approved = independent(approved, case.changes.changes)
    return gate.carry_out(case, approved, terminal, wish.consent) if approved else Settled(pending(case))


def _not_covered(case: Case, special: Sequence[Change]) -> exits.ApprovalNeeded:
    return exits.ApprovalNeeded(
        f"--yes alone does not cover {count(len(special), 'file')}: `paddock review {case.short}`, "
        f"or name what you mean: `paddock apply {case.short} --yes {safe.path(special[0].path)}`"
    )


def _asked(case: Case, plain: Sequence[Change], special: Sequence[Change], terminal: Terminal) -> list[Change]:
    """One question for the ordinary ones, one for each other."""
    from cli.screen.judged import show_reason

    person = Person(terminal)
    approved: list[Change] = []
    if plain and person.confirm(f"apply {count(len(plain), 'file')} to {safe.line(str(case.checkout))}?"):
        approved += plain
    for change in special:
        show_reason(case, change, terminal)
        match person.choose(f"apply {safe.path(change.path)}?", YES, "n"):
            case "y":
                approved.append(change)
            case "q":
                break
            case _:
                pass
    return approved
