"""Settings files around a checkout, all in one folder: the user's, the administrator's, the repository's."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runtime.permissions.policy import Policy
from runtime.permissions.sources import Files, policy_for
from sandbox.sessions import Session


@dataclass
class Desk:
    """Where each kind of settings file lies."""

    checkout: Path
    files: Files

    @property
    def paths(self) -> dict[str, Path]:
        home = self.files.home
        return {
            "managed": self.files.managed / "managed-settings.json",
            "dropped in": self.files.managed / "managed-settings.d" / "10-more.json",
            "local": self.checkout / ".claude" / "settings.local.json",
            "project": self.checkout / ".claude" / "settings.json",
            "user": home / ".claude" / "settings.json",
            "paddock": self.files.own,
        }

    def write(self, kind: str, **rules: list[object]) -> Path:
        """Put rules into a settings file."""
        return self.put(kind, json.dumps({"permissions": rules}))

    def put(self, kind: str, text: str | bytes) -> Path:
        """Put anything into a settings file."""
        path = self.paths[kind]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def policy(self, session: Session | None = None, *, given: str = "") -> Policy:
        """All of it, read."""
        return policy_for(self.checkout, replace(self.files, given=given), session)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """No settings file yet."""
    home, checkout, managed = tmp_path / "home", tmp_path / "app", tmp_path / "etc"
    for folder in (home, checkout, managed):
        folder.mkdir()
    return Desk(checkout, Files(home=home, own=tmp_path / "config" / "settings.json", managed=managed))
