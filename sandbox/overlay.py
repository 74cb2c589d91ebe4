"""The workspace: an overlay of the session's own folder over the checkout, mounted by the engine at the same path.

`userxattr` keeps the overlay's markers readable for us and escapes forged ones; `nosuid,nodev` makes what a tool
creates harmless inside too. The engine mounts it as part of the container's own anonymous volume, so it goes away with
the container, and no right of ours is needed.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.checkout import is_same
from sandbox.errors import CheckoutRefused, StateError
from sandbox.sessions import Session

UNMOUNTABLE = frozenset(",:\\")
"""Characters that overlay's own mount options cannot hold; the checkout may have them, our state folder may not."""


def prepare(session: Session, checkout: Path) -> None:
    """Make the folders an overlay needs; the workspace's root looks like the checkout's."""
    if UNMOUNTABLE & set(str(session.path)):
        raise StateError(
            f"{session.path} holds one of , : \\ which a mount cannot: set XDG_STATE_HOME to another folder"
        )
    for folder in (session.upper, session.work):
        folder.mkdir(mode=0o700, exist_ok=True)
    open_up(session, checkout)
    if not session.base.is_symlink():
        session.base.symlink_to(checkout)


def open_up(session: Session, checkout: Path) -> None:
    """Give the workspace's root the checkout's mode: a tool may have closed it, to itself and to us."""
    session.upper.chmod(checkout.stat().st_mode & 0o777 | 0o700)


def mount(session: Session, checkout: Path, labels: Mapping[str, str]) -> Mapping[str, Any]:
    """The engine's request for the workspace. Raises CheckoutRefused if the checkout is no longer what it was."""
    is_there = os.path.realpath(session.base) == str(checkout) and checkout.is_dir()
    if not (is_there and is_same(session.meta().folder, checkout)):
        raise CheckoutRefused(f"{checkout} is gone or has become something else since this session began")
    options = f"lowerdir={session.base},upperdir={session.upper},workdir={session.work},userxattr,nosuid,nodev"
    return {
        "Type": "volume",
        "Target": str(checkout),
        "VolumeOptions": {
            "NoCopy": True,
            "Labels": dict(labels),
            "DriverConfig": {"Name": "local", "Options": {"type": "overlay", "device": "overlay", "o": options}},
        },
    }


def file_mount(source: Path, target: str) -> Mapping[str, Any]:
    """One host file of ours, read-only inside."""
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rprivate"},
    }
