"""Which images there are, and how a name becomes an image: the catalog first, then the engine, then a registry."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images import build as builder
from images import definition
from images.errors import UnknownImage
from images.image import Image, ImageStore, OnProgress

DEFAULT = "base"

# What an engine accepts as a name: [host[:port]/]path[:tag][@digest]. Anything else is a slip, not a reference.
_REFERENCE = re.compile(r"[A-Za-z0-9][\w.:/@-]{0,400}", re.ASCII)
_ID = re.compile(r"sha256:[0-9a-f]{12,64}")


@dataclass(frozen=True)
class Listed:
    """A line of the catalog; `id` is None where the image has not been built on this engine."""

    name: str
    summary: str
    id: str | None


def resolve(name: str, store: ImageStore, on_progress: OnProgress, *, cache: Path | None = None) -> Image:
    """The pinned image behind a name: built, found or pulled, in this order. Blocks, for long where it builds.

    Raises UnknownImage if there is none, BuildFailed if it could not be built.
    """
    if name in definition.known():
        return build(name, store, on_progress, cache=cache)
    if not _REFERENCE.fullmatch(name):
        raise UnknownImage(f"{name!r} is not an image name; the catalog has {_names()}")
    found = store.find(name)
    if found is None and _ID.fullmatch(name):
        raise UnknownImage(f"no image on the engine has the id {name}; `paddock images list` shows the catalog")
    return Image(name, found or _pulled(name, store, on_progress))


def build(
    name: str, store: ImageStore, on_progress: OnProgress, *, rebuild: bool = False, cache: Path | None = None
) -> Image:
    """The catalog's image of that name, built if the engine does not hold it, or anyway with `rebuild`.

    Raises UnknownImage for a name outside the catalog, BuildFailed, or ImageError from the store.
    """
    if name not in definition.known():
        raise UnknownImage(f"image {name!r} is not in the catalog, which has {_names()}")
    wanted = definition.load(name)
    if not rebuild:
        return Image(name, builder.ensured(wanted, store, on_progress, cache))
    with builder.alone(wanted, cache, on_progress):
        return Image(name, builder.build(wanted, store, on_progress, cache))


def listed(store: ImageStore) -> Sequence[Listed]:
    """Every image of the catalog."""
    built = store.tags(definition.TAGS)
    wanted = [definition.load(name) for name in definition.known()]
    return [Listed(one.name, one.summary, built.get(one.tag)) for one in wanted]


def _pulled(name: str, store: ImageStore, on_progress: OnProgress) -> str:
    try:
        return store.pull(name, on_progress)
    except UnknownImage as error:
        raise UnknownImage(f"{error}; the catalog has {_names()}") from error


def _names() -> str:
    return ", ".join(definition.known())
