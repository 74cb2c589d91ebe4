"""One session's change set, frozen, with all that is needed to judge it and to apply what was approved."""

import functools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cli import exits
from cli.screen import safe
from sandbox.changes import Change, ChangeSet
from sandbox.sessions import Session

if TYPE_CHECKING:
    from cli.host import Tracked
    from runtime.permissions import Verdict
    from runtime.permissions.policy import Policy
    from sandbox.gate.apply import Applied, Conflicts
    from sandbox.gate.effects import Host, Marked, MassDeletion, Read


@dataclass(frozen=True)
class Case:
    """What lies at the gate. Nothing here is read from the workspace again.

    `settings`: what `--settings` was given. `running`: so many processes go on inside, and may change it.
    """

    session: Session
    checkout: Path
    changes: ChangeSet
    settings: str = ""
    running: int = 0
    _verdicts: "dict[Change, Verdict]" = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def short(self) -> str:
        """The session's id as people type it."""
        return self.session.id[:8]

    @functools.cached_property
    def policy(self) -> "Policy":
        """The rules that judge this change set. Raises SettingsError."""
        from cli.rules import policy_of

        return policy_of(self.session, self.settings)

    @functools.cached_property
    def host(self) -> "Host":
        """What of the host an effect depends on."""
        from cli import environment
        from cli.host import Commands
        from sandbox.gate.aliases import aliases
        from sandbox.gate.effects import Host
        from sandbox.gate.freeze import manifest_of
        from sandbox.hiding.hidden import hidden_of
        from sandbox.hiding.values import known_values

        has_git = (self.checkout / ".git").exists()
        return Host(
            Commands(environment.read().commands),
            self._tracked if has_git else None,
            aliases(self.checkout, manifest_of(self.session).links()),
            known_values(self.checkout, hidden_of(self.session)),
        )

    @functools.cached_property
    def _tracked(self) -> "Tracked":
        from cli.host import Tracked

        return Tracked(self.checkout)

    def verdict(self, change: Change) -> "Verdict":
        """What the rules and the effects say about a change, this one or one made of it. Raises SettingsError."""
        from sandbox.gate.effects import effects, leaks, merged

        if change not in self._verdicts:
            leaked = leaks(change, _reading(self.session.blobs), self.host.secrets)
            marks = merged((*leaked, *_by_content(self.session.blobs, change), *effects(change, host=self.host)))
            self._verdicts[change] = self.policy.marked(change, marks, self.host)
        return self._verdicts[change]

    def warnings(self, change: Change) -> tuple[str, ...]:
        """What deserves a second look about a change, in a few words: what a rule says, its effects, its remarks."""
        from sandbox.gate.effects import warnings

        verdict = self.verdict(change)
        by_rule = (verdict.short,) if verdict.rule is not None and verdict.decision != "allow" else ()
        return (*by_rule, *warnings(change, verdict.effects))

    def mass_deletion(self, changes: Sequence[Change], *, already: int = 0) -> "MassDeletion | None":
        """Whether these changes, after `already` others that nobody saw, delete so much that it has to be confirmed."""
        from sandbox.gate.effects import FEW, deletions, mass_deletion
        from sandbox.gate.freeze import manifest_of

        if deletions(changes) + already <= FEW:
            return None
        tree = len(self._tracked.paths) or len(manifest_of(self.session))
        return mass_deletion(changes, tree + already, already=already)


@functools.lru_cache(maxsize=1 << 16)
def _by_content(folder: Path, change: Change) -> "tuple[Marked, ...]":
    """The effects of a change as far as its names and contents go: those stay what they are from turn to turn."""
    from sandbox.gate.effects import effects

    return effects(change, _reading(folder))


def _reading(folder: Path) -> "Read":
    from sandbox.gate.blobs import Blobs

    blobs = Blobs(folder)
    return lambda file, limit: blobs.head(file.digest, limit)


def freeze(session: Session, settings: str = "") -> Case:
    """The changes of a session that is not running; a line says how far it is. Raises StateError, OutOfSpace."""
    from cli.place import stderr
    from cli.screen.looking import looking
    from sandbox.gate.freeze import frozen

    checkout = Path(session.meta().checkout)
    said = stderr()
    try:
        with looking(said) as tell:
            changes = frozen(session, tell)
    except KeyboardInterrupt as error:
        said.line(f"paddock: interrupted while looking; it all waits: paddock status {session.id[:8]}")
        raise exits.LookInterrupted from error
    return Case(session, checkout, changes, settings)


def chosen(case: Case, paths: Sequence[str]) -> tuple[Change, ...]:
    """The changes that paths name, ignored ones among them; all pending ones where none is named.

    A path may be relative to the current folder or to the checkout. Raises Misuse for one that names no change.
    """
    if not paths:
        return case.changes.pending
    found: dict[bytes, Change] = {}
    for path in paths:
        named = case.changes.only([os.fsencode(relative(path, case.checkout))])
        named = named or case.changes.only([os.fsencode(path)])
        if not named:
            refused = [one for one in case.changes.refused if one.path == os.fsencode(path).rstrip(b"/")]
            why = f" that may leave the sandbox: {refused[0].reason}" if refused else ""
            raise exits.Misuse(
                f"session {case.short} has no change at {path!r}{why}: `paddock status {case.short}` lists them"
            )
        found |= {change.path: change for change in named}
    return tuple(found[path] for path in sorted(found))


def relative(path: str, checkout: Path) -> str:
    """A path as the checkout sees it; one outside stays as it is."""
    absolute = os.path.normpath(os.path.join(os.getcwd(), path))
    if absolute == str(checkout):
        return "."
    return absolute[len(str(checkout)) + 1 :] if absolute.startswith(f"{checkout}/") else path


def reasons(case: Case, changes: Iterable[Change]) -> tuple[tuple[str, int], ...]:
    """Why changes wait that no blanket allow covers: each reason with the number of files, the most frequent first."""
    found: dict[str, int] = {}
    for change in changes:
        short = case.verdict(change).short
        if short:
            found[short] = found.get(short, 0) + 1
    return tuple(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def apply(case: Case, changes: Sequence[Change], by: str) -> "Applied | Conflicts":
    """Write approved changes to the checkout: all of them, or none and the reasons. Records the approval first.

    Raises DeniedByRule if there is such a rule for one of them: nobody can approve that.
    """
    from runtime.permissions.errors import DeniedByRule
    from sandbox.gate import apply as gate
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.decisions import approval
    from sandbox.gate.freeze import manifest_of

    denied = [change for change in changes if case.verdict(change).decision == "deny"]
    if denied:
        raise DeniedByRule(f"{safe.path(denied[0].path)} is {case.verdict(denied[0]).reason}: nothing was written")
    return gate.apply(
        approval(case.changes, changes, by),
        checkout=case.checkout,
        blobs=Blobs(case.session.blobs),
        session=case.session,
        manifest=manifest_of(case.session),
        change_set=case.changes,
    )
