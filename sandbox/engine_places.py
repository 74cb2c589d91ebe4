"""Where an engine may answer: the one that is named, and else the sockets that engines have, in a fixed order.

One that is named is the only one: if it does not answer, nothing runs on another that nobody meant.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import EngineUnavailable

INSTEAD = "; nothing was run on the host instead"
NEXT = f". `paddock doctor --fix` installs and starts one{INSTEAD}"
MACHINES = "unix:///var/run/docker.sock"
ENCRYPTED = ("DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH")
"""Any of them means TLS, and TLS means that the engine is verified; to Docker, the last two mean less."""


@dataclass(frozen=True)
class EnginePlace:
    """An address to try (`unix://…`, `ssh://…`, `tcp://…`), and `why`, as a person would name it.

    `certificates` is the folder of what it is known by, if it speaks TLS. `needs_authority`: one of these has to be the
    authority that vouches for it; else the public ones may.
    """

    address: str
    why: str
    certificates: Path | None = None
    needs_authority: bool = True

    @property
    def socket(self) -> Path | None:
        """The socket's path, if it is one on this machine."""
        return Path(self.address.removeprefix("unix://")) if self.address.startswith("unix://") else None

    @property
    def is_behind_ssh(self) -> bool:
        """Whether `ssh` has to bring its socket here."""
        return self.address.startswith("ssh://")

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken with it, which a socket has no need of."""
        return self.certificates is not None and not self.address.startswith(("unix://", "ssh://"))

    @property
    def refusal(self) -> str:
        """Why it is not spoken to, however alive; empty if it may be."""
        is_spoken = self.address.startswith(("unix://", "ssh://", "tcp://", "http://", "https://"))
        return "" if is_spoken else "only unix://, ssh:// and tcp:// are spoken"

    @property
    def next(self) -> str:
        """How an error ends if it does not answer: set-up helps on this machine only."""
        return NEXT if self.socket is not None else INSTEAD

    @property
    def absence(self) -> str:
        """Why nothing can be there, as far as a look tells; empty if something may."""
        try:
            if self.socket is not None:
                self.socket.stat()
        except PermissionError:
            return "permission denied"
        except OSError:
            return "not there"
        return ""


def places(variables: Mapping[str, str]) -> Sequence[EnginePlace]:
    """What to try, in this order; just one if the user named it, by DOCKER_HOST or a docker context.

    Raises EngineUnavailable if the context that was named is not there.
    """
    home = Path(variables.get("HOME") or "~").expanduser()
    settings = Path(variables.get("DOCKER_CONFIG") or home / ".docker")
    if host := variables.get("DOCKER_HOST"):
        is_encrypted = host.startswith("https://") or any(variables.get(name) for name in ENCRYPTED)
        certificates = Path(variables.get("DOCKER_CERT_PATH") or settings)
        return [EnginePlace(host, "DOCKER_HOST", certificates if is_encrypted else None)]
    context = variables.get("DOCKER_CONTEXT") or _current(settings / "config.json")
    if context not in ("", "default"):
        return [_of_context(context, settings / "contexts")]
    return _usual(home, Path(variables.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"))


def _usual(home: Path, runtime: Path) -> Sequence[EnginePlace]:
    sockets = [
        (runtime / "docker.sock", "rootless Docker"),
        (home / ".docker/run/docker.sock", "Docker Desktop"),
        (home / ".docker/desktop/docker.sock", "Docker Desktop"),
        (home / ".orbstack/run/docker.sock", "OrbStack"),
        (home / ".colima/default/docker.sock", "Colima"),
        (runtime / "podman/podman.sock", "rootless Podman"),
        (Path("/run/podman/podman.sock"), "Podman"),
    ]
    return [EnginePlace(MACHINES, "Docker"), *(EnginePlace(f"unix://{path}", why) for path, why in sockets)]


def _current(file: Path) -> str:
    """The context that `docker context use` chose; none if the file is not there, or not Docker's."""
    try:
        name = json.loads(file.read_bytes()).get("currentContext")
    except (OSError, ValueError, AttributeError):
        return ""
    return name if isinstance(name, str) else ""


def _of_context(name: str, folder: Path) -> EnginePlace:
    """A context lies in folders that are called by the hash of its name.

    One that says not to verify its engine (`skip-tls-verify`) is verified all the same.
    """
    key = hashlib.sha256(name.encode()).hexdigest()
    certificates = folder / "tls" / key / "docker"
    try:
        endpoint = json.loads((folder / "meta" / key / "meta.json").read_bytes())["Endpoints"]["docker"]
        host, is_encrypted = endpoint["Host"], certificates.is_dir() or endpoint.get("SkipTLSVerify") is True
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineUnavailable(
            f"the docker context {name!r} cannot be read: `docker context ls` shows them"
        ) from error
    is_encrypted |= str(host).startswith("https://")
    return EnginePlace(str(host), f"the docker context {name}", certificates if is_encrypted else None, False)


def none_answers(tried: Sequence[tuple[EnginePlace, str]]) -> str:
    """The sentence for engines that were looked for in vain, each with the reason."""
    told = ", ".join(f"{place.address} ({place.why}: {reason})" for place, reason in tried)
    return f"no engine answers; tried {told}{tried[-1][0].next}"
