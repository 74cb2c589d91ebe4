"""Sweeping what dead processes left on the engine: ours by label, and only where the owner is known to be dead."""

from dataclasses import dataclass

from sandbox.engine import Engine


@dataclass(frozen=True)
class Swept:
    """How much was removed."""

    containers: int = 0
    volumes: int = 0


def sweep(engine: Engine) -> Swept:
    """Remove containers, then volumes, of owners that no longer run. Foreign ones are never looked at.

    Raises: EngineUnavailable, SandboxError.
    """
    containers = [one for one in engine.containers() if not one.owner.is_alive()]
    for container in containers:
        engine.remove(container.id)
    volumes = [one for one in engine.volumes() if not one.owner.is_alive()]
    for volume in volumes:
        engine.remove_volume(volume.id)
    return Swept(len(containers), len(volumes))
