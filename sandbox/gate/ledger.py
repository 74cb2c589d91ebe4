"""The running account of one session: looks at the upper layer after each call, and notes what it finds."""

import threading
from pathlib import Path

from sandbox.base import Call
from sandbox.errors import StateError
from sandbox.gate.bases import Bases
from sandbox.gate.blobs import Blobs
from sandbox.gate.ignore import Ignored, user_excludes
from sandbox.gate.layer import Layer
from sandbox.gate.provenance import MOST_PATHS, Manner, append, history
from sandbox.sessions import Session

NOBODY = Call("", "", "", "")


class Ledger:
    """Made by the process that runs a session; every method may be called from any thread, and blocks it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._layer: Layer | None = None
        self._bases = Bases(session)
        self._unread: set[bytes] = set()
        self._lock = threading.Lock()

    def catch_up(self) -> None:
        """Note what changed while no sandbox was open, as nobody's call: a discard, a lost account."""
        self.note(NOBODY, "unknown")

    def note(self, call: Call, manner: Manner) -> tuple[bytes, ...]:
        """Note what changed since the last time; the paths. Raises OutOfSpace, StateError."""
        with self._lock:
            layer = self._layer or self._begin()
            self._layer = layer
            try:
                look = layer.look()
            except OSError as error:
                raise StateError(f"what was changed cannot be looked at: {error}") from error
            if look.changed:
                append(self._session, call, look.changed, manner=manner, is_whole=look.is_whole)
            paths = tuple(trace.path for trace in look.changed)
            self._learn_bases(paths)
            return paths

    def _learn_bases(self, paths: tuple[bytes, ...]) -> None:
        """Read what the sandbox has just hidden, before the user edits it: a later merge starts from there."""
        self._unread.update(paths[:MOST_PATHS])
        if self._session.manifest.exists():  # on a large tree the first calls are faster than the look at the checkout
            self._bases.learn(self._unread)
            self._unread.clear()

    def _begin(self) -> Layer:
        checkout = Path(self._session.meta().checkout)
        ignored = Ignored(checkout, user_excludes(Path.home()))
        layer = Layer(self._session.upper, checkout, Blobs(self._session.blobs), ignored)
        layer.recall(history(self._session).last())
        return layer
