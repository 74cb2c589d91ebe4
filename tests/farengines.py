"""Ways to an engine far away, as real as one machine allows: an sshd of the tests' own, certificates of openssl."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.labels import Owned
from sandbox.opening import opened
from sandbox.sessions import Session

SECONDS = 30.0
SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
{more}
"""
CLIENT = """
Host far-{port}
    HostName 127.0.0.1
    Port {port}
    IdentityFile {folder}/user
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    GlobalKnownHostsFile none
"""


@dataclass(frozen=True)
class Sshd:
    """An sshd on the loopback. Its `address` is a name that only the configuration in `folder` knows."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        return f"ssh://far-{self.port}"

    @property
    def path(self) -> str:
        """A PATH on which `ssh` reads that configuration, as it would the user's own."""
        return f"{self.folder}/bin:{os.environ['PATH']}"

    def know(self, key: str) -> None:
        """Have the client know the host by this key from now on; empty: not at all."""
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {key}\n" if key else "")


@contextlib.contextmanager
def sshd(more: str = "") -> Iterator[Sshd]:
    """One that lets us in by a key, with `more` lines of its configuration."""
    with tempfile.TemporaryDirectory(prefix="paddock-sshd-") as name:
        folder = Path(name)
        one = Sshd(folder, free_port())
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        (folder / "sshd").write_text(SSHD.format(folder=folder, port=one.port, more=more))
        (folder / "config").write_text(CLIENT.format(folder=folder, port=one.port))
        (folder / "bin").mkdir()
        (folder / "bin" / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {folder}/config "$@"\n')
        (folder / "bin" / "ssh").chmod(0o755)
        one.know((folder / "host.pub").read_text())
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it parts with its rights, which its package's service makes
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd"], stderr=log)
        try:
            wait_for_port(one.port)
            yield one
        finally:
            process.terminate()
            process.wait(SECONDS)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Return when somebody listens there."""
    deadline = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass(frozen=True)
class Authority:
    """One that certifies, in a folder; each of `issue`'s folders is what DOCKER_CERT_PATH names."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "Authority":
        folder.mkdir()
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", "/CN=an authority", "-keyout", folder / "key.pem", "-out", folder / "ca.pem"),
        )
        return cls(folder)

    def issue(self, name: str, *, address: str = "", days: int = 2) -> Path:
        """A folder with a certificate, its key and our own: an engine's, for an IP address, or else a client's.

        One of no days has expired when it is made.
        """
        (made := self.folder / name).mkdir()
        (made / "ca.pem").write_bytes((self.folder / "ca.pem").read_bytes())
        request, extensions = made / "request", made / "extensions"
        use = f"subjectAltName=IP:{address}\nextendedKeyUsage=serverAuth" if address else "extendedKeyUsage=clientAuth"
        extensions.write_text(use)
        _openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", made / "key.pem", "-out", request),
        )
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.folder / "ca.pem", "-CAkey", self.folder / "key.pem"),
            *("-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", made / "cert.pem"),
        )
        return made


def named(folder: Path) -> Mapping[str, str]:
    """The variables with which Docker's users name certificates."""
    return {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(folder)}


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


async def is_like_any_other(address: str, session: Session, engine: Engine) -> None:
    """A session on the engine at an address, which is `engine`: much goes there and back, and nothing stays behind."""
    remote = Engine.connect({"DOCKER_HOST": address})
    assert remote.kind == engine.kind
    async with opened(session, remote) as sandbox:
        data = b"x" * 3_000_000
        done = await sandbox.run(Command(["bash", "-c", "cat; echo made > new.txt"], sandbox.root, stdin=data))
        assert len(done.stdout.all) + done.stdout.omitted == len(data)
        assert [one.path for one in (await sandbox.freeze()).changes] == [b"new.txt"]
    assert left(session, engine) == []


def left(session: Session, engine: Engine) -> list[Owned]:
    """What an engine still has of a session."""
    return [one for one in (*engine.containers(), *engine.volumes()) if one.owner.session == session.id]
