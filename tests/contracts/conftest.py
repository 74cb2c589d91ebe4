"""One suite, two sandboxes: the real one and the fake that unit tests use."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.base import Sandbox
from sandbox.opening import opened
from tests.fakes import FakeSandbox


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.engine)])
async def any_sandbox(request: pytest.FixtureRequest, checkout: Path, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox on the `checkout` fixture."""
    if request.param == "fake":
        shutil.copytree(checkout, tmp_path / "fake" / "workspace")
        async with FakeSandbox(tmp_path / "fake") as fake:
            yield fake
    else:
        async with opened(request.getfixturevalue("session"), request.getfixturevalue("engine")) as real:
            yield real
