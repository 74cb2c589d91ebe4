"""Volumes that are filled once for an engine and then only read: named by what they hold, so that none is ever stale.

A second, empty volume says that the first one is whole: an engine has no other mark that can be set afterwards. Whoever
finds only the first fills it again; two who fill at once write the same.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.labels import SHARED_LABEL, Owner, labels

Kind = Literal["toolbox", "etc"]
READY = "-ready"
FILL_SECONDS = 120


@dataclass(frozen=True)
class Filling:
    """How to fill a volume: what runs, as root but without a network, on which image, and what else it sees.

    The volume is at `/target`.
    """

    image: str
    argv: tuple[str, ...]
    mounts: tuple[Mapping[str, Any], ...] = ()


def is_whole(name: str, present: Collection[str]) -> bool:
    """Whether a volume is there and filled, by the names of all shared volumes."""
    return name in present and name + READY in present


def fill(engine: Engine, name: str, kind: Kind, filling: Filling) -> None:
    """Make and fill a volume. Raises SandboxError with what the filling said."""
    engine.make_volume(name, {SHARED_LABEL: kind})
    code, said = engine.run_to_end(_config(name, filling), seconds=FILL_SECONDS)
    if code != 0:
        last = said.decode("utf-8", "backslashreplace").strip().splitlines()[-1:]
        raise SandboxError(f"the {kind} volume of {filling.image} could not be filled: {' '.join(last) or code}")
    engine.make_volume(name + READY, {SHARED_LABEL: kind})


def sweep(engine: Engine, keep: Collection[str]) -> int:
    """Remove shared volumes that no container uses, but for those to keep; how many. The next start fills them again.

    Raises: EngineUnavailable, SandboxError.
    """
    before = engine.shared_volumes()
    doomed = [name for name in before if name.removesuffix(READY) not in keep]
    for name in sorted(doomed, key=lambda name: not name.endswith(READY)):  # the mark first
        engine.remove_volume(name)
    return len(set(before) - set(engine.shared_volumes()))


def mount(name: str, target: str, *, read_only: bool = True) -> Mapping[str, Any]:
    """The engine's request for a volume as it is."""
    return {
        "Type": "volume",
        "Source": name,
        "Target": target,
        "ReadOnly": read_only,
        "VolumeOptions": {"NoCopy": True},
    }


def _config(name: str, filling: Filling) -> Mapping[str, Any]:
    return {
        "Image": filling.image,
        "Entrypoint": list(filling.argv),
        "Cmd": [],
        "User": "0:0",
        "WorkingDir": "/",
        "Labels": dict(labels(Owner.of(""))),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 64,
            "Memory": 512 * 1024 * 1024,
            "Mounts": [mount(name, "/target", read_only=False), *filling.mounts],
        },
    }
