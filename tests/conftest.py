"""What every test may ask for: a real engine, the base image, a private state folder, a sandbox on a checkout."""

import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from images import catalog
from images.image import Image
from sandbox.choice import BaseKind, Choice, ProfileName
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.opening import opened, prepare
from sandbox.sessions import Session, Sessions


def is_left_out() -> bool:
    """Whether tests that only root can run are left out: a CI that is not root sees them fail instead."""
    return os.geteuid() != 0 and "CI" not in os.environ


def pytest_addoption(parser: pytest.Parser) -> None:
    """In which profile attacks are tried that do not choose one themselves (`make matrix` tries all)."""
    parser.addoption("--profile", default="default", choices=get_args(ProfileName))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only root can do, for a developer who is not, and what the profile does not promise."""
    profile = config.getoption("--profile")
    open_ = [item for item in items for mark in item.iter_markers("profiles") if profile not in mark.args]
    config.hook.pytest_deselected(items=open_)
    items[:] = [item for item in items if item not in open_]
    if is_left_out():
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("root")])
        items[:] = [item for item in items if not item.get_closest_marker("root")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so."""
    if is_left_out():
        terminalreporter.write_line("left out: tests that mount file systems, for want of root; `sudo make test-root`")


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio is the one loop we run on."""
    return "asyncio"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine. There is no skip: without one the sandbox cannot be tested, and that must be seen."""
    return Engine.connect()


@pytest.fixture(scope="session")
def image(engine: Engine) -> Image:
    """The base image, built if it is not there (`make test` has built it before)."""
    return catalog.resolve(catalog.DEFAULT, engine.images, lambda _: None)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder of this test alone, outside every checkout."""
    return tmp_path / "state"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small project."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "hello.txt").write_text("hello\n")
    (folder / "src").mkdir()
    (folder / "src" / "main.py").write_text("print('hi')\n")
    return folder


@pytest.fixture
def base() -> BaseKind:
    """What workspaces lie on; a test that is about one, or about both, is parametrised with it."""
    return "auto"


@pytest.fixture
def choice(base: BaseKind, request: pytest.FixtureRequest) -> Choice:
    """What is chosen about the sandbox; a test that wants another parametrises this."""
    return Choice(base=base, profile=request.config.getoption("--profile"))


@pytest.fixture
def new_session(state: Path, checkout: Path, image: Image, choice: Choice) -> Callable[[], Session]:
    """Makes a session of the checkout."""
    return lambda: prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)


@pytest.fixture
def session(new_session: Callable[[], Session]) -> Session:
    """One session of the checkout."""
    return new_session()


@pytest.fixture
async def sandbox(session: Session, engine: Engine) -> AsyncIterator[DockerSandbox]:
    """A real sandbox, and afterwards the proof that nothing of it is left on the engine."""
    async with opened(session, engine) as running:
        yield running
    left = [one for one in engine.containers() if one.owner.session == session.id]
    left += [one for one in engine.volumes() if one.owner.session == session.id]
    assert left == []


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Pytest's own folder, but gone after the test: its cleaner dies of recursion on the deep trees made here."""
    yield tmp_path
    subprocess.run(["rm", "-rf", "--", str(tmp_path)], capture_output=True, check=False)
