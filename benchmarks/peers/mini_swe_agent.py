"""mini-swe-agent's Docker environment: `mini_swe_agent.py IMAGE` answers. It writes settings where it is told to."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable

from answering import answer
from minisweagent.environments.docker import DockerEnvironment

HUNDRED = 100_000_000


class Peer:
    def __init__(self, image: str) -> None:
        self._image = image
        self._environment: DockerEnvironment | None = None

    def start(self) -> None:
        """A container, and the first result of a command in it."""
        self._environment = DockerEnvironment(image=self._image)
        self.call()

    def call(self) -> None:
        self._say("true")

    def stream(self) -> None:
        said = self._say(f"head -c {HUNDRED} /dev/zero | tr '\\0' x")
        assert len(said) == HUNDRED

    def stop(self) -> None:
        """Gone when this returns: its own way is a `docker stop` in the background, which waits ten seconds."""
        if self._environment is not None:
            container, self._environment.container_id = self._environment.container_id, None
            self._environment = None
            subprocess.run(["docker", "rm", "-f", str(container)], capture_output=True, check=False)

    def _say(self, command: str) -> str:
        assert self._environment is not None
        done = self._environment.execute({"command": command})
        assert done["returncode"] == 0, done
        return done["output"]


def doing(work: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        work()

    return do


logging.disable()
peer = Peer(*sys.argv[1:])
try:
    asyncio.run(answer({name: doing(getattr(peer, name)) for name in ("start", "call", "stream", "stop")}))
finally:
    peer.stop()
