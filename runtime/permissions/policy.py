"""The rules of all settings files together, and what they say about a change: deny, then ask, then allow.

Nothing that matches means ask. The first of these kinds with a rule for the path decides, whichever file it is in, and
however general it is. An effect (`sandbox.gate.effects`) always asks, but for a rule that allows this very path by
name. A repository's own rules can only make this tighter.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from runtime.permissions.rules import JUDGEMENTS, PROJECT_SCOPES, Judgement, Rule, Spot
from runtime.permissions.verdict import Verdict
from sandbox.changes import Change, Directory, Link
from sandbox.escape import escape
from sandbox.gate.effects import NOWHERE, Host, Marked, Read, effects, other_names


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
        return self.marked(change, effects(change, read, host), host)

    def marked(self, change: Change, marks: Sequence[Marked], host: Host = NOWHERE) -> Verdict:
        """The same for a change of which the effects are known.

        What forbids or asks is not got round by links: it counts under every name that leads to the path, and a link
        in place of a folder counts as the folder. What allows means the path itself.
        """
        is_folder = isinstance(change.after or change.before, Directory)
        has_place = any(isinstance(side, Directory | Link) for side in (change.before, change.after))
        found = [self._held(change.path, tuple(marks), is_folder=has_place)]
        for name in other_names(change.path, host.aliases) if host.aliases else ():
            held = self._held(name, tuple(marks), is_folder=has_place)
            found.append(held and replace(held, reason=f"{held.reason} (a link leads to it as {escape(name)})"))
        holding = sorted(filter(None, found), key=lambda one: JUDGEMENTS.index(one.decision))
        return holding[0] if holding else self._free(change.path, tuple(marks), is_folder=is_folder)

    def verdict(self, path: bytes, marks: Sequence[Marked] = (), *, is_folder: bool = False) -> Verdict:
        """The same for a path by itself."""
        marked = tuple(marks)
        return self._held(path, marked, is_folder=is_folder) or self._free(path, marked, is_folder=is_folder)

    def _free(self, path: bytes, marked: tuple[Marked, ...], *, is_folder: bool) -> Verdict:
        """What is said where no rule denies or asks."""
        place = Spot(self.checkout, os.fsdecode(path), is_folder)
        allowed = self._first("allow", place)
        if marked:
            named = self._naming(place)
            if named is not None:
                return Verdict("allow", _because(named, "allowed by name, by"), named, marked)
            return Verdict("ask", f"{marked[0].effect}: {marked[0].reason}", None, marked)
        if allowed is not None:
            return Verdict("allow", _because(allowed, "allowed by"), allowed)
        return Verdict("ask", "no rule is about it")

    def _held(self, path: bytes, marked: tuple[Marked, ...], *, is_folder: bool) -> Verdict | None:
        """What a rule that denies says, or else one that asks; None if there is neither."""
        place = Spot(self.checkout, os.fsdecode(path), is_folder)
        denied = self._first("deny", place)
        if denied is not None:
            return Verdict("deny", _because(denied, "denied by"), denied, marked)
        asked = self._first("ask", place)
        if asked is not None:
            return Verdict("ask", _because(asked, "to be asked about, by"), asked, marked)
        return None

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
