"""The life of a sandbox: its container is started when it is needed, again when it has died, and ends when it is idle.

What a sandbox wrote lies on the host, so a container is only the processes in it, and any takes the place of any
other. What was running in one that died has an unknown outcome, and its call raises that; the next call starts anew.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import anyio.to_thread

from sandbox.around import Around
from sandbox.container import Container, create, greeted, remove_earlier
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable, SandboxError, SandboxLost, Unmountable
from sandbox.identity import environment
from sandbox.pausing import alone, free_abandoned, taken
from sandbox.scratch import give_back
from sandbox.sessions import Session
from sandbox.states import Patience, Refused, Running, Starting, State, Stopped, Stopping, Why, farewell, storm
from sandbox.toolbox import PROGRAMS
from sandbox.workspace.placement import carry, placement_of


class Life:
    """Made by the process that holds the session. `tasks` is where containers are watched over, and ends with it."""

    def __init__(
        self,
        session: Session,
        engine: Engine,
        tasks: anyio.abc.TaskGroup,
        *,
        around: Around,
        patience: Patience,
    ) -> None:
        self.begun = anyio.Event()
        self.environment: Mapping[str, str] = {}
        self._session = session
        self._engine = engine
        self._tasks = tasks
        self._around = around
        self._patience = patience
        self._state: State = Stopped("new")
        self._is_gone = False  # whether what ran before surely runs no more
        self._still = anyio.Lock()
        self._deaths: list[float] = []
        self._news = ""
        self._uses = 0
        self._used = anyio.current_time()
        self._unused = anyio.Event()

    def begin(self) -> None:
        """Start a container in the background if there is none; who asks for it first is told if that fails."""
        if isinstance(self._state, Stopped):
            self._state = starting = Starting(self._state.why)
            self._tasks.start_soon(self._start, starting)

    async def container(self) -> Container:
        """A container whose guest answers, started if need be. Raises why that failed; the next call tries again."""
        while True:
            match self._state:
                case Running(container=container):
                    return container
                case Refused(error=error):
                    raise error
                case Stopped(why=why, untold=error) if error is not None:
                    self._state = Stopped(why)
                    raise error
                case Stopped():
                    self.begin()
                case Starting() as starting:
                    starting.is_awaited = True
                    await starting.done.wait()
                    if starting.error is not None:
                        raise starting.error
                case Stopping(done=done):
                    await done.wait()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Container]:
        """A container for one call. A call that raises SandboxLost ends it: the next call gets another one."""
        with self.busy():
            container = await self.container()
            try:
                yield container
            except SandboxLost as error:
                self._end(container, "died")
                if await container.ran_out_of_memory():
                    raise SandboxLost(f"the memory limit was reached, and {error}") from error
                raise

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """While the block runs, the container is not taken for idle."""
        self._uses += 1
        try:
            yield
        finally:
            self._uses -= 1
            self._used = anyio.current_time()
            self._unused.set()
            self._unused = anyio.Event()

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """While the block runs, nothing inside does: it is paused, or nothing is there and nothing is started.

        Raises: SessionBusy, SandboxError, EngineUnavailable if it cannot be known that nothing runs.
        """
        with self.busy():
            await self._settled()
            async with self._still:
                match self._state:
                    case Running(container=container):
                        async with self._around.still(container):
                            yield
                    case _:
                        async with taken(self._session):
                            await self._make_sure()
                            yield

    @asynccontextmanager
    async def undisturbed(self, container: Container) -> AsyncIterator[None]:
        """While the block runs, nobody pauses the container."""
        async with self._still, alone(self._session, container):
            yield

    @property
    def is_running(self) -> bool:
        """Whether there is a container that answers, now."""
        return isinstance(self._state, Running)

    def take_news(self) -> str:
        """What befell the sandbox since this was last asked, beside a call; empty if nothing did."""
        news, self._news = self._news, ""
        return news

    def refuse(self, error: Exception) -> None:
        """Let every call raise this, from now on."""
        state, self._state = self._state, Refused(error)
        if isinstance(state, Running):
            state.scope.cancel()
            self._tasks.start_soon(state.container.remove)

    async def close(self) -> None:
        """End the container, whatever it is at. The tasks are cancelled."""
        state, self._state = self._state, Refused(SandboxLost("the sandbox was closed"))
        match state:
            case Running(container=container):
                with anyio.CancelScope(shield=True):
                    await self._around.leave(container)
                await self._take_away(container)
            case Starting(done=done) | Stopping(done=done):
                await done.wait()

    async def _start(self, starting: Starting) -> None:
        container: Container | None = None
        try:
            async with self._still, taken(self._session):  # who looks meanwhile sees no half of it
                await self._reach(starting)
                await self._around.before()
                container = await self._create()
                self._around.started()
                self._is_gone = False
                self._tasks.start_soon(self._serve, container)
                shell = await greeted(container)
                await self._around.filled(container)
            self._go_on(starting, container, shell)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait for the sandbox
            starting.error = error
        finally:
            if self._state is starting:
                self._state = Stopped(starting.was, None if starting.is_awaited else starting.error)
            if container is not None and not self.is_running:
                await container.remove()
            starting.done.set()

    async def _create(self) -> Container:
        """A started container; an engine that cannot mount the workspace gets it carried over."""
        try:
            return await self._create_once()
        except Unmountable as error:
            if placement_of(self._session).kind == "carried":
                raise
            carry(self._session, error.why)
            self._news = f"the workspace is {placement_of(self._session).sentence}: {error}"
            return await self._create_once()

    async def _create_once(self) -> Container:
        return await create(self._session, self._engine, self._around.ready, self._around.files)

    def _go_on(self, starting: Starting, container: Container, shell: str) -> None:
        self.environment = environment(container.user, shell, container.wishes.environment, PROGRAMS)
        if self._state is not starting:
            return
        self._used = anyio.current_time()
        self._state = running = Running(container)
        self._tasks.start_soon(self._watch, running)
        self._news = "\n".join(filter(None, (self._news, farewell(starting.was, self._patience))))
        self.begun.set()

    async def _reach(self, starting: Starting) -> None:
        """Make sure that nothing of before runs; wait for an engine that was just there. Raises SandboxError."""
        now, patience = anyio.current_time(), self._patience
        if (rest := storm(self._deaths, now, patience)) > 0:
            raise SandboxError(
                f"the sandbox ended by itself {patience.deaths} times within {patience.window:.0f} s: "
                f"it is not started again in the next {rest:.0f} s; its files are kept"
            )
        deadline = now + (patience.engine if starting.was == "died" else 0.0)
        delay = 0.1
        while True:
            try:
                await self._make_sure()
            except EngineUnavailable:
                if anyio.current_time() + delay > deadline:
                    raise
                await anyio.sleep(delay)
                delay = min(2 * delay, 2.0)
            else:
                return

    async def _make_sure(self) -> None:
        """No container of this session runs when this returns. Raises EngineUnavailable, SandboxError."""
        if not self._is_gone:
            await anyio.to_thread.run_sync(remove_earlier, self._session, self._engine)
            self._is_gone = True

    async def _serve(self, container: Container) -> None:
        await container.channel.serve()
        self._end(container, "died")

    async def _watch(self, running: Running) -> None:
        with running.scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(free_abandoned, self._session, running.container)
                tasks.start_soon(self._around.beside, self, running.container)
                if self._patience.idle:
                    tasks.start_soon(self._end_when_idle, running.container)

    async def _end_when_idle(self, container: Container) -> None:
        while True:
            if self._uses:
                await self._unused.wait()
                continue
            left = self._used + self._patience.idle - anyio.current_time()
            if left <= 0:
                self._end(container, "idle")
                return
            await anyio.sleep(left)

    def _end(self, container: Container, why: Why) -> None:
        """Have it removed, if it is the one that runs."""
        running = self._state
        if not isinstance(running, Running) or running.container is not container:
            return
        running.scope.cancel()
        self._state = stopping = Stopping()
        if why == "died":
            self._deaths = [*self._deaths[-self._patience.deaths :], anyio.current_time()]
        self._tasks.start_soon(self._remove, container, why, stopping)

    async def _remove(self, container: Container, why: Why, stopping: Stopping) -> None:
        try:
            if why == "idle":
                await self._around.leave(container)
            with contextlib.suppress(SandboxError):  # whoever needs to know makes sure, and is told then
                self._is_gone = await self._take_away(container)
        finally:
            if self._state is stopping:
                self._state = Stopped(why)
            stopping.done.set()

    async def _take_away(self, container: Container) -> bool:
        """Remove it, and make what it wrote the user's own; whether it surely is gone."""
        with anyio.CancelScope(shield=True):
            is_gone = await container.remove()
            if is_gone:
                with contextlib.suppress(SandboxError):  # the next start tries again
                    await anyio.to_thread.run_sync(give_back, self._session, self._engine)
        return is_gone

    async def _settled(self) -> None:
        """Wait for what is under way. Raises why a start failed."""
        while True:
            match self._state:
                case Starting() | Refused():
                    await self.container()
                case Stopped(untold=error) if error is not None:
                    await self.container()
                case Stopping(done=done):
                    await done.wait()
                case _:
                    return
