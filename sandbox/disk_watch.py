"""The disk limits of a running sandbox: whoever reaches one is paused, measured and ended, and the session goes on.

An overlay takes what its file system has, so the host watches: the file system's count of free room, the more often the
less there is, and what the workspace takes. While a limit is reached, files cannot grow: what deletes them works. Where
the file system has quotas, one stands behind the watch, which names what is met.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import PurePosixPath

import anyio
import anyio.to_thread

from sandbox import quota
from sandbox.disk import SLACK, Meter, Room, floor_at, larger, over, seconds_of, smaller, under
from sandbox.engine import Engine
from sandbox.errors import SandboxError, SandboxLost, StateError
from sandbox.frames import Kind
from sandbox.life import Life
from sandbox.limits import LimitName, LimitReached, size
from sandbox.profile import profile_of
from sandbox.running import Running, done_of
from sandbox.sessions import Session
from sandbox.workspace.placement import placement_of
from sandbox.workspace.project import counted
from sandbox.workspace.tree import overlays

OFTEN, SELDOM = 0.01, 0.25
"""Seconds between two looks at what is free."""
REACTION = Room(1024**3, 20_000)
"""What can be written until a pause that a look leads to, on a busy machine: a quarter of a second, and some more."""
CLEAR_SECONDS = 20.0
STILL_GROWING = 1024**2


class DiskWatch:
    """Watches one session's workspace for as long as a container runs. `full` is the limit that is reached now."""

    def __init__(self, session: Session, engine: Engine) -> None:
        meta = session.meta()
        profile = profile_of(meta.choice)
        self.full: LimitReached | None = None
        self._root = meta.checkout
        self._session = session
        self._engine = engine
        self._meter = Meter(session.upper)
        self._most = self._ceiling = Room(profile.disk, profile.files)
        self._floor = self._brink = Room(0, 0)
        self._calls: set[Running] = set()
        self._looking = anyio.Lock()
        self._stopping = anyio.Lock()
        self._news = ""

    async def watch(self, life: Life) -> None:
        """End what reaches a limit, as often as that happens. Returns when the container is lost."""
        with _refusing(life):
            self._meter = Meter(*(one.upper for one in overlays(self._session)))
            self._floor = await anyio.to_thread.run_sync(floor_at, self._meter.place)
            await self._judge()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._set_limit)
                tasks.start_soon(self._watch_free, life)
                tasks.start_soon(self._watch_used, life)

    @asynccontextmanager
    async def minding(self, call: Running) -> AsyncIterator[None]:
        """While a call runs, it is told of the limits it reaches; one that is reached already, if it still is after."""
        before = await self._still_full()
        self._calls.add(call)
        try:
            yield
        finally:
            self._calls.discard(call)
        full = await self._still_full()
        if full is None and before is not None and call.has_failed():  # room was made, perhaps too late for it
            full = replace(before, more=f"while this ran, no file could grow beyond {size(STILL_GROWING)}")
        if full and not call.limits:
            call.limits.append(full)

    async def refusal(self, path: PurePosixPath) -> str:
        """Why nothing may be written there now, empty if it may: anything may outside the workspace."""
        return str(await self._still_full() or "") if path.is_relative_to(self._root) else ""

    @property
    def largest_file(self) -> int | None:
        """To how many bytes a file may grow by a call that begins now; None as ever."""
        if self.full is None:
            return None
        return STILL_GROWING if under(self._meter.free(), self._floor) is None else 0

    def take_news(self) -> str:
        """What was reached since this was last asked, while no call was there to be told."""
        news, self._news = self._news, ""
        return news

    async def _still_full(self) -> LimitReached | None:
        async with self._stopping:  # what is being ended is still being judged
            pass
        if self._seems_full():
            await self._judge()
        return self.full

    def _seems_full(self) -> bool:
        """Whether a limit is reached, or may have been since the last look."""
        try:
            return self.full is not None or over(self._meter.estimate(), self._most) is not None
        except OSError:  # whoever watches says so
            return False

    async def _set_limit(self) -> None:
        """Where the file system can hold one."""
        with contextlib.suppress(OSError):
            if placement_of(self._session).kind == "mounted":
                await anyio.to_thread.run_sync(quota.set_limit, self._session, self._engine, self._most)

    async def _watch_free(self, life: Life) -> None:
        with _refusing(life):
            while True:
                free = self._meter.free()
                if name := under(free, self._brink):
                    await self._stop(life, name)
                await anyio.sleep(max(OFTEN, min(SELDOM, seconds_of(free - self._brink))))

    async def _watch_used(self, life: Life) -> None:
        with _refusing(life):
            while True:
                await anyio.sleep(max(SELDOM, self._meter.seconds))
                if self._meter.is_old() or over(self._meter.estimate(), self._ceiling):
                    used = await self._look()
                    if name := over(used, self._ceiling):
                        await self._stop(life, name)

    async def _stop(self, life: Life, name: LimitName) -> None:
        """End everything that runs, and let nothing grow until there is room. Raises SandboxLost."""
        async with self._stopping:
            with contextlib.suppress(SandboxError):  # an engine that cannot pause: then it is ended a little later
                async with life.still():
                    await self._look()
            reached = self._named(name, "every command that ran was ended")
            for call in self._calls:
                call.limits.append(reached)
            if not self._calls:
                self._news = f"what ran was ended: {replace(reached, more='')}"
            await self._clear(life)
            await self._judge(name)

    async def _clear(self, life: Life) -> None:
        """Kill every process of every call. Raises SandboxLost if the guest does not obey."""
        async with life.use() as container, container.channel.stream() as stream:
            with anyio.move_on_after(CLEAR_SECONDS):
                await stream.open({"op": "clear"})
                while (frame := await stream.receive()).kind is not Kind.DONE:
                    pass
                done_of(frame)
                return
            raise SandboxLost("what filled the disk could not be stopped, so its sandbox was; the workspace is kept")

    async def _judge(self, met: LimitName | None = None) -> None:
        """Look whether a limit is reached (`met`: one was a moment ago), and set the marks for the next time."""
        used, free = await self._look(), self._meter.free()
        name = over(used, self._most) or under(free, self._edge()) or met
        if name is None:
            self.full, self._ceiling, self._brink = None, self._most, self._edge()
            return
        self.full = self._named(name, f"until something is deleted, no file can grow beyond {size(STILL_GROWING)}")
        self._ceiling = larger(used, self._most) + SLACK
        self._brink = smaller(free, self._edge()) - SLACK

    def _edge(self) -> Room:
        """Where free room is so little that what writes must be stopped at once."""
        return self._floor + smaller(REACTION, Room(self._floor.size // 2, self._floor.files // 2))

    def _named(self, name: LimitName, more: str) -> LimitReached:
        most = {
            "disk": self._most.size,
            "files": self._most.files,
            "free disk": self._floor.size,
            "free files": self._floor.files,
        }
        return LimitReached(name, most.get(name, 0), more)

    async def _look(self) -> Room:
        async with self._looking:
            seen = await anyio.to_thread.run_sync(self._meter.look)
            return larger(seen, counted(self._session, self._most))


@contextlib.contextmanager
def _refusing(life: Life) -> Iterator[None]:
    """Nothing is run on a disk that cannot be watched."""
    try:
        yield
    except SandboxLost:
        return
    except (OSError, StateError) as error:
        life.refuse(StateError(f"the disk cannot be watched, so nothing is run: {error}"))
