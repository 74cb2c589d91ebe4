"""One overlay, mounted by the engine: a folder of the session's own over one that is never written.

`userxattr` keeps the overlay's markers readable for us and escapes forged ones; `nosuid,nodev` makes what a tool
creates harmless inside too. The engine mounts it as an anonymous volume of the container, so it goes away with the
container, and no right of ours is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import StateError

UNMOUNTABLE = frozenset(",:\\")
"""Characters that overlay's own mount options cannot hold; a checkout may have them, our state folder may not."""


@dataclass(frozen=True)
class Overlay:
    """What is mounted at `target`. `lower`, a link under a name of ours, may be made as late as the mount itself.

    `mask` lies above it, and hides what it has; it has to be there at the mount.
    """

    target: Path
    lower: Path
    upper: Path
    work: Path
    mask: Path | None = None

    def prepare(self) -> None:
        """Make the folders it needs. Raises StateError if a mount cannot name them."""
        if UNMOUNTABLE & set(str(self.upper)):
            raise StateError(
                f"{self.upper.parent} holds one of , : \\ which a mount cannot: set XDG_STATE_HOME to another folder"
            )
        for folder in (self.upper, self.work):
            folder.mkdir(mode=0o700, exist_ok=True)

    def volume(self, labels: Mapping[str, str]) -> Mapping[str, Any]:
        """The engine's request for a folder of its own in its place, empty, which goes away with the container too."""
        return {
            "Type": "volume",
            "Target": str(self.target),
            "VolumeOptions": {"NoCopy": True, "Labels": dict(labels)},
        }

    def mount(self, labels: Mapping[str, str], *, read_only: bool = False) -> Mapping[str, Any]:
        """The engine's request for it. The engine's own word for `read_only` is not for volumes without a name."""
        lower = self.lower if self.mask is None else f"{self.mask}:{self.lower}"
        options = f"lowerdir={lower},upperdir={self.upper},workdir={self.work},userxattr,nosuid,nodev"
        options += ",ro" if read_only else ""
        return {
            "Type": "volume",
            "Target": str(self.target),
            "VolumeOptions": {
                "NoCopy": True,
                "Labels": dict(labels),
                "DriverConfig": {"Name": "local", "Options": {"type": "overlay", "device": "overlay", "o": options}},
            },
        }
