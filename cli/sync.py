"""Continuous sync: after the calls of each answer, what the rules allow is applied, and one line says what was not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.case import Case, apply
from cli.screen import safe
from cli.screen.changes import still_changing
from cli.words import count
from sandbox.changes import Change

if TYPE_CHECKING:
    from runtime.events import Event
    from sandbox.base import Sandbox
    from sandbox.sessions import Session

NAMED: Final = 3
"""How many pending files the line names."""

BOTH_CHANGED: Final = "you changed it too"


@dataclass(frozen=True)
class Synced:
    """What one sync came to: the paths that are in the checkout now, and those that wait, each with its reason."""

    applied: tuple[bytes, ...] = ()
    waiting: tuple[tuple[bytes, str], ...] = ()
    running: int = 0

    @property
    def sentence(self) -> str:
        """One line that is safe to show."""
        parts = [f"synced {count(len(self.applied), 'file')}"] if self.applied else []
        if self.waiting:
            named = [f"{safe.path(path)} ({reason})" for path, reason in self.waiting[:NAMED]]
            more = [f"{len(self.waiting) - NAMED:,} more"] if len(self.waiting) > NAMED else []
            parts.append(f"{len(self.waiting):,} pending: {', '.join([*named, *more])}")
        if self.running:
            parts.append(still_changing(self.running))
        return " · ".join(parts)

    @property
    def row(self) -> dict[str, object]:
        """The same for programs."""
        from cli.rows import name

        waiting = [{**name(path), "reason": reason} for path, reason in self.waiting]
        return {"applied": [name(path) for path in self.applied], "pending": waiting, "running": self.running}


def sync(case: Case, *, is_blanket: bool, running: int = 0) -> Synced:
    """Apply what may be applied with nobody looking.

    That is what a rule allows; with `is_blanket` also what no rule holds back and no effect. A conflict, a mass
    deletion and what depends on something that waits stay pending: none of them keeps the rest from being applied.
    Raises SettingsError, StateError, OutOfSpace, CheckoutRefused, SessionBusy.
    """
    from sandbox.gate.apply import Conflicts
    from sandbox.gate.unseen import BY_SYNC

    # The sandbox goes on over a checkout that is written to below its mount. For every path concerned that is safe:
    # what the sandbox changed lies in the upper layer, and so do the whiteout or the opaque folder that hide what it
    # deleted; it never sees the checkout's own side of these. Only a deletion in a folder that an apply has brought
    # leaves no such mark: `sandbox.gate.vanished` finds it by the notes.
    reasons = _held(case, is_blanket)
    ready = _free(case, reasons)
    result = apply(case, ready, BY_SYNC) if ready else None
    if isinstance(result, Conflicts):  # somebody saved in between: without those paths, once more
        reasons |= {one.path: safe.line(one.reason) for one in result.conflicts}
        ready = _free(case, reasons)
        result = apply(case, ready, BY_SYNC) if ready else None
    if isinstance(result, Conflicts):
        reasons |= {change.path: BOTH_CHANGED for change in ready}
        result = None
    kept = {} if result is None else {one.path: safe.line(one.reason) for one in result.kept}
    return Synced(() if result is None else result.paths, tuple(sorted({**reasons, **kept}.items())), running)


def _held(case: Case, is_blanket: bool) -> dict[bytes, str]:
    """What waits, and why."""
    from sandbox.gate.effects import loses_content
    from sandbox.gate.unseen import deleted_unseen

    found: dict[bytes, str] = {}
    for change in case.changes.pending:
        verdict = case.verdict(change)
        if not (verdict.decision == "allow" or (is_blanket and verdict.is_ordinary)):
            found[change.path] = verdict.short or "no rule allows it"
        elif change.moved:
            found[change.path] = BOTH_CHANGED
    ready = [change for change in case.changes.pending if change.path not in found]
    if case.mass_deletion(ready, already=deleted_unseen(case.session)) is not None:
        found |= {change.path: "mass deletion" for change in ready if loses_content(change)}
    return found


def _free(case: Case, reasons: dict[bytes, str]) -> Sequence[Change]:
    """What does not wait, nor for something that does; the latter is put down in `reasons`."""
    from sandbox.gate.held import held_with

    ignored = {change.path for change in case.changes.changes if change.ignored}
    tied = held_with(case.changes.changes, {*reasons, *ignored}) - ignored
    reasons |= dict.fromkeys(tied, "waits for another one")
    return [change for change in case.changes.pending if change.path not in reasons]


@dataclass
class Syncing:
    """Syncs a running agent's session; says the same thing only once."""

    session: "Session"
    checkout: Path
    settings: str
    sandbox: "Sandbox"
    is_blanket: bool
    _said: str = ""

    async def __call__(self, emit: "Callable[[Event], None]", /) -> None:
        """After the calls of an answer. What fails is said, and the run goes on: it all waits for the gate."""
        import anyio.to_thread

        from runtime.events import Notice
        from runtime.permissions.errors import SettingsError
        from sandbox.errors import SandboxError

        try:
            running = await self.sandbox.running()
            changes = await self.sandbox.freeze()
            case = Case(self.session, self.checkout, changes, self.settings)
            synced = await anyio.to_thread.run_sync(lambda: sync(case, is_blanket=self.is_blanket, running=running))
        except (SandboxError, SettingsError) as error:
            notice, is_news = Notice(f"not synced: {error}", "warning"), False
        else:
            notice, is_news = Notice(synced.sentence), bool(synced.applied)
        if notice.text and (is_news or notice.text != self._said):
            emit(notice)
        self._said = notice.text
