"""What everything here works with: an engine, an image, a scratch folder, projects of a given size."""

import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from images.image import Image
from sandbox.choice import BaseKind, Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.opening import opened, prepare
from sandbox.sessions import Session, Sessions


@dataclass(frozen=True)
class Bench:
    """The machine's one engine and a folder that is removed afterwards."""

    engine: Engine
    image: Image
    folder: Path

    def tree(self, files: int) -> Path:
        """A git repository of so many small files, 50 to a folder; made once."""
        top = self.folder / f"tree-{files}"
        if not top.exists():
            for number in range(0, files, 50):
                folder = top / f"d{number // 1000}" / f"d{number // 50}"
                folder.mkdir(parents=True)
                for name in range(min(50, files - number)):
                    (folder / f"{name}.txt").write_bytes(b"%d\n" % (number + name) * 40)
            git(top, "init", "-q")
            git(top, "add", "-A")
            git(top, "-c", "user.name=b", "-c", "user.email=b@localhost", "commit", "-qm", "base")
        return top

    def session(self, checkout: Path, base: BaseKind = "auto") -> Session:
        """A session of a checkout."""
        sessions = Sessions(self.folder / "state" / "paddock")
        choice = Choice(base=base)
        return prepare(sessions=sessions, checkout=checkout, kind="exec", image=self.image, choice=choice)

    def docker_run(self, *argv: str, options: Sequence[str] = ("--rm",)) -> Sequence[str]:
        """Docker's own command for a program in the same image, as much apart from the network."""
        return ["docker", "run", *options, "--network", "none", self.image.id, *argv]

    def variables(self) -> dict[str, str]:
        """What a command of ours needs to find these sessions, and to run from any folder."""
        return {"XDG_STATE_HOME": str(self.folder / "state"), "PYTHONPATH": str(Path(__file__).parents[1])}

    @asynccontextmanager
    async def sandbox(self, checkout: Path) -> AsyncIterator[DockerSandbox]:
        """A sandbox on a checkout."""
        async with opened(self.session(checkout), self.engine) as sandbox:
            yield sandbox


def git(folder: Path, *arguments: str) -> None:
    """Run git in one of our own trees."""
    subprocess.run(["git", "-C", str(folder), "-c", "gc.auto=0", *arguments], check=True, capture_output=True)


async def process(
    *argv: str | os.PathLike[str], keep: Sequence[int] = (0,), variables: Mapping[str, str] | None = None
) -> bytes:
    """Run a program on the host to its end, with `variables` besides our own; returns what it printed."""
    environment = {**os.environ, **(variables or {})}
    done = await anyio.run_process([os.fspath(part) for part in argv], check=False, env=environment)
    if done.returncode not in keep:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout
