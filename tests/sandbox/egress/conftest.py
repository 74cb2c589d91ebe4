"""A proxy, a world for it to reach, and clients that speak to it as programs inside do."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import h11
import pytest
from anyio.streams.tls import TLSStream

from sandbox.choice import Network
from sandbox.egress.authority import Authority
from sandbox.egress.judge import Ask, Judge
from sandbox.egress.proxy import Proxy
from sandbox.egress.record import Exchange, Record
from sandbox.egress.rules import Rules
from sandbox.egress.talk import Talk
from sandbox.sessions import Session
from tests.sandbox.egress.world import World, nearby, world


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world; this process trusts its authority."""
    with world(tmp_path) as found:
        monkeypatch.setenv("SSL_CERT_FILE", str(found.authority))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield found


class Client:
    """A program inside."""

    def __init__(self, stream: anyio.abc.ByteStream, authority: Authority) -> None:
        self._trust = authority.certificate
        self.talk = Talk(h11.CLIENT, stream)

    async def ask(
        self, method: str, target: str, host: str, body: bytes = b"", headers: list[tuple[str, str]] | None = None
    ) -> tuple[int, bytes]:
        """The status and body of an answer."""
        framing = [("content-length", str(len(body)))] if body else []
        head = [("host", host), *framing, *(headers or [])]
        await self.talk.send(h11.Request(method=method, target=target, headers=head))
        if body:
            await self.talk.send(h11.Data(data=body))
        await self.talk.send(h11.EndOfMessage())
        response = await self.talk.receive()
        assert isinstance(response, h11.Response), response
        if method == "CONNECT" and response.status_code == 200:
            return 200, b""
        answer = b""
        while isinstance(event := await self.talk.receive(), h11.Data):
            answer += event.data
        if isinstance(event, h11.EndOfMessage):
            self.talk.goes_on()
        return response.status_code, answer

    async def greet(self, name: str) -> None:
        """Begin TLS for a host of that name, through the tunnel."""
        context = ssl.create_default_context(cadata=self._trust)
        stream = await TLSStream.wrap(self.talk.stream, hostname=name, ssl_context=context, standard_compatible=False)
        self.talk = Talk(h11.CLIENT, stream)


@pytest.fixture
def refusals() -> list[Exchange]:
    """What the proxy told of refusals."""
    return []


Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def connect(session: Session, refusals: list[Exchange]) -> Connect:
    """A connection to a proxy for a network; `ask` is who can be asked."""
    authority = Authority()

    @asynccontextmanager
    async def connected(network: Network, ask: Ask | None = None, resolve=nearby) -> AsyncIterator[Client]:
        proxy = Proxy(
            Judge(Rules.of(network), ask), authority, Record(session), lambda: {"call"}, refusals.append, resolve
        )
        ours, theirs = socket.socketpair()
        for one in (ours, theirs):
            one.setblocking(False)
        async with (
            await anyio.abc.UNIXSocketStream.from_socket(ours) as client,
            await anyio.abc.UNIXSocketStream.from_socket(theirs) as served,
            anyio.create_task_group() as tasks,
        ):

            async def serve() -> None:
                await proxy.serve(served)
                await served.send_eof()

            tasks.start_soon(serve)
            yield Client(client, authority)
            await client.send_eof()
            tasks.cancel_scope.cancel()

    return connected
