"""What programs inside are told of the way out: where the proxy is, and whom to trust, in the words of each."""

from collections.abc import Mapping
from typing import Final

DOOR: Final = 3128
"""The port of the sandbox's own loopback address that leads to the proxy."""
CERTIFICATE: Final = "/run/paddock-ca.pem"
APT: Final = "/run/paddock-apt.conf"
SOURCES: Final = "/run/paddock-sources.list"

_TRUSTS = (
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "CURL_CA_BUNDLE",
    "DENO_CERT",
    "GIT_SSL_CAINFO",
    "NIX_SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
_WAYS = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_NEAR = ("no_proxy", "NO_PROXY")


def variables() -> Mapping[str, str]:
    """What every process gets. A program that takes no notice of it has no network."""
    return {
        **dict.fromkeys(_WAYS, f"http://127.0.0.1:{DOOR}"),
        **dict.fromkeys(_NEAR, "localhost,127.0.0.1,::1"),
        **dict.fromkeys(_TRUSTS, CERTIFICATE),
        "APT_CONFIG": APT,
        "NODE_USE_ENV_PROXY": "1",
    }


def files(certificate: str, sources: str) -> Mapping[str, str]:
    """What the guest writes before any tool runs, by path: the authority's `certificate`, and what apt is to know.

    `sources` is the list of its mirrors, empty if the image has one.
    """
    settings = f'Acquire::https::CAInfo "{CERTIFICATE}";\n'
    if not sources:
        return {CERTIFICATE: certificate, APT: settings}
    return {CERTIFICATE: certificate, APT: f'{settings}Dir::Etc::sourcelist "{SOURCES}";\n', SOURCES: sources}
