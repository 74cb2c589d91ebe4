"""Why a path would be applied, asked about or never applied: everything `paddock policy explain` knows about it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli import exits
from sandbox.changes import Change, Directory, File

if TYPE_CHECKING:
    from cli.case import Case
    from runtime.permissions import Verdict
    from runtime.permissions.policy import Policy
    from runtime.permissions.rules import Rule

AS_ASKED: Final = "asked about by itself"


@dataclass(frozen=True)
class Explained:
    """One path. `change` is what waits there; None if nothing does, and then only its name was judged."""

    path: bytes
    verdict: "Verdict"
    rules: "tuple[Rule, ...]"
    change: Change | None = None

    @property
    def others(self) -> "tuple[Rule, ...]":
        """The rules that mean this path too, and did not decide."""
        return tuple(rule for rule in self.rules if rule is not self.verdict.rule)

    @property
    def outcome(self) -> Mapping[str, str]:
        """What would be done, by each way to apply."""
        if self.verdict.decision == "deny":
            never = "never applied"
            return {
                "--sync": never,
                "--apply auto": never,
                "apply --yes": never,
                "on a terminal": f"{never}, and shown",
            }
        if self.verdict.is_ordinary:
            by_rule = self.verdict.decision == "allow"
            return {
                "--sync": "applied" if by_rule else "left pending",
                "--apply auto": "applied",
                "apply --yes": "applied",
                "on a terminal": "asked about",
            }
        return {
            "--sync": "left pending",
            "--apply auto": "left pending",
            "apply --yes": "applied only if it is named",
            "on a terminal": AS_ASKED,
        }


def explain(path: str, policy: "Policy", case: "Case | None") -> Explained:
    """What becomes of a path, relative to the checkout or to the current folder. Raises Misuse for one outside."""
    from sandbox.gate.effects import NOWHERE

    name, is_folder = _inside(path, Path(policy.checkout))
    change = next((one for one in case.changes.changes if one.path == name), None) if case is not None else None
    if case is not None and change is not None:
        is_folder = isinstance(change.after or change.before, Directory)
        return Explained(name, case.verdict(change), policy.about(name, is_folder=is_folder), change)
    imagined = Change(name, None, Directory() if is_folder else File("0" * 64, 0))
    host = NOWHERE if case is None else case.host
    return Explained(name, policy.judge(imagined, host=host), policy.about(name, is_folder=is_folder))


def as_json(one: Explained) -> dict[str, Any]:
    """The same for programs."""
    verdict = one.verdict
    return {
        "path": one.path.decode("utf-8", "surrogateescape"),
        "decision": verdict.decision,
        "reason": verdict.reason,
        "rule": rule_as_json(verdict.rule) if verdict.rule is not None else None,
        "effects": [{"effect": mark.effect.value, "reason": mark.reason} for mark in verdict.effects],
        "other_rules": [rule_as_json(rule) for rule in one.others],
        "change": one.change.kind if one.change is not None else None,
        "outcome": dict(one.outcome),
    }


def rule_as_json(rule: "Rule") -> dict[str, Any]:
    """A rule, where it stands, and whether it takes part when changes are judged."""
    from runtime.permissions.policy import counts

    return {
        "judgement": rule.judgement,
        "rule": rule.text,
        "file": rule.source.name,
        "line": rule.line or None,
        "scope": rule.source.scope,
        "reason": rule.reason,
        "judges_changes": counts(rule),
    }


def _inside(path: str, checkout: Path) -> tuple[bytes, bool]:
    """The path as the checkout has it, and whether it is a folder: it ends in a slash, or is one now."""
    from cli.case import relative

    inside = relative(path, checkout)
    if os.path.isabs(inside) or inside.split("/")[0] in ("..", "."):
        raise exits.Misuse(f"{path!r} is not a path inside of {checkout}, so no change can be there")
    name = os.path.normpath(inside)
    return os.fsencode(name), path.endswith("/") or (checkout / name).is_dir()
