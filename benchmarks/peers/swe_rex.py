"""SWE-ReX's Docker deployment: `swe_rex.py IMAGE FOLDER`, an image with its server and a folder to upload."""

import asyncio
import logging
import subprocess
import sys

from answering import answer
from swerex.deployment.docker import DockerDeployment
from swerex.runtime.abstract import (
    BashAction,
    Command,
    CreateBashSessionRequest,
    ReadFileRequest,
    UploadRequest,
    WriteFileRequest,
)

KIB = "x" * 1024
HUNDRED = 100_000_000


class Peer:
    def __init__(self, image: str, folder: str) -> None:
        self._image = image
        self._folder = folder
        self._deployment: DockerDeployment | None = None

    @property
    def _runtime(self):
        assert self._deployment is not None
        return self._deployment.runtime

    async def start(self) -> None:
        """A container, and the first result of a command in it."""
        self._deployment = DockerDeployment(image=self._image, pull="never")
        await self._deployment.start()
        await self.call()

    async def call(self) -> None:
        await self._runtime.execute(Command(command=["true"]))

    async def open(self) -> None:
        await self._runtime.create_session(CreateBashSessionRequest())

    async def session(self) -> None:
        await self._runtime.run_in_session(BashAction(command="true"))

    async def write(self) -> None:
        await self._runtime.write_file(WriteFileRequest(path="/tmp/note.txt", content=KIB))

    async def read(self) -> None:
        await self._runtime.read_file(ReadFileRequest(path="/tmp/note.txt"))

    async def stream(self) -> None:
        done = await self._runtime.execute(Command(command=["sh", "-c", f"head -c {HUNDRED} /dev/zero | tr '\\0' x"]))
        assert len(done.stdout) == HUNDRED

    async def fill(self) -> None:
        await self._runtime.upload(UploadRequest(source_path=self._folder, target_path="/tmp/filled"))
        await self._runtime.execute(Command(command=["rm", "-rf", "/tmp/filled"]))

    async def stop(self) -> None:
        """Gone when this returns: it kills the container, which is removed a little later."""
        if self._deployment is not None:
            name, deployment, self._deployment = self._deployment.container_name, self._deployment, None
            await deployment.stop()
            waiting = await asyncio.create_subprocess_exec(
                "docker", "wait", str(name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            await waiting.wait()


logging.disable()
peer = Peer(*sys.argv[1:])
doings = ("start", "call", "open", "session", "write", "read", "stream", "fill", "stop")
try:
    asyncio.run(answer({name: getattr(peer, name) for name in doings}))
finally:
    asyncio.run(peer.stop())
