"""Sweeping what dead processes left on the engine: ours by label, and only where the owner is known to be dead."""

from dataclasses import dataclass

from sandbox.engine import Engine
from sandbox.labels import Owned


@dataclass(frozen=True)
class Orphans:
    """What dead owners left: containers, and volumes of their sessions."""

    containers: tuple[Owned, ...] = ()
    volumes: tuple[Owned, ...] = ()


def orphans(engine: Engine) -> Orphans:
    """All of them. Foreign ones are never looked at. Raises: EngineUnavailable, SandboxError."""
    return Orphans(
        tuple(one for one in engine.containers() if not one.owner.is_alive() and engine.inspect(one.id)),
        tuple(one for one in engine.volumes() if not one.owner.is_alive()),
    )


def sweep(engine: Engine) -> Orphans:
    """Remove them, containers first; what that was. Raises: EngineUnavailable, SandboxError."""
    found = orphans(engine)
    for container in found.containers:
        engine.remove(container.id)
    for volume in found.volumes:
        engine.remove_volume(volume.id)
    return found
