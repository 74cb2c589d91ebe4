"""One suite, three sandboxes: the real one, mounted and carried, and the fake that unit tests use."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.base import Sandbox
from sandbox.choice import BaseKind, Choice
from sandbox.opening import opened, prepare
from sandbox.sessions import Sessions
from tests.fakes import FakeSandbox

REAL: dict[str, BaseKind] = {"docker": "auto", "carried": "copy"}


@pytest.fixture(
    params=[
        "fake",
        pytest.param("docker", marks=pytest.mark.engine),
        pytest.param("carried", marks=[pytest.mark.engine, pytest.mark.slow]),
    ]
)
async def any_sandbox(request: pytest.FixtureRequest, checkout: Path, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox on the `checkout` fixture."""
    if request.param == "fake":
        shutil.copytree(checkout, tmp_path / "fake" / "workspace")
        async with FakeSandbox(tmp_path / "fake") as fake:
            yield fake
    else:
        image = request.getfixturevalue("image")
        choice = Choice(base=REAL[request.param])
        sessions = Sessions(tmp_path / "state")
        session = prepare(sessions=sessions, checkout=checkout, kind="exec", image=image, choice=choice)
        async with opened(session, request.getfixturevalue("engine")) as real:
            yield real
