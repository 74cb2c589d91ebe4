"""The way out of one sandbox: its connections come over the guest's channel to the proxy, some at once."""

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping

import anyio
import anyio.abc

from sandbox.closed import Closed
from sandbox.container import Container
from sandbox.egress import inside
from sandbox.egress.authority import Authority
from sandbox.egress.distribution import Distribution, distribution
from sandbox.egress.judge import Ask, Judge
from sandbox.egress.pipe import Pipe
from sandbox.egress.proxy import Proxy
from sandbox.egress.record import Exchange, Record
from sandbox.egress.rules import Rules
from sandbox.errors import PortClosed, SandboxError, SandboxLost
from sandbox.ports import PortStream, accepted
from sandbox.profile import profile_of
from sandbox.running import Running
from sandbox.sessions import Session
from sandbox.tasks import beside

PARTING_SECONDS = 5.0
MOST_CONNECTIONS = 64  # at once; more wait inside
MOST_TOLD = 10  # refusals that one call is told
FULL_SECONDS = 0.2


class Outlet(Closed):
    """Kept by the process that holds the session; its authority lives as long, through every container.

    `ask` is who is asked about a host that no rule names, None where nobody can be.
    """

    def __init__(self, session: Session, ask: Ask | None = None) -> None:
        self._running: list[Running] = []
        self._unheard: dict[str, None] = {}
        self._authority = Authority()
        meta = session.meta()
        network = meta.choice.network
        installs = profile_of(meta.choice).changes_image and not network.only_listed
        self._distribution = distribution(meta.image_name) if installs else Distribution()
        reached = network.model_copy(update={"allowed": (*network.allowed, *self._distribution.hosts)})
        judge = Judge(Rules.of(reached), None if network.only_listed else ask)
        self._proxy = Proxy(judge, self._authority, Record(session), self._calls, self._refused)

    @property
    def variables(self) -> Mapping[str, str]:
        """Where the proxy is, and whom to trust."""
        return inside.variables()

    @property
    def files(self) -> Mapping[str, str]:
        """The authority's certificate, and apt's settings."""
        return inside.files(self._authority.certificate, self._distribution.sources)

    @contextlib.asynccontextmanager
    async def hearing(self, call: Running) -> AsyncIterator[None]:
        """While the block runs, what is refused to anybody inside is put down in `call.refused`."""
        self._running.append(call)
        try:
            yield
        finally:
            self._running.remove(call)

    def take_news(self) -> str:
        """What was refused while no command ran that could be told."""
        news, self._unheard = "\n".join(self._unheard), {}
        return news

    def _calls(self) -> Collection[str]:
        return {call.command.call_id for call in self._running} - {""}

    def _refused(self, exchange: Exchange) -> None:
        heard = [call.refused for call in self._running] or [self._unheard]
        for one in heard:
            if len(one) < MOST_TOLD:
                one[exchange.refusal] = None

    async def serve(self, container: Container) -> None:
        """Serve what comes out of a container, until it is gone."""
        room = anyio.Semaphore(MOST_CONNECTIONS)
        with contextlib.suppress(SandboxLost):  # it has ended, and whoever uses it is told
            async with beside() as tasks:
                while True:
                    await room.acquire()
                    try:
                        await tasks.start(self._one, container, room)
                    except PortClosed:
                        await anyio.sleep(FULL_SECONDS)  # forwarded ports have taken all connections there are

    async def _one(
        self, container: Container, room: anyio.Semaphore, *, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        """Wait for one connection, and serve it to its end."""
        try:
            async with container.channel.stream() as stream, accepted(stream, inside.DOOR) as connection:
                task_status.started()
                with contextlib.suppress(SandboxError):  # a log that cannot be written lets nothing more out
                    await self._proxy.serve(Pipe(connection))
                    await _part(connection)
        finally:
            room.release()


async def _part(connection: PortStream) -> None:
    """Let the other side hear the last word: whoever is broken off in the middle of its own never reads it."""
    with anyio.move_on_after(PARTING_SECONDS):
        await connection.send_end()
        while await connection.receive():
            pass
