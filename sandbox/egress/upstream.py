"""The way to a host outside: its name is resolved once, its addresses are judged, and one of those is connected to."""

import ipaddress
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.abc
from anyio.abc import SocketAttribute

from sandbox.egress.hostproxy import HostProxy, through
from sandbox.egress.rules import Rules
from sandbox.egress.secured import secured

CONNECT_SECONDS = 20.0

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class Destination:
    """A host by its name, and a port of it."""

    host: str
    port: int
    is_secret: bool

    @property
    def authority(self) -> str:
        """As a `Host` header has it."""
        return self.host if self.port == (443 if self.is_secret else 80) else f"{self.host}:{self.port}"


class Unreachable(Exception):
    """No connection came about; the text is the clause that says why."""


class NotPublic(Unreachable):
    """The name leads to addresses that no rule lets us connect to."""


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as this machine's resolver has them. Raises OSError."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


async def reach(
    to: Destination, rules: Rules, proxy: HostProxy | None, resolve: Resolve = resolved
) -> anyio.abc.ByteStream:
    """A connection, verified by the certificates this machine trusts where it is secret.

    `proxy` is the one this machine itself has to go through; then it resolves the name. Raises Unreachable, NotPublic.
    """
    try:
        with anyio.fail_after(CONNECT_SECONDS):
            stream = await (
                _direct(to, rules, resolve) if proxy is None else through(proxy, to.host, to.port, to.is_secret)
            )
            return await secured(stream, to.host) if to.is_secret else stream
    except TimeoutError as error:
        raise Unreachable(f"no answer within {CONNECT_SECONDS:.0f} s") from error
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"its certificate is not to be trusted ({error.verify_message})") from error
    except ssl.SSLError as error:
        raise Unreachable(f"it does not speak TLS as it should ({error.reason})") from error
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise Unreachable(str(getattr(error, "strerror", "") or "the connection broke off")) from error


async def _direct(to: Destination, rules: Rules, resolve: Resolve) -> anyio.abc.ByteStream:
    try:
        addresses = await resolve(to.host, to.port)
    except socket.gaierror as error:
        raise Unreachable("its name is not known") from error
    allowed = [one for one in addresses if rules.reaches(ipaddress.ip_address(one))]
    if not allowed:
        raise NotPublic(f"its name leads to {', '.join(addresses) or 'nowhere'}")
    failure: OSError | None = None
    for address in allowed:
        try:
            stream = await anyio.connect_tcp(address, to.port)
        except OSError as error:
            failure = error
            continue
        if _is_own(stream) and not rules.lists(ipaddress.ip_address(address)):
            await anyio.aclose_forcefully(stream)
            raise NotPublic(f"its name leads to {address}, which is this machine itself")
        return stream
    assert failure is not None
    raise Unreachable(_reason(failure)) from failure


def _is_own(stream: anyio.abc.SocketStream) -> bool:
    """Whether a connection ends where it begins: what listens on this machine is not for the world, whoever can."""
    connected = stream.extra_attributes
    here, there = connected[SocketAttribute.local_address](), connected[SocketAttribute.remote_address]()
    return bool(here[0] == there[0])


def _reason(error: OSError) -> str:
    """The system's own word, and not the library's about the attempt."""
    number = error.errno or getattr(error.__cause__, "errno", None)
    return os.strerror(number) if number else "no connection came about"
