"""`paddock policy`: which rules there are, and what they say about a path."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.words import count

if TYPE_CHECKING:
    from cli.case import Case
    from cli.explaining import Explained
    from cli.screen.terminal import Terminal
    from runtime.permissions.policy import Policy
    from runtime.permissions.rules import Rule
    from runtime.permissions.settings import Loaded

app = typer.Typer(
    help="Show which rules there are, and what they say about a path.", rich_markup_mode=None, no_args_is_help=True
)


@app.command("explain", epilog="Example: paddock policy explain Makefile src/app.py")
def explain(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Paths of the checkout; they need not exist.")],
    directory: options.Directory = None,
    settings: options.Settings = "",
    as_json: options.Json = False,
) -> None:
    """Say which rule decides about a path, and what would become of a change there.

    Where a change waits in the newest session, that one is judged, with its content; else the name alone.
    """
    from cli import explaining, place, rules
    from cli.screen.judged import show_notices
    from runtime.permissions.sources import policy_for

    folder = place.checkout(directory)
    case = _newest(folder, settings)
    policy = case.policy if case is not None else policy_for(folder, rules.files(settings))
    found = [explaining.explain(path, policy, case) for path in paths]
    out = place.stdout()
    if as_json:
        rows = [explaining.as_json(one) for one in found]
        out.line(json.dumps({"paths": rows, "notices": list(policy.notices)}, indent=1))
        return
    for one in found:
        _show(one, out)
    show_notices(policy, out)


@app.command("list", epilog="Example: paddock policy list --json")
def list_(directory: options.Directory = None, settings: options.Settings = "", as_json: options.Json = False) -> None:
    """List all rules in the order they are asked: deny, ask, allow; the first that matches decides."""
    from cli import explaining, place, rules
    from cli.screen.judged import show_notices
    from runtime.permissions.sources import policy_for

    policy = policy_for(place.checkout(directory), rules.files(settings))
    out = place.stdout()
    if as_json:
        found = [explaining.rule_as_json(rule) for rule in policy.ordered]
        out.line(json.dumps({"rules": found, "notices": list(policy.notices)}, indent=1))
        return
    for rule in policy.ordered:
        _show_rule(rule, out)
    if not policy.rules:
        out.line("no rules: every change is asked about, and a blanket allow covers what has no effect of its own")
    show_notices(policy, out)


@app.command("check", epilog="Example: paddock policy check ~/.claude/settings.json")
def check(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="One settings file; without it, all of this checkout.")
    ] = "",
    directory: options.Directory = None,
    settings: options.Settings = "",
) -> None:
    """Read settings as a run would, try the examples of their rules, and end with 2 at the first error."""
    from cli import place, rules
    from cli.screen import safe
    from runtime import sandbox_settings
    from runtime.permissions import sources
    from runtime.sandbox_choice import Flags, chosen

    where = rules.files(settings)
    if file:
        one = sources.check(file, (directory or Path()).resolve(), where.home)
        notices = sandbox_settings.read(one.document)[1] if one.document is not None else ()
        found: Loaded | Policy = one
    else:
        folder = place.checkout(directory)
        found = sources.policy_for(folder, where)
        notices = chosen(folder, where, Flags()).notices
    out = place.stdout()
    for notice in (*found.notices, *notices):
        out.line(f"notice: {safe.line(notice)}")
    on_changes = sum(rule.is_on_effects for rule in found.rules)
    out.line(f"no errors: {count(len(found.rules), 'rule')}, {on_changes} of them about changes")


def _newest(folder: Path, settings: str) -> "Case | None":
    """What waits in the newest session of a checkout, if it has one that can be read."""
    from cli import place
    from cli.case import freeze
    from sandbox.errors import StateError

    try:
        return freeze(place.place().sessions.newest(folder), settings)
    except StateError:
        return None


def _show(one: "Explained", out: "Terminal") -> None:
    from cli.screen import safe

    verdict = one.verdict
    colour = {"deny": "red", "ask": "yellow", "allow": "green"}[verdict.decision]
    what = f"{one.change.kind}, waiting" if one.change is not None else "no change waits there: judged by its name"
    out.line(f"{out.style(safe.path(one.path), 'bold')}  {out.style(what, 'dim')}")
    _row("decision", out.style(verdict.decision, colour), out)
    _row("because", safe.line(verdict.reason), out)
    for mark in verdict.effects:
        _row("effect", f"{mark.effect}: {mark.reason}", out)
    for rule in one.others:
        _row("also", safe.line(f"{rule.judgement} {rule.text} in {rule.where}{_state(rule)}"), out)
    for way, what in one.outcome.items():
        _row(way, what, out)


def _row(name: str, value: str, out: "Terminal") -> None:
    out.line(f"  {out.style(f'{name:<13}', 'dim')} {value}")


def _show_rule(rule: "Rule", out: "Terminal") -> None:
    from cli.screen import safe

    colour = {"deny": "red", "ask": "yellow", "allow": "green"}[rule.judgement]
    where = out.style(safe.line(f"{rule.where}{_state(rule)}{f': {rule.reason}' if rule.reason else ''}"), "dim")
    out.line(f"{out.style(f'{rule.judgement:<5}', colour)}  {safe.line(rule.text):<32}  {where}")


def _state(rule: "Rule") -> str:
    """What keeps a rule from judging changes."""
    from runtime.permissions.policy import counts

    if counts(rule):
        return ""
    return " (ignored: a repository cannot allow itself)" if rule.is_on_effects else " (about tool calls)"
