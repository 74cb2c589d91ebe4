"""The border to Docker's own library: what it and its transport raise becomes ours."""

import contextlib
import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import docker.tls
import requests
import requests.adapters
import requests.exceptions
from urllib3.connection import HTTPConnection

from sandbox.certificates import Certificates
from sandbox.engine_places import EnginePlace
from sandbox.errors import EngineUnavailable, SandboxError, SandboxLost, Unmountable
from sandbox.ssh_tunnel import tunnel

CANNOT_MOUNT = ("failed to mount local volume", "error while mounting volume", "mounting volume")
"""What engines say when a container's volume cannot be mounted: Docker's, and Podman's."""
NO_LAYER = "the file system of the state folder takes no layer of an overlay"
"""What the kernel means by an invalid argument then: it is NFS, or an overlay itself."""

CONNECT_SECONDS = 10
SILENCE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000),  # milliseconds, also while a word of ours is on its way
)
BROKEN_OFF = ("Connection aborted", "EOF occurred", "reset by peer", "Broken pipe")
_UNTRUSTED = "it takes no client without a certificate that it trusts"


@contextlib.contextmanager
def engine_calls(place: EnginePlace) -> Iterator[None]:
    """While the block runs, what it raises becomes ours; the way to the engine is made again if it broke."""
    try:
        if place.is_behind_ssh:
            tunnel(place.address).open()
        yield
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout, ConnectionError) as error:
        raise EngineUnavailable(f"no engine at {place.address}: {_reason(error, place)}{place.next}") from error
    except docker.errors.NotFound as error:
        raise SandboxLost(f"the engine no longer has it: {error.explanation}") from error
    except docker.errors.APIError as error:
        raise _translated(error) from error


def is_conflict(error: docker.errors.APIError) -> bool:
    """Whether something is in the way: a name that is taken, a removal under way, a container that uses a volume."""
    has_said = error.response is not None and error.response.status_code == requests.codes.conflict
    return has_said or "is already in use" in str(error.explanation)  # Podman's word for a name


def _translated(error: docker.errors.APIError) -> SandboxError:
    reason = str(error.explanation or error).strip()
    if "no space left" in reason:
        return SandboxError(f"the engine's disk is full: {reason}")
    if any(words in reason for words in CANNOT_MOUNT):
        text = f"the engine cannot mount the workspace: {reason}"
        return Unmountable(text, NO_LAYER) if "invalid argument" in reason else Unmountable(text)
    if "not running" in reason:  # it ended between being found and being asked
        return SandboxLost(f"the sandbox has ended: {reason}")
    return SandboxError(f"the engine refused: {reason}")


def connected(place: EnginePlace, seconds: int) -> docker.APIClient:
    """A connection that has been answered, with time for each call. Raises EngineUnavailable with the reason alone."""
    if reason := place.refusal or place.absence:
        raise EngineUnavailable(reason)
    try:
        client = docker.APIClient(base_url=_local(place), version="auto", timeout=seconds, tls=_tls(place))
    except (docker.errors.DockerException, ConnectionError, ValueError) as error:
        raise EngineUnavailable(_reason(error, place)) from error
    for scheme in set(client.adapters) & {"http://", "https://"}:  # none of them for a socket
        client.adapters[scheme].close()
        client.mount(scheme, _Watched())
    return client


class _Watched(requests.adapters.HTTPAdapter):
    """Connections that the kernel ends when the other machine has been silent for a minute, idle ones too.

    One that is not taken at once is given up long before an answer would be.
    """

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:  # type: ignore[override] # noqa: ANN401
        more["timeout"] = (CONNECT_SECONDS, more.get("timeout"))
        return super().send(request, **more)

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - the library's
        options = [*HTTPConnection.default_socket_options, *SILENCE]
        super().init_poolmanager(*arguments, socket_options=options, **more)


def _local(place: EnginePlace) -> str:
    """The address that the library is given. Raises ConnectionError; ValueError for one that makes no sense."""
    if place.is_encrypted:
        return f"https://{place.address.partition('://')[2]}"
    if not place.is_behind_ssh:
        return place.address
    way = tunnel(place.address)
    way.open()
    return f"unix://{way.socket}"


class _Verified(docker.tls.TLSConfig):
    """TLS with an engine whose certificate has to be that of its name, and come from its authority."""

    def configure_client(self, client: docker.APIClient) -> None:
        super().configure_client(client)
        client.trust_env = False  # or REQUESTS_CA_BUNDLE would take the authority's place


def _tls(place: EnginePlace) -> docker.tls.TLSConfig | bool:
    """Raises ValueError if a file for it is missing or of no use."""
    if not place.is_encrypted or place.certificates is None:
        return False
    found = Certificates.of(place.certificates, needs_authority=place.needs_authority)
    return _Verified(client_cert=found.own, ca_cert=found.authority, verify=True)


def _reason(error: Exception, place: EnginePlace) -> str:
    """Why an engine cannot be reached."""
    said = str(error)
    if isinstance(error, ConnectionError | ValueError):  # our own words, or ssh's
        return said
    if found := re.search(r"\[SSL: (\w+)\] (.+?) \(_ssl", said):
        if found[1] == "WRONG_VERSION_NUMBER":
            return "what answers there speaks no TLS"
        is_about_us = " alert " in found[2] and ("certificate" in found[2] or "unknown ca" in found[2])
        return f"{_UNTRUSTED if is_about_us else 'TLS'}: {found[2]} ({place.certificates})"
    if place.is_encrypted and any(words in said for words in BROKEN_OFF):  # before its alert could be read
        return f"{_UNTRUSTED}, or broke off ({place.certificates})"
    if "port is required" in said:
        return "an address over TCP is tcp://host:port"
    if "HTTPS server" in said:
        return "it speaks TLS only: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH"
    if "Permission denied" in said:
        return "permission denied"
    return tunnel(place.address).silence if place.is_behind_ssh else "nothing answers"


def our_own(raw: socket.socket | socket.SocketIO) -> socket.socket:
    """The socket of a stream that the library has attached, without the library; it may be one that speaks TLS."""
    if isinstance(raw, ssl.SSLSocket):
        return raw
    ours = socket.socket(fileno=os.dup(raw.fileno()))
    inner = getattr(raw, "_sock", raw)  # closing a SocketIO leaves the socket below it open
    raw.close()
    inner.close()
    return ours
