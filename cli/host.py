"""What of this machine a change can turn against it: the commands of its shell, what git has of a checkout."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Commands:
    """The names that a shell finds on its PATH, looked up one by one."""

    folders: tuple[str, ...]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, bytes) and any(_is_program(os.fsencode(folder), name) for folder in self.folders)


def _is_program(folder: bytes, name: bytes) -> bool:
    path = os.path.join(folder, name)
    try:
        return os.path.isfile(path) and os.access(path, os.X_OK)
    except OSError:  # a name that is too long for this file system
        return False


class Tracked:
    """The paths that git has in a checkout, read when the first is asked for."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._paths: frozenset[bytes] | None = None

    def __contains__(self, path: object) -> bool:
        return path in self.paths

    @property
    def paths(self) -> frozenset[bytes]:
        """All of them."""
        if self._paths is None:
            from sandbox.gate.tracked import tracked

            self._paths = tracked(self._checkout)
        return self._paths
