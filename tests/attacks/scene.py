"""Where attacks on the gate play: a checkout, a host around it that must not change, and the way between them."""

import hashlib
import os
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.project import Project
from sandbox.base import Command, ExecResult
from sandbox.changes import ChangeSet
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.gate.apply import Applied, Conflicts

CANARY = b"CANARY-0b91-of-the-host"

Fact = tuple[int, int, bytes]
"""Of one path: its mode and type, its modification time, its content or target, hashed."""

Limited = Callable[[Choice], AbstractAsyncContextManager[DockerSandbox]]
"""Opens a sandbox with limits of its own."""


STRICT, DEFAULT, EGRESS, BUILD, COMPAT = (
    Choice(profile="strict"), Choice(profile="default"), Choice(profile="egress"), Choice(profile="build"),
    Choice(profile="compat"),
)  # fmt: skip
ALL = (STRICT, DEFAULT, EGRESS, BUILD, COMPAT)


def in_profiles(*choices: Choice) -> pytest.MarkDecorator:
    """Try a test in these."""
    return pytest.mark.parametrize("choice", choices, ids=[choice.profile for choice in choices])


def modes(engine: Engine) -> tuple[str, str]:
    """What an engine says where neither processes nor shared memory are those of anybody else."""
    return ("private", "shareable") if engine.kind.product == "Podman" else ("", "private")


async def shell(sandbox: DockerSandbox, script: str, timeout: float = 60) -> ExecResult:
    """What a script in the workspace's root comes to, whatever that is."""
    return await sandbox.run(Command(["bash", "-c", script], sandbox.root, timeout=timeout))


@dataclass(frozen=True)
class Scene:
    """An open sandbox on a checkout, and what the host holds besides."""

    project: Project
    host: Path

    @property
    def checkout(self) -> Path:
        """The user's tree."""
        return self.project.checkout

    async def bash(self, script: str) -> ExecResult:
        """Run a script in the workspace's root; a failing one fails the test."""
        result = await self.project.sandbox.run(Command(["bash", "-c", script], self.project.sandbox.root, timeout=60))
        assert result.exit_code == 0, result.stderr.all
        return result

    async def python(self, script: str) -> None:
        """Run a Python program there; a failing one fails the test."""
        result = await self.project.sandbox.run(Command(["python3", "-c", script], self.project.sandbox.root))
        assert result.exit_code == 0, result.stderr.all

    async def after(self, script: str) -> ChangeSet:
        """What a script changed, frozen."""
        await self.bash(script)
        return await self.project.freeze()

    async def apply_all(self, changes: ChangeSet) -> Applied | Conflicts:
        """Approve all that is pending, and apply it."""
        return await self.project.apply(changes)

    async def inside(self) -> str:
        """Every path of the workspace but git's own, with type and content."""
        return (await self.bash(LISTING)).stdout.all.decode()

    def outside(self) -> str:
        """The same of the checkout."""
        shown = subprocess.run(["bash", "-c", LISTING], cwd=self.checkout, capture_output=True, check=True)
        return shown.stdout.decode()


LISTING = """
find . -mindepth 1 -name .git -prune -o -printf '%p %y %l\\n' | LC_ALL=C sort
find . -mindepth 1 -name .git -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum
"""


def listed(changes: ChangeSet) -> set[tuple[str, bytes]]:
    """The changes, by kind and path."""
    return {(change.kind, change.path) for change in changes.changes}


def refused(changes: ChangeSet) -> Mapping[bytes, str]:
    """The refusals, by path."""
    return {one.path: one.reason for one in changes.refused}


def facts(top: Path) -> Mapping[bytes, Fact]:
    """All of a tree, links not followed."""
    found = {b".": _fact(os.fsencode(top))}
    for folder, folders, files in os.walk(os.fsencode(top)):
        found |= {path: _fact(path) for path in (os.path.join(folder, name) for name in folders + files)}
    return found


@contextmanager
def unchanged(*trees: Path) -> Iterator[None]:
    """Fail unless these trees are byte for byte, mode for mode and time for time the same afterwards."""
    before = [facts(tree) for tree in trees]
    yield
    assert [facts(tree) for tree in trees] == before


def _fact(path: bytes) -> Fact:
    found = os.lstat(path)
    content = b""
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).digest()
    elif stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    return found.st_mode, found.st_mtime_ns, content
