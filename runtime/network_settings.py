"""What settings files say of the network, under `sandbox.network`: what our proxy lets out, in profiles that have it.

    {"sandbox": {"network": {"allowedDomains": ["registry.example", "*.mirror.example"], "deniedDomains": [],
                             "writableDomains": ["api.example"], "allowedAddresses": ["10.1.0.0/16"]}}}

`allowedDomains` and `deniedDomains` are Claude Code's own. What is allowed there may be read from here (GET, HEAD).
What is to be told more is in `writableDomains`, which is ours, and so is `allowedAddresses`.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import pydantic

from sandbox.egress.hosts import is_pattern, pattern

CLAUDES: Final = frozenset(
    """allowAllUnixSockets allowLocalBinding allowMachLookup allowUnixSockets httpProxyPort socksProxyPort
    strictAllowlist tlsTerminate""".split()  # noqa: SIM905 - read as a text
)
"""Keys that Claude Code gives a meaning; here they have none."""


def _host(text: str) -> str:
    return str(pattern(text))


def _network(text: str) -> str:
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"has to be an address or a network such as '10.1.0.0/16', not {text!r}") from None
    return str(found)


LIST: Final = pydantic.BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
"""A list of JSON as a tuple."""

_Hosts = Annotated[tuple[Annotated[str, pydantic.AfterValidator(_host)], ...], LIST]
_Networks = Annotated[tuple[Annotated[str, pydantic.AfterValidator(_network)], ...], LIST]


class NetworkSaid(pydantic.BaseModel):
    """One file's word, under the names that `sandbox.choice.Network` has; `managed_only`: no other file's counts."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    allowed: _Hosts = pydantic.Field((), alias="allowedDomains")
    writable: _Hosts = pydantic.Field((), alias="writableDomains")
    denied: _Hosts = pydantic.Field((), alias="deniedDomains")
    addresses: _Networks = pydantic.Field((), alias="allowedAddresses")
    managed_only: bool = pydantic.Field(False, alias="allowManagedDomainsOnly")


NAMES: Final[Sequence[str]] = [str(field.alias) for field in NetworkSaid.model_fields.values()]


def ours(said: object) -> tuple[object, Sequence[str], Sequence[str]]:
    """What of a file's `network` is ours to read; the keys of Claude Code's that are not; hosts that mean none here.

    A list of hosts that was written for another program stops nobody: what it names in vain is not allowed.
    """
    if not isinstance(said, Mapping):
        return said, (), ()
    theirs = sorted(CLAUDES & said.keys())
    kept: dict[str, Any] = {key: value for key, value in said.items() if key not in CLAUDES}
    hosts = kept.get("allowedDomains")
    if not isinstance(hosts, list):
        return kept, theirs, ()
    vain = [host for host in hosts if isinstance(host, str) and not is_pattern(host)]
    return {**kept, "allowedDomains": [host for host in hosts if host not in vain]}, theirs, vain
