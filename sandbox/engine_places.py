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

NEXT = "`paddock doctor --fix` installs and starts one; nothing was run on the host instead"
MACHINES = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class EnginePlace:
    """An address to try (`unix://…`, `tcp://…`), and `why`, as a person would name it. `is_secret`: it speaks TLS."""

    address: str
    why: str
    is_secret: bool = False

    @property
    def socket(self) -> Path | None:
        """The socket's path, if it is one on this machine."""
        return Path(self.address.removeprefix("unix://")) if self.address.startswith("unix://") else None

    @property
    def refusal(self) -> str:
        """Why it is not spoken to, however alive: the library's sockets for SSH and TLS cannot be handed on to us."""
        if self.is_secret or not self.address.startswith(("unix://", "tcp://", "http://")):
            return (
                "only unix:// and tcp:// without TLS are spoken; for an engine far away run "
                "`ssh -NL /tmp/engine.sock:/var/run/docker.sock HOST` and set DOCKER_HOST=unix:///tmp/engine.sock"
            )
        return ""

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
    if host := variables.get("DOCKER_HOST"):
        return [EnginePlace(host, "DOCKER_HOST", bool(variables.get("DOCKER_TLS_VERIFY")))]
    settings = Path(variables.get("DOCKER_CONFIG") or home / ".docker")
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
    """A context lies in folders that are called by the hash of its name."""
    key = hashlib.sha256(name.encode()).hexdigest()
    try:
        host = json.loads((folder / "meta" / key / "meta.json").read_bytes())["Endpoints"]["docker"]["Host"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineUnavailable(
            f"the docker context {name!r} cannot be read: `docker context ls` shows them"
        ) from error
    return EnginePlace(str(host), f"the docker context {name}", (folder / "tls" / key).is_dir())


def none_answers(tried: Sequence[tuple[EnginePlace, str]]) -> str:
    """The sentence for engines that were looked for in vain, each with the reason."""
    told = ", ".join(f"{place.address} ({place.why}: {reason})" for place, reason in tried)
    return f"no engine answers; tried {told}. {NEXT}"
