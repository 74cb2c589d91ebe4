"""Known holes of the engine and what it runs containers with: which version has which, and what that means here.

Sources are the projects' own advisories and release notes: the security advisories of moby/moby, containerd/containerd
and opencontainers/runc, and the runc announcements on oss-security. Listed is what could matter to somebody who runs
untrusted code with these versions, from engine 20.10 on, as known in September 2026. Left out is what takes Kubernetes
(the CRI plugin), Swarm, BuildKit or Docker Desktop, and CVE-2026-41579, which Docker's own layers hide.

A distribution may have put a fix into an older version. Whether it did, its package's changelog says, and that is
looked at where it lies on this machine and the engine does, too.
"""

import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sandbox.engine_places import EnginePlace
from sandbox.versions import Version, has, version_of

if TYPE_CHECKING:
    from sandbox.engine import Engine

Component = Literal["Engine", "containerd", "runc"]
DOCS: Final = Path("/usr/share/doc")
PACKAGES: Final[Mapping[Component, str]] = {"Engine": "docker.io", "containerd": "containerd", "runc": "runc"}
LONGEST: Final = 16 * 1024 * 1024  # bytes of a changelog that are read


@dataclass(frozen=True)
class Advisory:
    """One hole, or several that were fixed together. `fixed` is the first version that is, in each branch.

    `here` says whether it is on the way of what we do.
    """

    component: Component
    ids: tuple[str, ...]
    fixed: tuple[str, ...]
    what: str
    here: str


ADVISORIES: Final = (
    Advisory(
        "runc",
        ("CVE-2021-30465",),
        ("1.0.0-rc95",),
        "a link swapped during a start mounts the host's files",
        "no folder that a sandbox can write is in two of them",
    ),
    Advisory(
        "runc",
        ("CVE-2023-28642", "CVE-2023-27561"),
        ("1.1.5",),
        "an image with a link at /proc goes round AppArmor",
        "choose images you trust",
    ),
    Advisory(
        "runc",
        ("CVE-2024-21626",),
        ("1.1.12",),
        "a working folder of /proc/self/fd/N leads to the host",
        "our working folder is always /",
    ),
    Advisory(
        "runc",
        ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"),
        ("1.2.8", "1.3.3", "1.4.0-rc.3"),
        "containers that start side by side and share mounts can reach the host",
        "no folder that a sandbox can write is in two of them",
    ),
    Advisory(
        "containerd",
        ("CVE-2024-40635",),
        ("1.6.38", "1.7.27", "2.0.4"),
        "a user id that is too large becomes root",
        "the user we ask for is fixed",
    ),
    Advisory(
        "containerd",
        ("CVE-2024-25621",),
        ("1.7.29", "2.0.7", "2.1.5", "2.2.0"),
        "other local users get into folders of the engine",
        "a matter of who else uses this machine",
    ),
    Advisory(
        "Engine",
        ("CVE-2022-36109",),
        ("20.10.18",),
        "supplementary groups go round access rules",
        "tools have no groups",
    ),
    Advisory(
        "Engine",
        ("CVE-2024-29018",),
        ("23.0.11", "25.0.5", "26.0.0"),
        "internal networks pass names on to the outside",
        "no sandbox has a network",
    ),
    Advisory(
        "Engine",
        ("CVE-2024-41110",),
        ("23.0.15", "25.0.6", "26.1.5", "27.1.1"),
        "requests without a body go round authorization plugins",
        "a plugin is no boundary for who may use the engine",
    ),
    Advisory(
        "Engine",
        ("CVE-2026-34040",),
        ("29.3.1",),
        "requests with a large body go round authorization plugins",
        "a plugin is no boundary for who may use the engine",
    ),
    Advisory(
        "Engine",
        ("CVE-2026-31431",),
        ("29.4.3",),
        "AF_ALG sockets write to the page cache, unless the kernel is patched",
        "closed by our own filter (strict, default, egress), open in build and compat",
    ),
    Advisory(
        "Engine",
        ("CVE-2026-41567", "CVE-2026-41568", "CVE-2026-42306"),
        ("29.5.1",),
        "copying files out of a container runs or reads what it chooses",
        "never asked for: bytes travel over the container's own stream",
    ),
)


@dataclass(frozen=True)
class Hole:
    """An advisory that is about the version here; `advisory` is None if that version cannot be read."""

    component: Component
    version: str
    advisory: Advisory | None
    is_packaged: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """The CVEs."""
        return self.advisory.ids if self.advisory is not None else ()

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        if self.advisory is None:
            return f"{self.component} says its version is {self.version!r}, which tells nothing about known holes"
        one = self.advisory
        doubt = "; its distribution names no fix of its own" if self.is_packaged else ""
        return (
            f"{self.component} {self.version} has {', '.join(one.ids)}: {one.what} "
            f"(fixed in {', '.join(one.fixed)}{doubt}); here: {one.here}"
        )


def changelogs(place: EnginePlace) -> Path | None:
    """Where those of an engine's packages lie; None if its address leads to another machine, which has its own."""
    return DOCS if place.socket is not None else None


def holes(facts: Mapping[str, Any], docs: Path | None = DOCS) -> Sequence[Hole]:
    """Every known hole of an engine that says these `facts` (`Engine.facts`), parts whose version nobody knows too.

    `docs` holds the changelogs of its packages; None where nobody can see them.
    """
    found: list[Hole] = []
    for component, text in versions(facts).items():
        version = version_of(text)
        if version is None:
            found.append(Hole(component, text, None))
            continue
        fixed = _named_fixed(component, docs) if version.is_packaged and docs is not None else frozenset[str]()
        found += [Hole(component, text, one, version.is_packaged) for one in _about(component, version, fixed)]
    return found


def _about(component: Component, version: Version, fixed: frozenset[str]) -> Sequence[Advisory]:
    mine = [one for one in ADVISORIES if one.component == component]
    return [one for one in mine if not has(version, one.fixed) and not fixed.issuperset(one.ids)]


def holes_of(engine: "Engine") -> Sequence[Hole]:
    """The same of an engine that we talk to, with its packages' changelogs where they can be seen."""
    return holes(engine.known, changelogs(engine.place))


def versions(facts: Mapping[str, Any]) -> Mapping[Component, str]:
    """What an engine says of itself and its parts; a part it does not name, another runtime perhaps, is not here."""
    told = facts.get("Version") or {}
    parts = {one.get("Name"): str(one.get("Version", "")) for one in told.get("Components") or ()}
    if "Podman Engine" in parts:
        parts["Engine"] = f"Podman {parts['Podman Engine']}"  # of which nothing is listed here
    parts.setdefault("Engine", str(facts.get("ServerVersion", "")))
    return {component: parts[component] for component in PACKAGES if component in parts}


def _named_fixed(component: Component, docs: Path) -> frozenset[str]:
    """The CVEs that the changelog of the package on this machine names; none if it is not there."""
    for path in sorted((docs / PACKAGES[component]).glob("changelog.Debian*.gz")):
        try:
            with gzip.open(path) as file:
                return frozenset(re.findall(r"CVE-\d{4}-\d{4,7}", file.read(LONGEST).decode("utf-8", "replace")))
        except (OSError, EOFError):
            continue
    return frozenset()
