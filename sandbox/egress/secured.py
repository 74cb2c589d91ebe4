"""TLS to a host outside, verified by the certificates that this machine trusts, a company's own among them."""

import contextlib
import functools
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.tls import TLSStream


@asynccontextmanager
async def or_closed(stream: anyio.abc.ByteStream) -> AsyncIterator[anyio.abc.ByteStream]:
    """Close a connection if the block that makes something of it fails."""
    try:
        yield stream
    except BaseException:
        with contextlib.suppress(OSError, anyio.BrokenResourceError):
            await anyio.aclose_forcefully(stream)
        raise


async def secured(stream: anyio.abc.ByteStream, host: str) -> anyio.abc.ByteStream:
    """The same connection, secret. If that fails it is closed. Raises ssl.SSLError and what connections raise."""
    trusted = tuple(os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    async with or_closed(stream):
        context = await anyio.to_thread.run_sync(_context, trusted)
        return await TLSStream.wrap(stream, hostname=host, ssl_context=context, standard_compatible=False)


@functools.lru_cache(maxsize=4)
def _context(trusted: tuple[str, ...]) -> ssl.SSLContext:
    """Made once for what is trusted: reading some hundred certificates takes 50 ms."""
    del trusted  # the library reads the same variables
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
