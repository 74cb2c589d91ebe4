"""The running account of one session: looks at the upper layer after each call, and notes what it finds."""

import contextlib
import threading
from pathlib import Path

from sandbox.base import Call
from sandbox.errors import StateError
from sandbox.gate.bases import Bases
from sandbox.gate.blobs import Blobs
from sandbox.gate.ignore import Ignored, user_excludes
from sandbox.gate.layer import Layer, Trace
from sandbox.gate.manifest import Manifest
from sandbox.gate.notes import MOST_PATHS, Manner, append
from sandbox.gate.origin import opened_origin
from sandbox.gate.provenance import history
from sandbox.gate.upper import opened_upper
from sandbox.gate.vanished import hide, removed_by_calls, vanished
from sandbox.sessions import Session
from sandbox.workspace.base import frozen_base

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
        """Before the sandbox is opened again: hide what calls removed, and note what changed while it was closed.

        That was nobody's call: a discard, or a note that was lost. Raises OutOfSpace, StateError.
        """
        with self._lock:
            self._layer = self._layer or self._begin()
            self._hide_removed(self._layer)
        self.note(NOBODY, "unknown")

    def _hide_removed(self, layer: Layer) -> None:
        removed = removed_by_calls(self._session)
        manifest = Manifest.load(self._session.manifest) if removed and self._session.manifest.exists() else None
        if manifest is None:
            return
        frozen, blobs = frozen_base(self._session), Blobs(self._session.blobs)
        with opened_upper(self._session.upper) as upper, opened_origin(frozen, blobs) as origin:
            for path in vanished(removed, upper, manifest, origin):
                with contextlib.suppress(OSError):  # the name was taken, or this kernel lets only root make a whiteout
                    hide(upper, path)
                    layer.known[path] = Trace(path, "whiteout")

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

    def saw(self, path: bytes, data: bytes) -> None:
        """The sandbox's view of a file, known to whoever edits it next. Raises OutOfSpace, StateError."""
        with self._lock:
            self._bases.agree(path, data)

    def _learn_bases(self, paths: tuple[bytes, ...]) -> None:
        """Read what the sandbox has just hidden, before the user edits it: a later merge starts from there."""
        self._unread.update(paths[:MOST_PATHS])
        if self._session.manifest.exists():  # on a large tree the first calls are faster than the look at the checkout
            self._bases.learn(self._unread)
            self._unread.clear()

    def _begin(self) -> Layer:
        checkout = Path(self._session.meta().checkout)
        ignored = Ignored(checkout, user_excludes(Path.home()))
        lower = frozen_base(self._session) or checkout
        layer = Layer(self._session.upper, lower, Blobs(self._session.blobs), ignored)
        layer.recall(history(self._session).last())
        return layer
