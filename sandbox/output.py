"""Keeping the head and the tail of a stream, whatever its length."""

from sandbox.base import Output


class Collector:
    """Takes a stream in pieces and never holds more than `keep` bytes of it (and one piece)."""

    def __init__(self, keep: int) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._half = keep // 2
        self._total = 0

    def add(self, data: bytes) -> None:
        """The next piece."""
        self._total += len(data)
        room = self._half - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[max(room, 0) :]
        if len(self._tail) > self._half:
            del self._tail[: -self._half or None]

    def output(self) -> Output:
        """What is kept of it so far."""
        return Output(bytes(self._head), bytes(self._tail), self._total - len(self._head) - len(self._tail))
