"""How far a look has come: told a few times a second, by whoever looks to whoever waits."""

import time
from collections.abc import Callable

OnProgress = Callable[[int, int], None]
"""Hears of the files looked at so far and their bytes. What it raises ends the look, which changed nothing."""

_EVERY = 0.1  # seconds


class Pulse:
    """Counts, and now and then tells. `beat` comes with every entry, so it costs next to nothing."""

    def __init__(self, tell: OnProgress | None = None) -> None:
        self._tell = tell
        self._files = 0
        self._bytes = 0
        self._next = time.monotonic() + _EVERY

    def beat(self) -> None:
        """One more entry. Raises whatever the listener does."""
        self._files += 1
        if self._tell is not None and (now := time.monotonic()) >= self._next:
            self._next = now + _EVERY
            self._tell(self._files, self._bytes)

    def read(self, size: int) -> None:
        """So many bytes of the entry are kept."""
        self._bytes += size
