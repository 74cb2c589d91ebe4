"""A repository, what a sandbox has of it, and a session's folder, for every test of commits."""

import subprocess
from pathlib import Path

import pytest

from sandbox.gate.blobs import Blobs
from tests.sandbox.commits.repositories import clone_inside, make_repository


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: twenty runs of git are slower than a copy."""
    return make_repository(tmp_path_factory.mktemp("template") / "repository")


@pytest.fixture
def repository(tmp_path: Path, template: Path) -> Path:
    """The user's."""
    subprocess.run(["cp", "-a", str(template), str(tmp_path / "checkout")], check=True)
    return tmp_path / "checkout"


@pytest.fixture
def inside(tmp_path: Path, repository: Path) -> Path:
    """The same, in a sandbox."""
    return clone_inside(repository, tmp_path / "inside")


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Where a session keeps its things."""
    (tmp_path / "session" / "blobs").mkdir(parents=True)
    return tmp_path / "session"


@pytest.fixture
def blobs(session: Path) -> Blobs:
    """Its store of contents."""
    return Blobs(session / "blobs")
