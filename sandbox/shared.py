"""Volumes that are filled once for an engine and then only read: named by what they hold, so that none is ever stale.

A second, empty volume says that the first one is whole: an engine has no other mark that can be set afterwards. Whoever
finds only the first fills it again. The container that does so has the volume's name, so that an engine has only one.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sandbox.engine import Engine
from sandbox.errors import NameTaken, SandboxError
from sandbox.helper import helper
from sandbox.labels import SHARED_LABEL, Owner, owned

Kind = Literal["toolbox", "etc"]
READY = "-ready"
FILL_SECONDS = 120
POLL = 0.1


@dataclass(frozen=True)
class Filling:
    """How to fill a volume: what runs, as root but without a network, on which image, and what else it sees.

    The volume is at `/target`. `volumes` are the folders that the image wants for itself: they are empty, and in
    memory, for what it has there could lie on top of what we mount.
    """

    image: str
    argv: tuple[str, ...]
    volumes: tuple[str, ...] = ()
    mounts: tuple[Mapping[str, Any], ...] = ()


def is_whole(name: str, present: Collection[str]) -> bool:
    """Whether a volume is there and filled, by the names of all shared volumes."""
    return name in present and name + READY in present


def fill(engine: Engine, name: str, kind: Kind, filling: Filling) -> None:
    """Make and fill a volume, or wait for whoever does. Raises SandboxError with what the filling said."""
    began = time.monotonic()
    while not is_whole(name, engine.shared_volumes()):
        engine.make_volume(name, {SHARED_LABEL: kind})
        try:
            _fill(engine, name, kind, filling)
        except NameTaken:
            other = engine.inspect(name)
            is_dead = other is not None and not owned(name, other["Config"]["Labels"]).owner.is_alive()
            if is_dead or time.monotonic() - began > FILL_SECONDS:
                engine.remove(name)
            time.sleep(POLL)


def _fill(engine: Engine, name: str, kind: Kind, filling: Filling) -> None:
    code, said = engine.run_to_end(_config(name, filling), name=name, seconds=FILL_SECONDS)
    if code != 0:
        last = said.decode("utf-8", "backslashreplace").strip().splitlines()[-1:]
        raise SandboxError(f"the {kind} volume of {filling.image} could not be filled: {' '.join(last) or code}")
    engine.make_volume(name + READY, {SHARED_LABEL: kind})


def stale(engine: Engine, keep: Collection[str], *, older: timedelta) -> Sequence[str]:
    """The shared volumes that no container uses and that are that old, but for those to keep; marks first.

    A fresh one may be about to be used, by a start that has just filled it. Raises EngineUnavailable.
    """
    every, unused = engine.shared_volumes(), engine.shared_volumes(unused=True)
    serving = {*keep, *(name for name, made in every.items() if name not in unused or not _is_old(made, older))}
    doomed = [name for name in every if not {name, name.removesuffix(READY)} & serving]
    return sorted(doomed, key=lambda name: (not name.endswith(READY), name))


def sweep(engine: Engine, keep: Collection[str], *, older: timedelta) -> int:
    """Remove those; how many. The next start fills them again. Raises: EngineUnavailable, SandboxError."""
    doomed = stale(engine, keep, older=older)
    for name in doomed:
        engine.remove_volume(name)
    return len(set(doomed) - set(engine.shared_volumes()))


def _is_old(made: str, older: timedelta) -> bool:
    try:
        return datetime.fromisoformat(made).astimezone(UTC) < datetime.now(UTC) - older
    except ValueError:
        return False


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
    host = {
        "PidsLimit": 64,
        "Memory": 512 * 1024 * 1024,
        "Tmpfs": dict.fromkeys(filling.volumes, "ro"),
        "Mounts": [mount(name, "/target", read_only=False), *filling.mounts],
    }
    rights = ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    return helper(Owner.of(""), filling.image, filling.argv, rights=rights, host=host)
