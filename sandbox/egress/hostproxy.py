"""The proxy this machine itself has to go through, mostly a company's: HTTPS_PROXY, HTTP_PROXY and NO_PROXY say so."""

import base64
import urllib.parse
import urllib.request
from dataclasses import dataclass

import anyio
import anyio.abc
import h11

from sandbox.egress.secured import or_closed, secured
from sandbox.egress.talk import Talk


@dataclass(frozen=True)
class HostProxy:
    """Where it is; `word` is its user's name and password, as a header has them, or empty."""

    host: str
    port: int
    is_secret: bool
    word: bytes = b""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What it wants to hear with each request."""
        return [(b"proxy-authorization", self.word)] if self.word else []


def host_proxy(host: str, *, is_secret: bool) -> HostProxy | None:
    """The proxy for a host, None for none. Raises ValueError if what is set is no proxy of HTTP."""
    if urllib.request.proxy_bypass(host):
        return None
    given = urllib.request.getproxies().get("https" if is_secret else "http", "")
    return parsed(given) if given else None


def parsed(text: str) -> HostProxy:
    """What such a variable holds: `http://user:password@proxy.example:3128`, the scheme may be missing."""
    url = urllib.parse.urlsplit(text if "://" in text else f"http://{text}")
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("the proxy of this machine (HTTPS_PROXY, HTTP_PROXY) is none of HTTP")
    is_secret = url.scheme == "https"
    word = b""
    if url.username is not None:
        pair = f"{urllib.parse.unquote(url.username)}:{urllib.parse.unquote(url.password or '')}"
        word = b"Basic " + base64.b64encode(pair.encode())
    return HostProxy(url.hostname, url.port or (443 if is_secret else 80), is_secret, word)


async def through(proxy: HostProxy, host: str, port: int, is_tunnel: bool) -> anyio.abc.ByteStream:
    """A connection to a host through the proxy; without a tunnel, one that the proxy itself reads requests on.

    Raises OSError, also if it refuses; anyio.BrokenResourceError.
    """
    stream: anyio.abc.ByteStream = await anyio.connect_tcp(proxy.host, proxy.port)
    if proxy.is_secret:
        stream = await secured(stream, proxy.host)
    if is_tunnel:
        async with or_closed(stream):
            await _ask_through(proxy, Talk(h11.CLIENT, stream), f"{host}:{port}".encode())
    return stream


async def _ask_through(proxy: HostProxy, talk: Talk, target: bytes) -> None:
    await talk.send(h11.Request(method=b"CONNECT", target=target, headers=[(b"host", target), *proxy.headers]))
    await talk.send(h11.EndOfMessage())
    try:
        answer = await talk.receive()
    except h11.RemoteProtocolError as error:
        raise OSError(0, "this machine's own proxy does not speak HTTP") from error
    if not isinstance(answer, h11.Response) or not 200 <= answer.status_code < 300:
        said = getattr(answer, "status_code", "nothing")
        raise OSError(0, f"this machine's own proxy refuses it ({said})")
