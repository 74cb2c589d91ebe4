"""One request that may leave: passed on, and its answer passed back, both as they come."""

import ssl
from dataclasses import dataclass
from typing import Any

import anyio
import h11

from sandbox.egress.hostproxy import HostProxy, host_proxy
from sandbox.egress.rules import READS, Rules
from sandbox.egress.talk import Talk, passed_on
from sandbox.egress.upstream import Destination, NotPublic, Resolve, Unreachable, reach

ANSWER_SECONDS = 300.0  # until the answer of the host that was asked begins

BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, ssl.SSLError, h11.ProtocolError)
"""How a connection can end that is no error of ours."""


class Line:
    """The connection to the host that was asked last, kept for the next request to the same."""

    def __init__(self, rules: Rules, resolve: Resolve) -> None:
        self._rules = rules
        self._resolve = resolve
        self._to: Destination | None = None
        self._talk: Talk | None = None
        self.proxy: HostProxy | None = None

    async def to(self, destination: Destination) -> tuple[Talk, bool]:
        """A connection, and whether it has been used before. Raises Unreachable, NotPublic."""
        if self._talk is not None and self._to == destination:
            return self._talk, True
        await self.close()
        try:
            self.proxy = host_proxy(destination.host, is_secret=destination.is_secret)
        except ValueError as error:
            raise Unreachable(str(error)) from error
        stream = await reach(destination, self._rules, self.proxy, self._resolve)
        self._to, self._talk = destination, Talk(h11.CLIENT, stream)
        return self._talk, False

    async def close(self) -> None:
        """Let go of it."""
        talk, self._talk = self._talk, None
        if talk is not None:
            await anyio.aclose_forcefully(talk.stream)


@dataclass
class Errand:
    """What is to be done: the request as it was read from `client`, and the host and target it comes to.

    Afterwards `status`, `sent`, `received` and `failed` say what became of it, as in `Exchange`.
    """

    client: Talk
    request: h11.Request
    to: Destination
    target: bytes
    status: int = 0
    sent: int = 0
    received: int = 0
    failed: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """What is put down."""
        return {"status": self.status, "sent": self.sent, "received": self.received, "failed": self.failed}

    async def carry_out(self, line: Line) -> bool:
        """Do it; whether another request can follow. What fails outside is told the client. Raises what breaks it off.

        Raises NotPublic, with nothing said yet.
        """
        try:
            talk = await self._asked(line)
            await self._pass_answer(talk)
        except NotPublic:
            raise
        except (Unreachable, *BROKEN, TimeoutError) as error:
            await line.close()
            self.failed = str(error) if isinstance(error, Unreachable) else "the connection broke off"
            if not self.client.can_answer:
                raise anyio.BrokenResourceError from error
            await answer(self.client, 502, f"network: {self.to.authority} cannot be reached: {self.failed}")
            return False
        if not talk.goes_on():
            await line.close()
        return self.client.goes_on()

    async def _asked(self, line: Line) -> Talk:
        """Send the request. One that an idle connection swallowed is sent again, if asking twice is asking once."""
        talk, is_used = await line.to(self.to)
        try:
            await self._send(talk, line)
        except BROKEN:
            if not is_used or self.request.method.decode() not in READS or self.sent:
                raise
        else:
            return talk
        await line.close()
        talk, _ = await line.to(self.to)
        await self._send(talk, line)
        return talk

    async def _send(self, talk: Talk, line: Line) -> None:
        headers = [(name, value) for name, value in passed_on(self.request.headers) if name != b"host"]
        target = self.target
        if line.proxy is not None and not self.to.is_secret:
            target = b"http://" + self.to.authority.encode() + target
            headers += line.proxy.headers
        headers.insert(0, (b"host", self.to.authority.encode()))
        await talk.send(h11.Request(method=self.request.method, target=target, headers=headers))
        while isinstance(event := await self._from_client(), h11.Data):
            self.sent += len(event.data)
            await talk.send(h11.Data(event.data))
        await talk.send(h11.EndOfMessage())
        await self._head(talk)

    async def _from_client(self) -> h11.Event:
        if self.client.state.their_state is not h11.SEND_BODY:
            return h11.EndOfMessage()  # it was read before, for the first try
        return await self.client.receive()

    async def _head(self, talk: Talk) -> None:
        """Wait for the answer to begin."""
        with anyio.fail_after(ANSWER_SECONDS):
            event = await talk.receive()
            while isinstance(event, h11.InformationalResponse):
                event = await talk.receive()
        if not isinstance(event, h11.Response):
            raise anyio.BrokenResourceError
        self._response = event

    async def _pass_answer(self, talk: Talk) -> None:
        self.status = self._response.status_code
        headers = passed_on(self._response.headers)
        await self.client.send(h11.Response(status_code=self.status, reason=self._response.reason, headers=headers))
        while isinstance(event := await talk.receive(), h11.Data):
            self.received += len(event.data)
            await self.client.send(h11.Data(event.data))
        if not isinstance(event, h11.EndOfMessage):
            raise anyio.BrokenResourceError
        await self.client.send(h11.EndOfMessage())


async def answer(client: Talk, status: int, text: str) -> None:
    """Answer in the proxy's own name; the connection ends with it. Tools that show only a status line show the text."""
    line = text.encode("ascii", "replace")
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % (len(line) + 1)),
        (b"connection", b"close"),
    ]
    await client.send(h11.Response(status_code=status, reason=line, headers=headers))
    await client.send(h11.Data(line + b"\n"))
    await client.send(h11.EndOfMessage())
