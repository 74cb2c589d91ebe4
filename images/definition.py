"""A definition: the data file that says what an image holds, and the tag its content gives it."""

import hashlib
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "definitions"
TAGS = "paddock/"

# Raised when build.py makes another image from the same words, so that images of an older recipe are not found.
RECIPE = 1


@dataclass(frozen=True)
class Definition:
    """What to build.

    `epoch` is the date, in seconds since 1970, of the youngest file and of the image itself; `finish` is a shell script
    that gets the finished root as $1; `digest` covers every word that shapes the image.
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

    @property
    def tag(self) -> str:
        """The tag of an image built from exactly this."""
        return f"{TAGS}{self.name}:{self.digest[:12]}"


def known() -> list[str]:
    """The names of all definitions, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Definition:
    """Read one definition. Raises KeyError if there is none of that name."""
    if name not in known():
        raise KeyError(name)
    words = (FOLDER / f"{name}.toml").read_bytes()
    finish = (FOLDER / "finish.sh").read_text()
    architecture = _architecture(platform.machine())
    digest = hashlib.sha256(words + finish.encode() + f"{architecture}{RECIPE}".encode())
    data = tomllib.loads(words.decode())
    return Definition(
        name=name,
        summary=data["summary"],
        suite=data["suite"],
        components=tuple(data["components"]),
        epoch=data["epoch"],
        packages=tuple(data["packages"]),
        environment=data["environment"],
        finish=finish,
        architecture=architecture,
        digest=digest.hexdigest(),
    )


def _architecture(machine: str) -> str:
    """Debian and Docker agree on the names of the two architectures that matter here."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
