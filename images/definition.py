"""A definition: the data file that says what an image holds, and the tag its content gives it."""

import hashlib
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parent / "definitions"
PARTS = Path(__file__).parent / "parts"
"""Definitions of what is no image for a session."""
TAGS = "paddock/"
Variant = Literal["apt", "extract"]

# Raised when build.py makes another image from the same words, so that images of an older recipe are not found.
RECIPE = 1


@dataclass(frozen=True)
class Definition:
    """What to build.

    `variant`: a system with its packages set up (`apt`), or only their files (`extract`). `epoch` is the date, in
    seconds since 1970, of the youngest file and of the image itself; `finish` is a shell script that gets the finished
    root as $1 and `files`, by relative path, in the folder $FILES; `digest` covers every word that shapes the image.
    """

    name: str
    summary: str
    suite: str
    components: tuple[str, ...]
    epoch: int
    packages: tuple[str, ...]
    environment: Mapping[str, str]
    finish: str
    architecture: str
    digest: str
    variant: Variant = "apt"
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The tag of an image built from exactly this."""
        return f"{TAGS}{self.name}:{self.digest[:12]}"


def known() -> list[str]:
    """The names of all definitions, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Definition:
    """Read one definition of the catalog. Raises KeyError if there is none of that name."""
    if name not in known():
        raise KeyError(name)
    return read(FOLDER / f"{name}.toml")


def read(path: Path, files: Mapping[str, str] | None = None) -> Definition:
    """Read a definition from its file; the script it names lies beside it. `files` go into it."""
    words = path.read_bytes()
    data = tomllib.loads(words.decode())
    finish = (path.parent / data["finish"]).read_text("utf-8")
    architecture = _architecture(platform.machine())
    digest = hashlib.sha256(words + finish.encode() + f"{architecture}{RECIPE}".encode())
    for name, text in sorted((files or {}).items()):
        digest.update(f"{name}\0{text}\0".encode())
    return Definition(
        name=path.stem,
        summary=data["summary"],
        suite=data["suite"],
        components=tuple(data["components"]),
        epoch=data["epoch"],
        packages=tuple(data["packages"]),
        environment=data["environment"],
        finish=finish,
        architecture=architecture,
        digest=digest.hexdigest(),
        variant=data["variant"],
        files=files or {},
    )


def _architecture(machine: str) -> str:
    """Debian and Docker agree on the names of the two architectures that matter here."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
