"""What an image is to us, and what we need an engine for to get one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Protocol


@dataclass(frozen=True)
class Image:
    """An image, pinned.

    `id` is the engine's content address (`sha256:…`), never a tag; `name` is what the user called it.
    """

    name: str
    id: str


@dataclass(frozen=True)
class Wishes:
    """What an image asks for: variables for what runs in it, and folders that outlast a container (its VOLUMEs)."""

    environment: Mapping[str, str]
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far a long step is: `done` of `total` in `unit`s; `total` 0 means nobody knows."""

    step: str
    done: int = 0
    total: int = 0
    unit: str = ""


OnProgress = Callable[[Progress], None]


class ImageStore(Protocol):
    """The part of an engine that holds images. All calls block; `sandbox.engine` implements it on Docker."""

    def find(self, reference: str, /) -> str | None:
        """The id (`sha256:…`) behind a tag, digest or id, or None if the engine does not hold it."""
        ...

    def load(self, archive: IO[bytes], /) -> None:
        """Take in a docker archive (layers, config, manifest.json). Raises ImageError."""
        ...

    def pull(self, reference: str, on_progress: OnProgress, /) -> str:
        """Fetch from the reference's registry and return the id. Raises UnknownImage with the registry's reason."""
        ...

    def tags(self, prefix: str, /) -> Mapping[str, str]:
        """Every tag that starts with `prefix`, and the id it names."""
        ...
