"""Which folders can be worked on."""

import os
import stat
from pathlib import Path

from sandbox.errors import CheckoutRefused
from sandbox.labels import this_boot

SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "usr", "var")
"""Top-level folders that would hide the image's own if they were mounted over it."""


def checked(path: Path) -> Path:
    """The real path of a folder that may become a checkout.

    Raises: CheckoutRefused for `/`, the home folder and what lies above it, the system's own folders, anything that is
    not a readable directory, and names the engine's JSON cannot carry (not UTF-8).
    """
    try:
        real = path.resolve(strict=True)
        facts = real.stat()
    except FileNotFoundError as error:
        raise CheckoutRefused(f"{path} does not exist") from error
    except (OSError, RuntimeError) as error:
        raise CheckoutRefused(f"{path} cannot be opened: {error}") from error
    if not stat.S_ISDIR(facts.st_mode):
        raise CheckoutRefused(f"{path} is not a folder")
    if not os.access(real, os.R_OK | os.X_OK):
        raise CheckoutRefused(f"{path} is not readable by you")
    home = Path.home().resolve()
    if real == home or real in home.parents:
        raise CheckoutRefused(f"{real} is {_what(real, home)}: run paddock inside one project, or name it with -C DIR")
    if len(real.parts) == 2 and real.parts[1] in SYSTEM:
        raise CheckoutRefused(f"{real} is a system folder: run paddock inside one project, or name it with -C DIR")
    if real.parts[1] in ("proc", "sys", "dev"):
        raise CheckoutRefused(f"{real} is the kernel's, not a project")
    try:
        str(real).encode()
    except UnicodeEncodeError as error:
        raise CheckoutRefused(f"{str(real)!r} is not UTF-8, which the engine needs: rename the folder") from error
    return real


def identity(folder: Path | int) -> str:
    """Which folder this is, whatever its name: its inode, and its device as the kernel numbers it until it reboots."""
    facts = os.stat(folder)
    return f"{this_boot()}:{facts.st_dev}:{facts.st_ino}"


def is_same(noted: str, folder: Path | int) -> bool:
    """Whether a folder is the one that was noted; one that was not noted could be any."""
    if not noted:
        return True
    before, now = noted.split(":"), identity(folder).split(":")
    if before[0] != now[0]:
        return before[-1] == now[-1]  # devices are numbered anew at every boot, inodes are not
    return before == now


def _what(real: Path, home: Path) -> str:
    if real == Path("/"):
        return "the root of the whole machine"
    return "your home folder" if real == home else "above your home folder"
