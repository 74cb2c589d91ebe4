"""One session's change set, frozen, with all that is needed to judge it and to apply what was approved."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli import exits
from sandbox.changes import Change, ChangeSet
from sandbox.sessions import Session

if TYPE_CHECKING:
    from sandbox.gate.apply import Applied, Conflicts


@dataclass(frozen=True)
class Case:
    """What lies at the gate. Nothing here is read from the workspace again."""

    session: Session
    checkout: Path
    changes: ChangeSet

    @property
    def short(self) -> str:
        """The session's id as people type it."""
        return self.session.id[:8]


def freeze(session: Session) -> Case:
    """The changes of a session that is not running. Raises StateError, OutOfSpace."""
    from sandbox.gate.freeze import frozen

    checkout = Path(session.meta().checkout)
    has_begun = (session.path / "manifest").exists()  # nothing inside can have run before there was one
    return Case(session, checkout, frozen(session) if has_begun else ChangeSet())


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


def apply(case: Case, changes: Sequence[Change], by: str) -> "Applied | Conflicts":
    """Write approved changes to the checkout: all of them, or none and the reasons. Records the approval first."""
    from sandbox.gate import apply as gate
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.decisions import approval
    from sandbox.gate.freeze import manifest_of

    return gate.apply(
        approval(case.changes, changes, by),
        checkout=case.checkout,
        blobs=Blobs(case.session.blobs),
        session=case.session,
        manifest=manifest_of(case.session),
        change_set=case.changes,
    )
