"""One of the other engines for a module's tests, with the toolbox's image on it: any serves, and that one is small."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import toolbox
from sandbox.engine import Engine
from tests.otherengines import NAMES, OtherEngine, other_engine

SELDOM = ("rootless-podman", "remapped-docker")
"""Each is like two of the others, so an ordinary run leaves them out."""


def _param(name: str) -> Any:
    slow = [pytest.mark.slow] if name in SELDOM else []
    return pytest.param(name, marks=[pytest.mark.xdist_group(name), *slow])


@pytest.fixture(scope="module", params=map(_param, NAMES))
def other(request: pytest.FixtureRequest, engine: Engine) -> Iterator[OtherEngine]:
    """It is empty afterwards but for what is shared, and so are the machine's mounts."""
    toolbox.image_on(engine, lambda _: None)
    mounts = _mounts()
    with other_engine(request.param) as one:
        one.take(toolbox.toolbox().tag)
        yield one
        with one.connection() as connected:
            assert (connected.containers(), connected.volumes()) == ([], [])
    assert _mounts() <= mounts


def _mounts() -> set[str]:
    """What is mounted in the machine's own namespace by an engine of the tests' own."""
    with open("/proc/self/mounts") as file:
        return {line for line in file if "paddock-engine-" in line}


@pytest.fixture
def paddock(other: OtherEngine):
    """The command line, in a project of the engine's user."""
    project = other.home() / "project"
    if not project.exists():
        other.run(["mkdir", str(project)])

    def run(*argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return other.python("-m", "cli.main", argv[0], "-C", str(project), *argv[1:], **variables)

    run.project = project
    return run
