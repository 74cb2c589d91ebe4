"""Host edits on their way to the user, at once, and to the model, with its next request."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import PurePosixPath

from runtime.events import Event, HostEdited, Notice
from runtime.reminders import mattering, reminder
from sandbox.gate.edits import HostEdit


class Edits:
    """What was noticed and not told yet; between two runs it waits for the next one."""

    def __init__(self) -> None:
        self._emit: Callable[[Event], None] | None = None
        self._waiting: list[Event] = []
        self._for_model: dict[bytes, HostEdit] = {}

    def tell(self, edits: Sequence[HostEdit]) -> None:
        """Somebody edited these. Call it from the loop the agent is in."""
        self._for_model |= {edit.path: edit for edit in edits}
        self._say(HostEdited(tuple(edits)))

    def tell_blind(self, reason: str) -> None:
        """Edits cannot be noticed, or not all."""
        self._say(Notice(f"your edits to the checkout may go unnoticed until the gate: {reason}", "warning"))

    @contextlib.contextmanager
    def emitting(self, emit: Callable[[Event], None]) -> Iterator[None]:
        """While the block runs, the user is told by `emit`."""
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            emit(event)
        self._emit = emit
        try:
            yield
        finally:
            self._emit = None

    def take_reminder(self, root: PurePosixPath, seen: Collection[PurePosixPath]) -> str:
        """What the model has to be told, once; empty if nothing it knows has moved."""
        edits, self._for_model = list(self._for_model.values()), {}
        matter = mattering(edits, root, seen)
        return reminder(matter) if matter else ""

    def _say(self, event: Event) -> None:
        if self._emit is None:
            self._waiting.append(event)
        else:
            self._emit(event)
