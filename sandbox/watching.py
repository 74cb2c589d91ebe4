"""Host edits, noticed while they happen: a process of our own watches the checkout, and what matters is told."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread

from sandbox.errors import SandboxError
from sandbox.gate.edits import Edits, HostEdit
from sandbox.gate.syscalls import DIRECTORY, file_system
from sandbox.sessions import Session
from sandbox.tasks import beside

PROGRAM = Path(__file__).with_name("watch.py")
LONGEST = 64 * 1024 * 1024  # bytes of one line: 20,000 paths, none longer than the kernel takes
APPLYING_SECONDS = 30.0
SILENT = frozenset({0x6969, 0x01021997, 0xFF534D42, 0xFE534D42, 0x65735546, 0x517B, 0x5346414F, 0x6B414653})
"""File systems that others write to without our kernel knowing: NFS, 9P, CIFS, SMB2, FUSE, SMB, AFS."""


@dataclass(frozen=True)
class Listener:
    """Who is told: of edits as they happen, and once of why there may be more than are told. Neither may raise."""

    on_edits: Callable[[Sequence[HostEdit]], None]
    on_blind: Callable[[str], None]


@contextlib.asynccontextmanager
async def watching(session: Session, ready: Callable[[], Awaitable[object]], listener: Listener) -> AsyncIterator[None]:
    """While the block runs, tell of edits in the session's checkout. Begins when `ready` returns; delays nothing.

    Where edits cannot be noticed, this is said once and the run goes on: the gate compares the checkout anyway.
    """
    async with beside() as tasks:
        tasks.start_soon(_watch, session, ready, listener)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def _watch(session: Session, ready: Callable[[], Awaitable[object]], listener: Listener) -> None:
    try:
        await ready()
        checkout = session.meta().checkout
        if await anyio.to_thread.run_sync(_is_silent, checkout):
            listener.on_blind("this file system does not tell of edits that other machines make")
        await _follow(checkout, await anyio.to_thread.run_sync(Edits, session), listener)
    except SandboxError as error:
        listener.on_blind(str(error))
    except OSError as error:
        listener.on_blind(error.strerror or str(error))


async def _follow(checkout: str, edits: Edits, listener: Listener) -> None:
    """Run the program and judge what it says, until it ends; anew when there are other folders to watch."""
    while True:
        folders = await anyio.to_thread.run_sync(edits.folders)
        argv = [sys.executable, "-I", str(PROGRAM), checkout, *(os.path.join(checkout, name) for name in folders)]
        async with await anyio.open_process(
            argv, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True
        ) as process:
            try:
                async for line in _lines(process.stdout):
                    said = json.loads(line)
                    if problem := said.get("problem"):
                        listener.on_blind(str(problem))
                        return
                    await _tell([os.fsencode(path) for path in said["paths"]], edits, listener)
                    if await anyio.to_thread.run_sync(edits.folders) != folders:
                        break
                else:
                    return
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()


async def _tell(paths: Sequence[bytes], edits: Edits, listener: Listener) -> None:
    with anyio.move_on_after(APPLYING_SECONDS):
        while await anyio.to_thread.run_sync(edits.is_applying):  # noqa: ASYNC110 - a lock of another process
            await anyio.sleep(0.1)
    if found := await anyio.to_thread.run_sync(edits.among, paths):
        listener.on_edits(found)


async def _lines(stream: anyio.abc.ByteReceiveStream | None) -> AsyncIterator[bytes]:
    kept = bytearray()
    if stream is None:
        return
    async for piece in stream:
        kept += piece
        while (end := kept.find(b"\n")) >= 0:
            yield bytes(kept[:end])
            del kept[: end + 1]
        if len(kept) > LONGEST:
            return


def _is_silent(checkout: str) -> bool:
    descriptor = os.open(checkout, DIRECTORY)
    try:
        return file_system(descriptor) in SILENT
    finally:
        os.close(descriptor)
