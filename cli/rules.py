"""The rules of this user and of a checkout: which settings files there are on this machine, read for one command."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli import environment

if TYPE_CHECKING:
    from runtime.permissions.policy import Policy
    from runtime.permissions.sources import Files
    from sandbox.sessions import Session


def files(settings: str = "") -> "Files":
    """Where settings are; `settings` is what `--settings` was given."""
    from runtime.permissions.sources import Files

    said = environment.read()
    return Files(home=said.home, own=said.config / "settings.json", given=settings)


def policy_of(session: "Session", settings: str = "") -> "Policy":
    """The rules for a session, its repository's own as they were when it began. Raises SettingsError."""
    from runtime.permissions.sources import policy_for

    return policy_for(Path(session.meta().checkout), files(settings), session)


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
