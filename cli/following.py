"""`paddock apply --watch`: sync a session that another process runs, until it ends or Ctrl-C."""

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.case import Case, freeze
from cli.screen.terminal import Terminal
from cli.settled import pending
from cli.sync import Synced, sync
from cli.truth import Pending, Truth, Unchanged

if TYPE_CHECKING:
    from sandbox.engine import Engine
    from sandbox.sessions import Session

POLL: Final = 0.25  # seconds
QUIET: Final = 0.75
"""Seconds after the last noted call in which no other one ends: between two answers, and not in the middle of one."""


@dataclass(frozen=True)
class Wish:
    """What the options asked for. `is_blanket`: also what no rule holds back, as `--yes` says."""

    is_blanket: bool = False
    settings: str = ""
    as_json: bool = False


def follow(session: "Session", wish: Wish) -> int:
    """Apply what may be, after each turn of the other process and at its end. Raises Misuse if nobody runs it."""
    from cli import exits, place
    from cli.truth import as_json, sentence

    if not session.is_held():
        raise exits.Misuse(f"session {session.id[:8]} is not running: `paddock apply {session.id[:8]}` applies it")
    out = place.stdout()
    follower = _Follower(session, wish, out, place.connect())
    try:
        follower.until_its_end()
        with session.hold():
            case = freeze(session, wish.settings)
            follower.tell(sync(case, is_blanket=wish.is_blanket))
            truth = pending(freeze(session, wish.settings))
    except KeyboardInterrupt:
        out.end_line()
        truth = follower.truth
    out.line(
        json.dumps({"session": session.id, **as_json(truth)}) if wish.as_json else out.style(sentence(truth), "bold")
    )
    return exits.DONE


class _Follower:
    def __init__(self, session: "Session", wish: Wish, terminal: Terminal, engine: "Engine") -> None:
        self._session = session
        self._wish = wish
        self._terminal = terminal
        self._engine = engine
        self._said = ""
        self._last = Synced()

    @property
    def truth(self) -> Truth:
        """What was true at the last sync: the session goes on, and so nobody can look now."""
        waiting = len(self._last.waiting)
        return Pending(waiting, self._session.id) if waiting else Unchanged()

    def until_its_end(self) -> None:
        """Sync whenever calls have been noted and it is quiet."""
        from sandbox.errors import SandboxLost

        done, seen, since = -1, -1, time.monotonic()
        while self._session.is_held():
            size = self._noted()
            if size != seen:
                seen, since = size, time.monotonic()
            elif size != done and time.monotonic() - since >= QUIET:
                try:
                    self.tell(self._sync())
                    done = size
                except SandboxLost:
                    since = time.monotonic()  # it is starting, or it has just ended
            time.sleep(POLL)

    def tell(self, synced: Synced) -> None:
        """One line for what is new."""
        self._last = synced
        text = synced.sentence
        if not text or (text == self._said and not synced.applied):
            return
        self._said = text
        if self._wish.as_json:
            self._terminal.line(json.dumps({"session": self._session.id, **synced.row}))
        else:
            self._terminal.line(text)

    def _sync(self) -> Synced:
        from pathlib import Path

        from sandbox.gate.freeze import frozen
        from sandbox.pausing import paused_from_outside

        with paused_from_outside(self._session, self._engine):
            changes = frozen(self._session)
        checkout = Path(self._session.meta().checkout)
        return sync(Case(self._session, checkout, changes, self._wish.settings), is_blanket=self._wish.is_blanket)

    def _noted(self) -> int:
        from sandbox.gate.notes import path_of

        try:
            return path_of(self._session).stat().st_size
        except FileNotFoundError:
            return 0
