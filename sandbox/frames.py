"""The wire between host and guest, host side. Frames: length (4 bytes), stream (4), kind (1), payload.

The engine wraps the guest's side once more: 8 bytes (which stream, length) before each piece of stdout or stderr.
What comes in is untrusted, lengths first of all. The guest has its own copy of these numbers (sandbox/guest/wire.py),
since it can import nothing of ours; a test holds the two against each other.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from sandbox.errors import SandboxLost

VERSION = 1
HEADER = struct.Struct(">IIB")
ENGINE_HEADER = struct.Struct(">BxxxI")
CHUNK = 64 * 1024
WINDOW = 512 * 1024
FRAME = 256  # what one takes of the credit of a connection beside its bytes, as it takes memory here
LARGEST = 1024 * 1024
"""The largest payload a guest may send; its own pieces are CHUNK or a small JSON."""


class Kind(IntEnum):
    """What a frame means. OPEN, KILL, RESIZE go in; DONE, HELLO come out; DATA, END and CREDIT go both ways."""

    OPEN = 1
    DATA = 2
    END = 3
    CREDIT = 4
    KILL = 5
    RESIZE = 6
    DONE = 7
    HELLO = 8


@dataclass(frozen=True)
class Frame:
    """One message. `stream` is the call it belongs to; 0 is the channel itself."""

    stream: int
    kind: Kind
    payload: bytes = b""

    def encode(self) -> bytes:
        """As it travels."""
        return HEADER.pack(len(self.payload), self.stream, self.kind) + self.payload


class Unwrapper:
    """Takes the engine's wrapping off: stdout goes on, the last of stderr is kept for the post-mortem."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.stderr = b""

    def feed(self, data: bytes) -> bytes:
        """The guest's stdout within these bytes."""
        self._buffer += data
        out = []
        while len(self._buffer) >= ENGINE_HEADER.size:
            which, length = ENGINE_HEADER.unpack_from(self._buffer)
            end = ENGINE_HEADER.size + length
            if which not in (1, 2) or length > LARGEST:
                raise SandboxLost("the engine's stream is out of step")
            if len(self._buffer) < end:
                break
            piece = bytes(self._buffer[ENGINE_HEADER.size : end])
            del self._buffer[:end]
            if which == 1:
                out.append(piece)
            else:
                self.stderr = (self.stderr + piece)[-4096:]
        return b"".join(out)


class Parser:
    """Cuts the guest's stdout into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every whole frame so far. Raises SandboxLost on anything a guest of ours would not send."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            length, stream, kind = HEADER.unpack_from(self._buffer)
            if length > LARGEST or kind not in (Kind.DATA, Kind.END, Kind.CREDIT, Kind.DONE, Kind.HELLO):
                raise SandboxLost("the sandbox broke the protocol")
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield Frame(stream, Kind(kind), payload)
