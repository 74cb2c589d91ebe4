"""Who the tools are inside: a name for the invoking uid, a home, and the user's name for commits."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.profile import HOME, User

QUIET = {
    "CI": "1",
    "DEBIAN_FRONTEND": "noninteractive",
    "EDITOR": "true",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1",
    "GIT_EDITOR": "true",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "PAGER": "cat",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
"""Programs that would stop and ask somebody fail or go on instead; git looks for a repository above the checkout."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# A copied file has another inode and change time: git would read every file again, and those of LFS would look changed.
GIT_SETTINGS = """\
[core]
checkStat = minimal
trustctime = false
[safe]
directory = *
[init]
defaultBranch = main
[advice]
detachedHead = false
"""


@dataclass(frozen=True)
class Author:
    """The name commits made inside carry."""

    name: str
    email: str


def invoking_user() -> User:
    """The user who runs us."""
    return User(os.getuid(), os.getgid())


def author() -> Author:
    """The user's own commit name, from their global git settings (never a repository's: that could be hostile)."""
    said = _git_settings()
    return Author(said.get("user.name") or "Paddock", said.get("user.email") or "paddock@localhost")


def login(user: User) -> str:
    """The name `whoami` gives."""
    return "root" if user.uid == 0 else "agent"


def environment(user: User, shell: str, image: Mapping[str, str], programs: str) -> Mapping[str, str]:
    """What every process inside gets: what the image sets, and above it what is ours. No variable of the host is in it.

    `programs` is a folder for the end of the PATH.
    """
    return {
        "LANG": "C.UTF-8",
        **image,
        **QUIET,
        "PATH": f"{image.get('PATH') or PATH}:{programs}",
        "HOME": HOME,
        "USER": login(user),
        "LOGNAME": login(user),
        "SHELL": shell,
        "TERM": "dumb",
    }


def quoted(value: str) -> str:
    """A value as git's settings have it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _git_settings() -> Mapping[str, str]:
    """What git's own global settings say of the user; the last of several lines holds."""
    git = shutil.which("git")
    if git is None:
        return {}
    neutral = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    argv = [git, "config", "--global", "--null", "--get-regexp", r"^user\.(name|email)$"]
    asked = subprocess.run(argv, cwd="/", env=neutral, capture_output=True, check=False, timeout=10)
    pairs = (entry.partition("\n") for entry in asked.stdout.decode("utf-8", "replace").split("\0"))
    return {name: value.strip() for name, _, value in pairs}
