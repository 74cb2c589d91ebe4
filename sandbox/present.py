"""What an engine tells of a container of ours: that it is there, and what it uses."""

from dataclasses import dataclass

from sandbox.labels import Owned


@dataclass(frozen=True)
class Present:
    """A container of ours, its state in the engine's own word, and when it was made, in seconds since 1970."""

    owned: Owned
    status: str
    created: int


@dataclass(frozen=True)
class Usage:
    """What a container uses: bytes of memory, without cached files, and processes with their threads."""

    memory: int
    processes: int
