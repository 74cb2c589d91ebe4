"""A carried workspace: a volume filled from the host before anything runs, and what changes in it brought home.

Every container gets a new volume, made of the layers on the host: what counts is always there. What a call changed is
brought home when it ends, so that a container, an engine or a machine that dies takes at most the call in flight.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from images.image import Progress
from sandbox.channel import Stream
from sandbox.container import Container
from sandbox.disk import Room
from sandbox.errors import FileError, SandboxError, SandboxLost
from sandbox.filing import asked
from sandbox.frames import Kind
from sandbox.gate.collect import SIZE_LIMIT
from sandbox.pausing import alone, paused
from sandbox.profile import profile_of
from sandbox.programs import PYTHON
from sandbox.running import done_of
from sandbox.sessions import Session
from sandbox.tasks import beside
from sandbox.workspace.layers import opened_layers
from sandbox.workspace.mirror import MOST_ROWS, Mirror, Rows, parsed
from sandbox.workspace.overlay import Overlay
from sandbox.workspace.placement import placement_of
from sandbox.workspace.sending import Sent, records
from sandbox.workspace.tree import overlays

FILL = "import sys; from sandbox.guest.fill import main; main(sys.argv[1], int(sys.argv[2], 8))"
MOST = MOST_ROWS * 128
"""Bytes of all rows of a tree."""
BRINGING_SECONDS = 60.0
Tell = Callable[[Progress | None], None]


class Using(Protocol):
    """A sandbox's life, as far as it is needed here."""

    @property
    def is_running(self) -> bool:
        """Whether there is a container that answers."""
        ...

    def use(self) -> AbstractAsyncContextManager[Container]:
        """A container for one call."""
        ...


@dataclass(frozen=True)
class _Part:
    target: bytes
    layers: Sequence[Path]
    mirror: Mirror


class Carrying:
    """The workspace of one session in one container after another; where it is mounted, there is nothing to carry.

    `on_progress` hears how far a filling is, and None when it is over. It must not block, and not raise.
    """

    def __init__(self, session: Session) -> None:
        self.on_progress: Tell = lambda _: None
        self._session = session
        self._parts: Sequence[_Part] = ()
        self._bringing = anyio.Lock()

    async def fill(self, container: Container) -> None:
        """Fill a new container's volumes, before any call. Raises SandboxError, SandboxLost."""
        self._parts = ()
        if placement_of(self._session).kind == "mounted":
            return
        profile = profile_of(self._session.meta().choice)
        is_closed = not profile.changes_workspace
        parts = [_part(one, Room(profile.disk, profile.files)) for one in overlays(self._session)]
        for part in parts:
            sent = await _send(container, part, self.on_progress, is_closed=is_closed)
            if is_closed:
                continue  # nothing of it will have to come home
            rows = await _look(container, part)
            if sent.entries != len(rows):
                raise SandboxError(
                    f"the workspace did not arrive whole: {sent.entries:,} entries were sent, {len(rows):,} are there"
                )
            part.mirror.begin(rows)
        self._parts = () if is_closed else parts
        self.on_progress(None)

    async def bring(self, container: Container) -> None:
        """Bring home what changed since the last time. Raises OutOfSpace, SandboxLost."""
        async with self._bringing:
            for part in self._parts:
                await part.mirror.follow(await _look(container, part), Fetching(container, part.target))

    async def bring_of(self, life: "Using") -> None:
        """The same, from what runs now; nothing does that cannot be seen here anyway. Raises as `bring`."""
        if self._parts and life.is_running:
            async with life.use() as container, alone(self._session, container):
                await self.bring(container)

    @contextlib.asynccontextmanager
    async def still(self, container: Container) -> AsyncIterator[None]:
        """While the block runs, nothing inside does, and all it wrote is at home. Raises as `bring`, SessionBusy."""
        if not self._parts:
            async with paused(self._session, container):
                yield
            return
        async with alone(self._session, container):
            await _order(container, "hold")
            try:
                await self.bring(container)
                yield
            finally:
                with anyio.CancelScope(shield=True), contextlib.suppress(SandboxError):
                    await _order(container, "release")

    async def farewell(self, container: Container) -> None:
        """Before a container ends: bring home what no call was asked about. What cannot be brought is lost with it."""
        if not self._parts:
            return
        with anyio.move_on_after(BRINGING_SECONDS), contextlib.suppress(SandboxError):
            async with self.still(container):
                pass


def _part(overlay: Overlay, most: Room) -> _Part:
    below = [overlay.lower] if overlay.mask is None else [overlay.mask, overlay.lower]
    return _Part(os.fsencode(overlay.target), [overlay.upper, *below], Mirror(overlay, below, most))


async def _send(container: Container, part: _Part, tell: Tell, *, is_closed: bool) -> Sent:
    """Fill a volume. Where it is closed to tools, they are others there, and others write nothing."""
    sent = Sent()
    without = "002" if is_closed else "0"
    request = {
        "op": "run",
        "argv": [PYTHON, "-I", "-S", "-c", FILL, os.fsdecode(part.target), without],
        "cwd": "/",
        "env": {"LC_ALL": "C"},  # a locale's files are the image's, and name libraries to load
        "stdin": True,
        "report": False,
        "fills": True,
    }
    async with container.channel.stream() as stream, beside() as tasks:
        await stream.open(request)
        tasks.start_soon(_pour, stream, part, sent, tell)
        said = await _outcome(stream)
        tasks.cancel_scope.cancel()
    if said is not None:
        raise SandboxError(f"the workspace could not be filled: {said}")
    return sent


async def _pour(stream: Stream, part: _Part, sent: Sent, tell: Tell) -> None:
    with opened_layers([one for one in part.layers if one.exists()]) as layers:
        pieces = records(layers, os.stat(part.layers[-1]), sent)
        while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
            await stream.send_some(piece)
            tell(Progress("is carried to the engine", sent.size, 0, "bytes"))
    await stream.send(Kind.END)


async def _outcome(stream: Stream) -> str | None:
    """The last line the filling program said, if it failed."""
    said = b""
    while (frame := await stream.receive()).kind is not Kind.DONE:
        said = (said + frame.payload[1:])[-4096:]
    if done_of(frame).exit == 0:
        return None
    return said.decode("utf-8", "backslashreplace").strip().rpartition("\n")[2] or "no reason was given"


async def _look(container: Container, part: _Part) -> Rows:
    data, done = await asked(container, {"op": "tree", "path": os.fsdecode(part.target)}, most=MOST)
    if done.error is not None:
        raise SandboxError(f"the workspace inside cannot be looked at: {done.error}")
    return await anyio.to_thread.run_sync(parsed, data)


@dataclass(frozen=True)
class Fetching:
    """Reads files of one workspace."""

    container: Container
    target: bytes

    async def __call__(self, path: bytes, /) -> bytes:
        """The content of a file. Raises FileError, SandboxLost."""
        inside = os.fsdecode(self.target + b"/" + path)
        request = {"op": "read", "path": inside, "limit": SIZE_LIMIT}
        data, done = await asked(self.container, request, most=SIZE_LIMIT)
        if done.error is None:
            return data
        raise FileError(done.error if done.error in ("denied", "too-large") else "other", inside)


async def _order(container: Container, what: str) -> None:
    async with container.channel.stream() as stream:
        await stream.open({"op": what})
        if (await stream.receive()).kind is not Kind.DONE:
            raise SandboxLost("the sandbox broke the protocol")
