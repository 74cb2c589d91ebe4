"""A scene for attacks on the gate: the checkout amid a host that must not change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from images.image import Image
from runtime.project import Project
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.opening import opened, prepare
from sandbox.sessions import Session, Sessions
from tests.attacks.scene import CANARY, Limited, Scene, unchanged
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


@pytest.fixture
def limited(state: Path, checkout: Path, image: Image, engine: Engine) -> Limited:
    """Opens a sandbox with limits of its own."""

    @asynccontextmanager
    async def open_with(choice: Choice) -> AsyncIterator[DockerSandbox]:
        session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)
        async with opened(session, engine) as sandbox:
            yield sandbox

    return open_with
