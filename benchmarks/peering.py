"""Peers of ours, measured in turn with us: SWE-ReX and mini-swe-agent, each in an environment and a process of its own.

SWE-ReX installs its server in every container unless the image has it. So it gets an image that does: the one we run,
with the packages of its environment copied in once (`docker run`, then `docker commit`); it needs no network.
"""

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.bench import Bench, process

ENVIRONMENT = Path(__file__).parents[1] / ".venv" / "bench"
LOCK = Path(__file__).parents[1] / "requirements" / "bench.lock"
PROGRAMS = Path(__file__).parent / "peers"
INSTALL = """
set -e
mkdir -p /opt/swe-rex
cp -r /from/. /opt/swe-rex
python3 -m compileall -q /opt/swe-rex > /dev/null || true
printf '#!/bin/sh\\nPYTHONPATH=/opt/swe-rex exec python3 -m swerex.server "$@"\\n' > /usr/local/bin/swerex-remote
chmod +x /usr/local/bin/swerex-remote
swerex-remote --version
"""


class NoPeer(Exception):
    """A peer cannot be measured here; the text says why."""


class Peer:
    """One of them, running: `await peer("call")` returns the seconds that took."""

    def __init__(self, running: anyio.abc.Process) -> None:
        assert running.stdin is not None
        assert running.stdout is not None
        self._stdin = running.stdin
        self._stdout = BufferedByteReceiveStream(running.stdout)

    async def __call__(self, doing: str) -> float:
        """Have it do something. Raises NoPeer if it cannot."""
        try:
            await self._stdin.send(f"{doing}\n".encode())
            line = await self._stdout.receive_until(b"\n", 4096)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            raise NoPeer(f"it failed at {doing!r}") from error
        return float(json.loads(line)["seconds"])


@asynccontextmanager
async def mini_swe_agent(bench: Bench) -> AsyncIterator[Peer]:
    """mini-swe-agent on the image we run. Raises NoPeer."""
    async with _running(bench, "mini_swe_agent.py", bench.image.id) as peer:
        yield peer


@asynccontextmanager
async def swe_rex(bench: Bench, filling: Path) -> AsyncIterator[Peer]:
    """SWE-ReX on the image we run, with its server in it; `filling` is what it uploads. Raises NoPeer."""
    async with _running(bench, "swe_rex.py", await _image_with_server(bench), str(filling)) as peer:
        yield peer


@asynccontextmanager
async def _running(bench: Bench, program: str, *arguments: str) -> AsyncIterator[Peer]:
    if not ENVIRONMENT.exists():
        raise NoPeer("`make bench` installs it into .venv/bench")
    argv = [ENVIRONMENT / "bin" / "python", PROGRAMS / program, *arguments]
    variables = {**os.environ, "MSWEA_SILENT_STARTUP": "1", "MSWEA_GLOBAL_CONFIG_DIR": str(bench.folder / "settings")}
    with (bench.folder / f"{program}.log").open("ab") as log:
        async with await anyio.open_process([os.fspath(part) for part in argv], stderr=log, env=variables) as running:
            try:
                yield Peer(running)
            finally:
                assert running.stdin is not None
                with contextlib.suppress(anyio.BrokenResourceError):
                    await running.stdin.aclose()  # it ends what it started
                await running.wait()


async def _image_with_server(bench: Bench) -> str:
    packages = next(ENVIRONMENT.glob("lib/python3.*/site-packages"), None)
    if packages is None:
        raise NoPeer("`make bench` installs it into .venv/bench")
    words = f"{bench.image.id} {platform.python_version()} {INSTALL}".encode() + LOCK.read_bytes()
    tag = f"paddock-bench/swe-rex:{hashlib.sha256(words).hexdigest()[:12]}"
    if bench.engine.images.find(tag) is None:
        name = f"paddock-bench-{os.urandom(4).hex()}"
        copy = ["--name", name, "--network", "none", "-v", f"{packages}:/from:ro", bench.image.id, "sh", "-c", INSTALL]
        try:
            await process("docker", "run", *copy)
            await process("docker", "commit", name, tag)
        except RuntimeError as error:
            raise NoPeer(f"its server does not run in the image (Python {platform.python_version()} here)") from error
        finally:
            await process("docker", "rm", "-f", name, keep=(0, 1))
    return tag
