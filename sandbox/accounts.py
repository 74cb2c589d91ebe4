"""The image's `/etc` with the invoking user in it, as a read-only volume: `whoami`, `~` and `git commit` work.

A whole folder, because a volume can only be that, and single files of the host can only be mounted where the engine
sees the host. It is made once for an image and a user. `ld.so.preload` is left out: the guest's loader would heed it.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox import shared, toolbox
from sandbox.engine import Engine
from sandbox.identity import GIT_SETTINGS, Author, login, quoted
from sandbox.profile import HOME, User
from sandbox.shared import Filling

# Arguments: the user's name, their lines for passwd and group, git's settings. The shell is static: whatever the image
# has in its `/etc` is only copied. Where it has no such folder, the three files are all there is.
COPY = f"""
set -e
run() {{ {toolbox.BUSYBOX} "$@"; }}
put() {{ run cat > "/target/.new-$$"; run chmod 644 "/target/.new-$$"; run mv -f "/target/.new-$$" "/target/$1"; }}
before() {{ run echo "$2"; [ ! -f "/etc/$1" ] || run grep -v "^$3:" "/etc/$1" || true; }}
[ ! -d /etc ] || run cp -af /etc/. /target/
run rm -rf /target/ld.so.preload
for name in hosts hostname resolv.conf; do run rm -rf "/target/$name"; : | put "$name"; done
before passwd "$2" "$1" | put passwd
before group "$3" "$1" | put group
run echo "$4" | put gitconfig
"""


@dataclass(frozen=True)
class Accounts:
    """Who the invoking user is inside an image."""

    image: str
    name: str
    passwd: str
    group: str
    gitconfig: str

    @property
    def volume(self) -> str:
        """The name of the volume, on every engine; another one for every version of what fills it."""
        words = repr((COPY, toolbox.volume_name(), self.image, self.name, self.passwd, self.group, self.gitconfig))
        return f"paddock-etc-{hashlib.sha256(words.encode()).hexdigest()[:16]}"

    def mount(self) -> Mapping[str, Any]:
        """The engine's request for it."""
        return shared.mount(self.volume, "/etc")


def accounts(image: str, user: User, who: Author) -> Accounts:
    """The invoking user, in front of the image's own accounts, and their name for commits."""
    name = login(user)
    full = who.name.replace(":", " ").replace("\n", " ")
    return Accounts(
        image=image,
        name=name,
        passwd=f"{name}:x:{user.uid}:{user.gid}:{full}:{HOME}:/bin/sh",
        group=f"{name}:x:{user.gid}:",
        gitconfig=_gitconfig(who),
    )


def ensure(engine: Engine, one: Accounts, volumes: Collection[str]) -> None:
    """Have the volume on the engine, which has these shared ones and the toolbox. Raises SandboxError."""
    if shared.is_whole(one.volume, volumes):
        return
    argv = (toolbox.BUSYBOX, "sh", "-c", COPY, "sh", one.name, one.passwd, one.group, one.gitconfig)
    own = tuple(place for place in engine.images.wishes(one.image).volumes if place not in ("/etc", toolbox.PLACE))
    shared.fill(engine, one.volume, "etc", Filling(one.image, argv, own, (toolbox.mount(),)))


def _gitconfig(who: Author) -> str:
    """Git's system-wide settings, the weakest scope: a tree of another owner is no reason to refuse."""
    return f"[user]\nname = {quoted(who.name)}\nemail = {quoted(who.email)}\n{GIT_SETTINGS}"
