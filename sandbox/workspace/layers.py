"""Layers of an overlay, read as the kernel would merge them: the first that has a name decides what it is.

For where no kernel merges them: a workspace that is filled from the host. Layers are read by directory descriptors and
never through a link.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sandbox.gate.host import lstat, opened
from sandbox.gate.syscalls import DIRECTORY, names_now, open_beneath
from sandbox.gate.upper import is_blocked, is_gone, is_opaque, kind_of


@dataclass(frozen=True)
class Place:
    """One entry of the merged tree. `layers` are those that make it: one, but for a folder maybe several."""

    path: bytes
    facts: os.stat_result
    layers: tuple[int, ...]


class Layers:
    """Open layers, the topmost first; `opened_layers` makes it."""

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = roots
        self._folder: tuple[int, bytes, int] | None = None

    @property
    def all(self) -> tuple[int, ...]:
        """Every layer, as the root of the tree has them."""
        return tuple(range(len(self._roots)))

    def within(self, folder: bytes, layers: tuple[int, ...]) -> Iterator[Place]:
        """What a folder that these layers make holds, by name. Raises OSError for one that may not be read."""
        return self._merged(folder, layers, names_now)

    def at(self, path: bytes) -> Place | None:
        """What the merged tree has at a path; None if there is nothing. Raises OSError."""
        folder, layers = b"", self.all
        place: Place | None = None
        for name in path.split(b"/"):
            if place is not None and kind_of(place.facts) != "directory":
                return None
            place = next(self._merged(folder, layers, partial(_only, name)), None)
            if place is None:
                return None
            folder, layers = place.path, place.layers
        return place

    def _merged(
        self, folder: bytes, layers: tuple[int, ...], names_in: Callable[[int], Iterable[bytes]]
    ) -> Iterator[Place]:
        found: dict[bytes, Place | None] = {}
        closed: set[bytes] = set()
        for layer in layers:
            with self._opened(layer, folder) as here:
                if here is None:
                    continue
                for name in names_in(here):
                    facts = None if name in closed else lstat(here, name)
                    if facts is not None:
                        _add(found, closed, name, Place(_below(folder, name), facts, (layer,)))
                if is_opaque(here):
                    break
        for _, place in sorted(found.items()):
            if place is not None:
                yield place

    def file(self, place: Place) -> tuple[int, bytes]:
        """The folder, open until the next one is asked for, in which an entry of one layer lies, and its name there.

        Raises OSError.
        """
        folder, _, name = place.path.rpartition(b"/")
        layer = place.layers[0]
        if self._folder is None or self._folder[:2] != (layer, folder):
            self.close()
            self._folder = (layer, folder, open_beneath(self._roots[layer], folder))
        return self._folder[2], name

    def close(self) -> None:
        """Close the folder of the last file."""
        if self._folder is not None:
            os.close(self._folder[2])
            self._folder = None

    @contextlib.contextmanager
    def _opened(self, layer: int, folder: bytes) -> Iterator[int | None]:
        try:
            with opened(self._roots[layer], folder) as here:
                yield here
        except OSError as error:
            if not (is_gone(error) or is_blocked(error)):
                raise
            yield None


@contextlib.contextmanager
def opened_layers(paths: Sequence[Path]) -> Iterator[Layers]:
    """Layers that exist, the topmost first, open for the time of the block. Raises OSError."""
    with contextlib.ExitStack() as stack:
        roots = []
        for path in paths:
            descriptor = os.open(os.path.realpath(path), DIRECTORY)
            stack.callback(os.close, descriptor)
            roots.append(descriptor)
        layers = Layers(roots)
        stack.callback(layers.close)
        yield layers


def _add(found: dict[bytes, Place | None], closed: set[bytes], name: bytes, place: Place) -> None:
    """The next layer's word about a name: it decides, or adds to a folder that a layer above has begun."""
    kind = kind_of(place.facts)
    above = found.get(name)
    if name not in found:
        found[name] = None if kind == "whiteout" else place
    elif above is not None and kind == "directory":
        found[name] = Place(above.path, above.facts, (*above.layers, *place.layers))
    if kind != "directory":
        closed.add(name)


def _only(name: bytes, _: int) -> Iterable[bytes]:
    return [name]


def _below(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
