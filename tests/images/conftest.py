"""An engine's image store in memory: it takes an archive apart and checks it, as an engine does."""

import hashlib
import json
import tarfile
from collections.abc import Mapping
from typing import IO

import pytest

from images.errors import ImageError, UnknownImage
from images.image import OnProgress, Progress


class MemoryStore:
    """Holds image ids by tag; `registry` is what can be pulled, `archives` the hashes of what was loaded."""

    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        self.registry: dict[str, str] = {}
        self.archives: list[str] = []

    def find(self, reference: str, /) -> str | None:
        if reference in self.images.values():
            return reference
        return self.images.get(reference if ":" in reference else f"{reference}:latest")

    def load(self, archive: IO[bytes], /) -> None:
        self.archives.append(hashlib.file_digest(archive, "sha256").hexdigest())
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            (manifest,) = json.loads(member(tar, "manifest.json"))
            config = member(tar, manifest["Config"])
            layers = [f"sha256:{hashlib.sha256(member(tar, name)).hexdigest()}" for name in manifest["Layers"]]
        if json.loads(config)["rootfs"]["diff_ids"] != layers:
            raise ImageError("a layer is not what the config says")
        self.images |= dict.fromkeys(manifest["RepoTags"], f"sha256:{hashlib.sha256(config).hexdigest()}")

    def pull(self, reference: str, on_progress: OnProgress, /) -> str:
        if reference not in self.registry:
            raise UnknownImage(f"image {reference!r} could not be pulled: not found")
        on_progress(Progress("pulling", 1, 1, "bytes"))
        self.images[reference] = self.registry[reference]
        return self.registry[reference]

    def tags(self, prefix: str, /) -> Mapping[str, str]:
        return {tag: id_ for tag, id_ in self.images.items() if tag.startswith(prefix)}


def member(tar: tarfile.TarFile, name: str) -> bytes:
    data = tar.extractfile(name)
    assert data is not None
    return data.read()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
