"""A scene for attacks on the gate: the checkout amid a host that must not change."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.project import Project
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session
from tests.attacks.scene import CANARY, Scene, unchanged
from tests.cli.conftest import elsewhere, paddock, project, script, terminal, variables  # noqa: F401 - fixtures


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with secrets in it, which is also the HOME of this process; it lies beside the checkout."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    for name in (".bashrc", ".ssh/authorized_keys", "f"):
        (home / name).write_bytes(CANARY + b" of " + name.encode())
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
async def scene(session: Session, engine: Engine, checkout: Path, host: Path) -> AsyncIterator[Scene]:
    """A sandbox on the checkout; what lies around it is unchanged afterwards, and none of it was taken in."""
    with unchanged(host):
        async with opened(session, engine) as sandbox:
            yield Scene(Project(checkout, session, sandbox), host)
    assert not [blob for blob in session.blobs.rglob("*") if blob.is_file() and CANARY in blob.read_bytes()]
    assert not list(checkout.glob(".paddock*"))
