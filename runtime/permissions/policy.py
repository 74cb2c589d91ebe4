"""The rules of all settings files together, and what they say about a change: deny, then ask, then allow.

Nothing that matches means ask. The first of these kinds with a rule for the path decides, whichever file it is in, and
however general it is. An effect (`sandbox.gate.effects`) always asks, but for a rule that allows this very path by
name. A repository's own rules can only make this tighter.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime.permissions.rules import JUDGEMENTS, PROJECT_SCOPES, Judgement, Rule, Spot
from runtime.permissions.verdict import Verdict
from sandbox.changes import Change, Directory
from sandbox.gate.effects import NOWHERE, Host, Marked, Read, effects


@dataclass(frozen=True)
class Policy:
    """All rules for one checkout, in the order of their files. `notices` are sentences its user should see."""

    checkout: str
    rules: tuple[Rule, ...] = ()
    notices: tuple[str, ...] = ()
    _by_kind: dict[Judgement, list[Rule]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for judgement in JUDGEMENTS:
            self._by_kind[judgement] = [rule for rule in self.rules if rule.judgement == judgement and counts(rule)]

    def judge(self, change: Change, read: Read | None = None, host: Host = NOWHERE) -> Verdict:
        """What the rules and the effects say about a change. `read` gives contents, `host` what the host has."""
        is_folder = isinstance(change.after or change.before, Directory)
        return self.verdict(change.path, effects(change, read, host), is_folder=is_folder)

    def verdict(self, path: bytes, marks: Sequence[Marked] = (), *, is_folder: bool = False) -> Verdict:
        """The same for a path of which the effects are known."""
        marked = tuple(marks)
        place = Spot(self.checkout, os.fsdecode(path), is_folder)
        denied, asked, allowed = (self._first(judgement, place) for judgement in JUDGEMENTS)
        if denied is not None:
            return Verdict("deny", _because(denied, "denied by"), denied, marked)
        if asked is not None:
            return Verdict("ask", _because(asked, "to be asked about, by"), asked, marked)
        if marked:
            named = self._naming(place)
            if named is not None:
                return Verdict("allow", _because(named, "allowed by name, by"), named, marked)
            return Verdict("ask", f"{marked[0].effect}: {marked[0].reason}", None, marked)
        if allowed is not None:
            return Verdict("allow", _because(allowed, "allowed by"), allowed)
        return Verdict("ask", "no rule is about it")

    def about(self, path: bytes, *, is_folder: bool = False) -> tuple[Rule, ...]:
        """Every rule that means a change at this path, those that are ignored too, in the order they are asked."""
        place = Spot(self.checkout, os.fsdecode(path), is_folder)
        return tuple(rule for rule in self.ordered if rule.covers(place))

    @property
    def ordered(self) -> tuple[Rule, ...]:
        """All rules in the order they are asked."""
        return tuple(rule for judgement in JUDGEMENTS for rule in self.rules if rule.judgement == judgement)

    def _first(self, judgement: Judgement, place: Spot) -> Rule | None:
        return next((one for one in self._by_kind[judgement] if one.reach is None or one.reach.covers(place)), None)

    def _naming(self, place: Spot) -> Rule | None:
        return next((rule for rule in self._by_kind["allow"] if rule.spells_out(place)), None)


def counts(rule: Rule) -> bool:
    """Whether a rule takes part when changes are judged."""
    return rule.is_on_effects and not (rule.judgement == "allow" and rule.source.scope in PROJECT_SCOPES)


def _because(rule: Rule, how: str) -> str:
    return f"{how} {rule.text} in {rule.where}" + (f": {rule.reason}" if rule.reason else "")
