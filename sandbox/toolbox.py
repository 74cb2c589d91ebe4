"""The toolbox: a read-only volume with the guest and all it needs, mounted into whatever image a session runs on.

It holds a Python with its libraries and its loader, ripgrep and a static busybox, built once for an engine and named by
its content. Nothing in it asks the image for anything: no Python, no C library, no shell has to be there.
"""

import functools
import importlib.resources
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from images import build as builder
from images import definition
from images.definition import Definition
from images.image import OnProgress, Progress
from sandbox import shared
from sandbox.egress.inside import DOOR
from sandbox.engine import Engine
from sandbox.profile import CAPABILITIES, Profile, User
from sandbox.programs import PYTHON
from sandbox.shared import Filling

GUEST = "sandbox.guest"
PLACE = "/opt/paddock"
"""Where it is mounted. Its programs name their loader by this path, so it is the same everywhere."""
BOX = f"{PLACE}/box"
BUSYBOX = f"{BOX}/bin/busybox"
PROGRAMS = f"{BOX}/tools"
"""A folder for the end of a tool's PATH: ripgrep, and a shell for an image without one."""

COPY = f"""
import os, shutil, sys
new = "/target/.box-" + os.urandom(4).hex()
if not os.path.exists("/target/box"):
    shutil.copytree("{BOX}", new, symlinks=True)
    os.sync()
    try:
        os.rename(new, "/target/box")
    except OSError:
        shutil.rmtree(new)
"""
LAST = "/opt/paddock-last"
"""Where it is mounted once more, so deep that engines, which mount what is deeper later, lay nothing on top of it."""
CHECK = rf"""
refuse() {{ echo "the image lays a folder of its own over '$1'" >&2; exit 1; }}
cd -P {PLACE} || refuse {PLACE}
case $PWD in *[!a-zA-Z0-9/._-]*) refuse {PLACE};; esac
while read -r _ _ _ _ over _; do
    case $over in "$PWD"/*) refuse "$over";; esac
done < /proc/self/mountinfo
for part in "" /box; do [ "$1$part" -ef "{PLACE}$part" ] || refuse {PLACE}; done
cd /
shift
exec "$@"
"""
"""Refuses to go on where the checkout, led there by a link of the image's, lies on what is to run as root."""
START = "import json, sys; from sandbox.guest.main import main; main(json.loads(sys.argv[1]))"


@functools.cache
def toolbox() -> Definition:
    """What the toolbox is built from: packages, and the guest as it is in this version of ours."""
    folder = importlib.resources.files(GUEST)
    files = {f"sandbox/guest/{one.name}": one.read_text("utf-8") for one in folder.iterdir() if one.name[-3:] == ".py"}
    return definition.read(definition.PARTS / "toolbox.toml", {"sandbox/__init__.py": "", **files})


def volume_name() -> str:
    """The name of this version's volume, on every engine."""
    return f"paddock-toolbox-{toolbox().digest[:12]}"


def is_there(engine: Engine) -> bool:
    """Whether the engine has it already. Raises EngineUnavailable."""
    return is_among(engine.shared_volumes())


def is_among(volumes: Collection[str]) -> bool:
    """Whether an engine has it that has these shared volumes."""
    return shared.is_whole(volume_name(), volumes)


def ensure(engine: Engine, on_progress: OnProgress, cache: Path | None = None) -> None:
    """Have the toolbox on the engine: found, or built and filled. `cache` as in `images.build`.

    Raises: BuildFailed, ImageError, SandboxError, EngineUnavailable.
    """
    if is_there(engine):
        return
    image = image_on(engine, on_progress, cache)
    on_progress(Progress("filling the toolbox volume"))
    shared.fill(engine, volume_name(), "toolbox", Filling(image, (PYTHON, "-I", "-S", "-c", COPY)))


def image_on(engine: Engine, on_progress: OnProgress, cache: Path | None = None) -> str:
    """The toolbox as an image, built if the engine does not hold it: what helper containers of ours run on."""
    return builder.ensured(toolbox(), engine.images, on_progress, cache)


def mount(place: str = PLACE) -> Mapping[str, Any]:
    """The engine's request for it."""
    return shared.mount(volume_name(), place)


def beyond(mounts: Sequence[Mapping[str, Any]]) -> str:
    """A place for it that is deeper than those of all these mounts."""
    return LAST + "/0" * max(str(one["Target"]).count("/") for one in mounts)


def entrypoint(
    user: User, profile: Profile, files: Mapping[str, str], owner: User, last: str, own: Sequence[str] = ()
) -> list[str]:
    """The container's command: the guest. `files` are written before anything else; `own` are made the owner's.

    `user` is whom tools run as, `owner` whose the workspace is where it has to be filled. `last` is where the toolbox
    is mounted on top of everything.

    It is started by a static program that takes away what the image says about the environment: `LD_PRELOAD` and the
    like would put the image's own code into the guest. So would a locale, whose files name libraries to load.
    """
    first = last + BUSYBOX.removeprefix(PLACE)
    rights = [CAPABILITIES[name] for name in profile.capabilities]
    settings = {
        "uid": user.uid,
        "gid": user.gid,
        "capabilities": rights,
        "files": dict(files),
        "own": list(own),
        "owner": [owner.uid, owner.gid],
        "door": DOOR if profile.has_proxy else 0,
    }
    checked = [first, "env", "-i", "LC_ALL=C", first, "sh", "-c", CHECK, "sh", last]
    return [*checked, PYTHON, "-I", "-S", "-c", START, json.dumps(settings)]
