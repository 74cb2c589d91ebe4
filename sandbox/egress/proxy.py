"""The proxy: what a sandbox asks of the world, read as HTTP, judged request by request, asked for it, and put down.

A connection that is to be secret (CONNECT) is ended here too: else all that is known of it is a host, and a GET could
not be told from a POST. The host that is named in CONNECT, in the TLS greeting, in `Host` and in the log is one and the
same, or nothing leaves. Everything that comes from inside is hostile; h11 reads it, with a largest head.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import anyio
import anyio.abc
import h11
from anyio.streams.tls import TLSStream

from sandbox.egress.authority import Authority
from sandbox.egress.exchange import BROKEN, Errand, Line, answer
from sandbox.egress.hosts import canonical
from sandbox.egress.judge import Judge
from sandbox.egress.record import Exchange, Record, kept_path
from sandbox.egress.rules import READS, Why
from sandbox.egress.talk import Talk, tells
from sandbox.egress.upstream import Destination, NotPublic, Resolve, resolved
from sandbox.sessions import now

HEAD_SECONDS = 60.0  # for a request's head, or until the next one

_AUTHORITY = re.compile(r"([^:]+):([1-9][0-9]{0,4})")
_URL = re.compile(r"http://([^/?#:\[]+|\[[^]]*\])(?::([1-9][0-9]{0,4}))?((?:[/?].*)?)")


class Misread(Exception):
    """What was asked for is nothing that this proxy does; `why` is how it is put down."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


@dataclass(frozen=True)
class Proxy:
    """`calls` tells which calls run; `on_refusal` is told each refusal."""

    judge: Judge
    authority: Authority
    record: Record
    calls: Callable[[], Collection[str]]
    on_refusal: Callable[[Exchange], None]
    resolve: Resolve = resolved

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        """One connection from inside, to its end. Raises OutOfSpace, StateError if the log cannot be written."""
        try:
            await self._requests(Talk(h11.SERVER, stream))
        except (*BROKEN, OSError):
            return  # its own business, and nobody's error

    async def _requests(self, client: Talk, tunnel: Destination | None = None) -> None:
        """Request by request: those in a tunnel go to its one destination."""
        line = Line(self.judge.rules, self.resolve)
        try:
            while (request := await _next(client)) is not None:
                if request.method == b"CONNECT" and tunnel is None:
                    await self._tunnel(client, request)
                    return
                if not await self._one(client, request, line, tunnel):
                    return
        finally:
            await line.close()

    async def _tunnel(self, client: Talk, request: h11.Request) -> None:
        """Let a secret connection begin, if anything may be asked of the host at all."""
        exchange = self._begun(request)
        try:
            to = _of_authority(request.target)
        except Misread as misread:
            await self._refuse(client, exchange, misread.why)
            return
        exchange = exchange.model_copy(update={"host": to.host, "port": to.port})
        if (why := await self._refusal(to)) is not None:
            await self._refuse(client, exchange, why)
            return
        await client.send(h11.Response(status_code=200, reason=b"Connected", headers=[]))
        try:
            if client.state.trailing_data[0]:
                raise anyio.BrokenResourceError  # it did not wait to be let through
            with anyio.fail_after(HEAD_SECONDS):
                inner = await TLSStream.wrap(
                    client.stream,
                    server_side=True,
                    ssl_context=self.authority.context(to.host),
                    standard_compatible=False,
                )
        except (*BROKEN, OSError):  # also of time, and of descriptors
            self._put_down(exchange.model_copy(update={"refused": "protocol"}))
            return
        await self._requests(Talk(h11.SERVER, inner), to)

    async def _one(self, client: Talk, request: h11.Request, line: Line, tunnel: Destination | None) -> bool:
        """Judge one request and carry it out; whether another may follow."""
        exchange = self._begun(request)
        try:
            to, target = _of_url(request.target) if tunnel is None else (tunnel, _in_tunnel(request, tunnel))
        except Misread as misread:
            return await self._refuse(client, exchange, misread.why)
        exchange = exchange.model_copy(update={"host": to.host, "port": to.port, "path": kept_path(target.decode())})
        if (why := await self._refusal(to, request)) is not None:
            return await self._refuse(client, exchange, why)
        errand = Errand(client, request, to, target)
        try:
            return await errand.carry_out(line)
        except NotPublic as error:
            exchange = exchange.model_copy(update={"refused": "address", "failed": str(error)})
            return await self._refuse(client, exchange, "address")
        finally:
            if exchange.refused is None:
                self._put_down(exchange.model_copy(update=errand.facts))

    async def _refusal(self, to: Destination, request: h11.Request | None = None) -> Why | None:
        if self.record.is_full:
            return "full"
        if request is None:
            return await self.judge.refusal(to.host, to.port)
        method = request.method.decode()
        if method in READS and tells(request):
            method = "POST"
        return await self.judge.refusal(to.host, to.port, method)

    async def _refuse(self, client: Talk, exchange: Exchange, why: Why) -> bool:
        refused = exchange.model_copy(update={"refused": why})
        self._put_down(refused)
        await answer(client, 403, refused.refusal)
        return False

    def _begun(self, request: h11.Request) -> Exchange:
        """As long as nothing of it is understood, its target stands for the host."""
        return Exchange(
            at=now(),
            host=request.target.decode("ascii", "replace")[:300],
            port=0,
            method=request.method.decode("ascii", "replace")[:40],
            during=tuple(sorted(self.calls())),
        )

    def _put_down(self, exchange: Exchange) -> None:
        if exchange.refused is None or not self.record.is_full:  # else refusals alone would fill the disk
            self.record.add(exchange)
        if exchange.refused is not None:
            self.on_refusal(exchange)


async def _next(client: Talk) -> h11.Request | None:
    """The next request; None when there is none, also if it does not come, or is none of HTTP."""
    with anyio.move_on_after(HEAD_SECONDS):
        try:
            event = await client.receive()
        except h11.RemoteProtocolError as error:
            if client.can_answer:
                await answer(client, error.error_status_hint, "network: this is no HTTP that goes out")
            return None
        return event if isinstance(event, h11.Request) else None
    return None


def _of_authority(target: bytes) -> Destination:
    """What CONNECT names. Raises Misread."""
    found = _AUTHORITY.fullmatch(target.decode("latin-1"))
    if found is None:
        raise Misread("name")
    return Destination(_host(found[1]), _port(found[2]), is_secret=True)


def _of_url(target: bytes) -> tuple[Destination, bytes]:
    """What a request without a tunnel names, and what it asks there. Raises Misread."""
    found = _URL.fullmatch(target.decode("latin-1"))
    if found is None:
        raise Misread("protocol")
    path = found[3] if found[3].startswith("/") else f"/{found[3]}"
    return Destination(_host(found[1]), _port(found[2] or "80"), is_secret=False), path.encode("latin-1")


def _in_tunnel(request: h11.Request, tunnel: Destination) -> bytes:
    """What a request in a tunnel asks; it has to be for the host that the tunnel leads to. Raises Misread."""
    names = [value.decode("latin-1") for name, value in request.headers if name == b"host"]
    host, colon, port = names[0].partition(":") if len(names) == 1 else ("", "", "")
    if _host(host) != tunnel.host or (colon and port != str(tunnel.port)) or not request.target.startswith(b"/"):
        raise Misread("protocol")
    return request.target


def _host(text: str) -> str:
    try:
        return canonical(text)
    except ValueError:
        raise Misread("name") from None


def _port(text: str) -> int:
    if int(text) > 65535:
        raise Misread("name")
    return int(text)
