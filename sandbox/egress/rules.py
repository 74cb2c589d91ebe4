"""The rules of what may leave: a request is judged by host, port and method, and whatever no rule names is refused."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sandbox.choice import Network
from sandbox.egress.hosts import Pattern, pattern

READS = frozenset({"GET", "HEAD"})
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Why = Literal["unlisted", "unwanted", "denied", "method", "address", "name", "protocol", "full"]

_NEVER = tuple(
    map(
        ipaddress.ip_network,
        """169.254.0.0/16 100.100.100.200/32 168.63.129.16/32 192.0.0.0/24
        fe80::/10 fd00:ec2::/32 fd20:ce::254/128 fd00:42::42/128""".split(),  # noqa: SIM905 - read as a text
    )
)
"""Where clouds keep what their machines may know of themselves, some at what looks public: no list opens these."""

_PUBLIC = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out (RFC 4291, IANA)."""


@dataclass(frozen=True)
class Rules:
    """Which hosts may be asked (`read`: with GET and HEAD), which may be told anything (`write`), which neither.

    `addresses` are networks that are no public ones, and may be connected to all the same.
    """

    read: Sequence[Pattern] = ()
    write: Sequence[Pattern] = ()
    denied: Sequence[Pattern] = ()
    addresses: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()

    @classmethod
    def of(cls, network: Network) -> "Rules":
        """What was chosen. Raises ValueError for a pattern that means nothing."""
        read, write, denied = (
            tuple(map(pattern, patterns)) for patterns in (network.allowed, network.writable, network.denied)
        )
        return cls(read, write, denied, tuple(map(ipaddress.ip_network, network.addresses)))

    def refusal(self, host: str, port: int, method: str | None = None) -> Why | None:
        """Why a host in its one form may not be asked, None if it may. Without a method: whether anything may be."""
        if any(one.denies(host, port) for one in self.denied):
            return "denied"
        if _covered(self.write, host, port):
            return None
        if not _covered(self.read, host, port):
            return "unlisted"
        return None if method is None or method in READS else "method"

    def reaches(self, address: Address) -> bool:
        """Whether an address that a name resolved to may be connected to: a public one, or one of the list."""
        plain = _plain(address)
        if any(plain in network for network in _NEVER if network.version == plain.version):
            return False
        if self.lists(address):
            return True
        if plain.version == 6 and plain not in _PUBLIC:  # other forms that hold an address of IPv4 among them
            return False
        return plain.is_global and not plain.is_multicast

    def lists(self, address: Address) -> bool:
        """Whether an address is one of those networks."""
        plain = _plain(address)
        return any(plain in network for network in self.addresses if network.version == plain.version)


def _covered(patterns: Iterable[Pattern], host: str, port: int) -> bool:
    return any(one.covers(host, port) for one in patterns)


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as one of IPv6 is what it is (RFC 4291, 6052 and 3056)."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in ipaddress.ip_network("64:ff9b::/96"):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
