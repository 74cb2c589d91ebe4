"""Podman where it differs from Docker: what it takes no word of in Docker's own JSON is asked of it another way.

Its service for Docker's clients (tried: 4.3) wants a system call filter as a file, knows few options of a folder in
memory, and forgets all that is said of a volume: so that one is made before, and removed after, its container.
"""

import contextlib
import os
import re
import resource
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.errors import SandboxError
from sandbox.escape import escape

FILTER = "seccomp="
SPOKEN = re.compile(r"rw|nosuid|nodev|exec|noexec|size=\d+|mode=\d+")
"""Its own words for a folder in memory, of those that we use."""

ENDS_A_TARGET, ENDS_A_FOLDER = re.compile(r'[,"\r\n]'), ":"
"""What its service takes for the end of where a volume, or a folder in memory, is to be: options would follow."""

OWNED = 'X-owner=",uid=0,"'
"""Among the options of a mount: whose it is, it stays.

Podman gives a volume to root at its first use, which fails where it can only be read and takes it from a user who is
not root; one that was made with an owner it leaves alone. `mount` reads a comment in quotes, the kernel nothing.
"""


@dataclass(frozen=True)
class Volume:
    """A volume that a container wants for itself."""

    name: str
    labels: Mapping[str, str]
    options: Mapping[str, str]


def with_volumes(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[Volume]]:
    """The request with a name for each volume that is made for it, and these.

    Their names look like those an engine gives, so that they are known as what goes with its container. Raises
    SandboxError for a path that would be read as more than a path.
    """
    _refuse_options(config["HostConfig"])
    found: list[Volume] = []

    def named(mount: Mapping[str, Any]) -> Mapping[str, Any]:
        if "Source" in mount:
            return mount
        asked = mount["VolumeOptions"]
        volume = Volume(os.urandom(32).hex(), asked["Labels"], _as_it_is(asked))
        found.append(volume)
        return {"Type": "volume", "Source": volume.name, "Target": mount["Target"]}

    mounts = [named(mount) for mount in config["HostConfig"].get("Mounts", ())]
    return {**config, "HostConfig": {**config["HostConfig"], "Mounts": mounts}}, found


@contextlib.contextmanager
def spelled(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The request in Podman's own words; the file with the filter is there as long as the block runs."""
    host = config["HostConfig"]
    security = [one for one in host.get("SecurityOpt", ()) if not one.startswith(FILTER)]
    filters = [one.removeprefix(FILTER) for one in host.get("SecurityOpt", ()) if one.startswith(FILTER)]
    with contextlib.ExitStack() as files:
        for text in filters:
            file = files.enter_context(tempfile.NamedTemporaryFile("w", prefix="paddock-filter-", suffix=".json"))
            os.fchmod(file.fileno(), 0o644)  # the service may be another user's
            file.write(text)
            file.flush()
            security.append(FILTER + file.name)
        folders = {place: _in_memory(options) for place, options in host.get("Tmpfs", {}).items()}
        limits = [*host.get("Ulimits", ()), *_kept(host.get("Ulimits", ()))]
        yield {**config, "HostConfig": {**host, "SecurityOpt": security, "Tmpfs": folders, "Ulimits": limits}}


def comparable(asked: Mapping[str, Any], got: Mapping[str, Any]) -> Mapping[str, Any]:
    """What it says of a container, in the words in which it was asked.

    Rights are said by how they differ from its default: no more may come to it than asked, and something must go. A
    filter is said by its file, which is gone: a service that could not read it would have made nothing.
    """
    added = {one.removeprefix("CAP_") for one in got.get("CapAdd") or ()}
    is_fewer = added <= set(asked.get("CapAdd", ())) and bool(got.get("CapDrop"))
    rights = {name: asked[name] for name in ("CapAdd", "CapDrop") if name in asked} if is_fewer else {}
    said = [one for one in asked.get("SecurityOpt", ()) if one.startswith(FILTER)]
    options = [*(one for one in got.get("SecurityOpt") or () if not one.startswith(FILTER))]
    has_filter = len(options) < len(got.get("SecurityOpt") or ())
    return {**got, **rights, "SecurityOpt": [*options, *(said if has_filter else ())]}


def _refuse_options(host: Mapping[str, Any]) -> None:
    """A checkout's path is a stranger's word where it came with an archive, and an image's folders always are."""
    for target in (one["Target"] for one in host.get("Mounts", ())):
        if ENDS_A_TARGET.search(target):
            raise SandboxError(
                f"Podman would read options in {escape(target)}: a path without commas and quotes works, or Docker"
            )
    for place in host.get("Tmpfs", {}):
        if ENDS_A_FOLDER in place:
            raise SandboxError(
                f"the image wants a folder at {escape(place)}, in which Podman would read options: use another image"
            )


def _as_it_is(asked: Mapping[str, Any]) -> Mapping[str, str]:
    """What a volume is made with; it is not filled with what the image has in its place."""
    options = dict(asked.get("DriverConfig", {}).get("Options", {}))
    if "o" in options:
        options["o"] += f",{OWNED}"
    return {**options, "nocopy": ""}


def _kept(asked: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Two that Podman raises where nobody asks, and fails where root may not, as in a container: they stay ours."""
    for name, number in (("nproc", resource.RLIMIT_NPROC), ("nofile", resource.RLIMIT_NOFILE)):
        most = resource.getrlimit(number)[1]
        if most != resource.RLIM_INFINITY and name not in [one["Name"] for one in asked]:
            yield {"Name": name, "Soft": most, "Hard": most}


def _in_memory(options: str) -> str:
    """The options it knows. Not how many files it holds, which is memory too; nor whose it is, so it is anyone's."""
    words = options.split(",")
    is_somebodys = any(word.startswith("uid=") and word != "uid=0" for word in words)
    kept = [word for word in words if SPOKEN.fullmatch(word) and not (is_somebodys and word.startswith("mode="))]
    return ",".join([*kept, *(["mode=1777"] if is_somebodys else []), "notmpcopyup"])
