"""The checkout's own part of a workspace: an overlay of the session's folder, at the checkout's path."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.checkout import is_same
from sandbox.errors import CheckoutRefused
from sandbox.profile import profile_of
from sandbox.sessions import Session
from sandbox.workspace import gitfolders, project
from sandbox.workspace.base import base_of, decide, keep
from sandbox.workspace.overlay import Overlay
from sandbox.workspace.placement import placement_of


def prepare(session: Session) -> None:
    """Make what a new session's workspace needs on the host, and decide what it lies on.

    Raises StateError, CheckoutRefused, OSError.
    """
    meta = session.meta()
    overlay_of(session).prepare()
    open_up(session)
    keep(session, decide(Path(meta.checkout), session, meta.choice.base))


def open_up(session: Session) -> None:
    """Give the workspace's root the checkout's mode: a tool may have closed it, to itself and to us."""
    session.upper.chmod(Path(session.meta().checkout).stat().st_mode & 0o777 | 0o700)


def mounts(session: Session, labels: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    """What the engine is asked to mount. Raises CheckoutRefused if the checkout is no longer what it was."""
    meta = session.meta()
    checkout = Path(meta.checkout)
    is_there = os.path.realpath(checkout) == str(checkout) and checkout.is_dir()
    if not (is_there and is_same(meta.folder, checkout)):
        raise CheckoutRefused(f"{checkout} is gone or has become something else since this session began")
    open_up(session)
    is_closed = not profile_of(meta.choice).changes_workspace
    if is_closed and checkout.stat().st_mode & 0o005 != 0o005:
        raise CheckoutRefused(
            f"others may not read {checkout}, and in the profile strict tools are others: "
            "use the profile default, or `chmod o+rx` the folder"
        )
    prepared = [overlay_of(session), *gitfolders.prepare(session)]
    if placement_of(session).kind == "mounted":
        if not is_closed:
            project.join(session, prepared)
        return [overlay.mount(labels, read_only=is_closed) for overlay in prepared]
    return [overlay.volume(labels) for overlay in prepared]


def described(session: Session) -> str:
    """What a workspace lies on and how it gets inside, for a person. Raises StateError."""
    return ", ".join(filter(None, (base_of(session).sentence, placement_of(session).sentence)))


def overlays(session: Session) -> Sequence[Overlay]:
    """All that a workspace is made of, once `mounts` was asked for it. Raises StateError."""
    return [overlay_of(session), *gitfolders.overlays(session)]


def carried(session: Session) -> Sequence[str]:
    """The folders of a workspace that the engine makes empty, as root's own; as `overlays`."""
    return [str(one.target) for one in overlays(session)] if placement_of(session).kind == "carried" else []


def overlay_of(session: Session) -> Overlay:
    """The overlay at the checkout's path."""
    return Overlay(Path(session.meta().checkout), session.base, session.upper, session.work, session.mask)
