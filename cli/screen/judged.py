"""What the rules say, in lines: what is denied, what is left for a person and why, and what is odd about the rules."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cli.screen import safe
from cli.screen.terminal import Terminal
from sandbox.changes import Change

if TYPE_CHECKING:
    from cli.case import Case
    from runtime.permissions.policy import Policy

FEW: Final = 3  # changes named in one line
SOME: Final = 8  # denied changes shown, each with its rule; and so many sentences about settings


def show_notices(policy: "Policy", terminal: Terminal) -> None:
    """What is odd about the settings files: ignored rules, files left out."""
    for notice in policy.notices[:SOME]:
        _say(f"  settings: {safe.line(notice)}", terminal, "yellow")
    if len(policy.notices) > SOME:
        more = len(policy.notices) - SOME
        _say(f"  settings: … and {more:,} more: `paddock policy check` names them all", terminal, "yellow")


def show_denied(case: "Case", changes: Sequence[Change], terminal: Terminal) -> None:
    """What is never applied, each with the rule that says so."""
    for change in changes[:SOME]:
        _say(f"  {safe.path(change.path)}  never applied: {safe.line(case.verdict(change).reason)}", terminal, "red")
    if len(changes) > SOME:
        _say(f"  … and {len(changes) - SOME:,} more that rules deny", terminal, "red")


def show_left(case: "Case", changes: Sequence[Change], terminal: Terminal) -> None:
    """One line: what a blanket allow does not cover, and why."""
    if not changes:
        return
    named = [f"{safe.path(change.path)} ({_why(case, change)})" for change in changes[:FEW]]
    more = [f"{len(changes) - FEW:,} more"] if len(changes) > FEW else []
    _say(f"left for you: {', '.join([*named, *more])}", terminal, "yellow")


def show_reason(case: "Case", change: Change, terminal: Terminal) -> None:
    """Why one change is asked about by itself."""
    _say(f"  {safe.path(change.path)}  {safe.line(case.verdict(change).reason)}", terminal, "yellow")


def _why(case: "Case", change: Change) -> str:
    verdict = case.verdict(change)
    return safe.line(verdict.reason) if verdict.rule is not None or verdict.effects else "no rule allows it"


def _say(text: str, terminal: Terminal, *styles: str) -> None:
    for row in terminal.wrap(text, indent=6):
        terminal.line(terminal.style(row, *styles))
