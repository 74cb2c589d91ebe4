"""The rules of this user and of a checkout: which settings files there are on this machine, read for one command."""

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
