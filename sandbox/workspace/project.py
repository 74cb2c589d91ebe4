"""To which project the layers of a session belong, where the file system has project quotas switched on.

A project's number is found by the session's id and kept nowhere: a folder says to which it belongs, and `statvfs` there
shows its limit.
"""

import contextlib
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from sandbox import projects
from sandbox.disk import SLACK, Room
from sandbox.sessions import Session
from sandbox.workspace.overlay import Overlay

FIRST = 2**30
"""As many projects are ours, from this one on: far from the small numbers that people and other programs give."""

_TRIES = 16
_MIB = 1024**2


def hard(most: Room) -> Room:
    """The limit of a workspace that may take `most`: a little more, which the watch keeps for what makes room again."""
    return Room(-(-most.size // _MIB) * _MIB, most.files) + SLACK


def join(session: Session, overlays: Sequence[Overlay]) -> None:
    """Let the layers of a session belong to its project, before they are mounted; where there is none, do nothing.

    Layers that were mounted outside a project stay outside: a rename between the two would fail. A state folder that
    is in a project has a limit already.
    """
    with contextlib.suppress(OSError):  # a user namespace, a file system that knows no number as large: only the watch
        if not projects.are_limited(session.path) or projects.project_of(session.path):
            return
        project = projects.project_of(session.work) or _found(session)
        for one in overlays if project else ():
            if _is_new(one.work) and _is_new(one.upper):
                projects.join(one.work, project)
            if projects.project_of(one.work) == project and _is_new(one.upper):
                projects.join(one.upper, project)


def counted(session: Session, most: Room) -> Room:
    """What the file system counts of a session, open files without a name too; nothing where it does not limit it.

    Raises OSError.
    """
    inside, outside, limit = os.statvfs(session.upper), os.statvfs(session.path), hard(most)
    if outside.f_blocks == inside.f_blocks or inside.f_blocks * inside.f_frsize != limit.size:
        return Room(0, 0)
    return Room((inside.f_blocks - inside.f_bfree) * inside.f_frsize, inside.f_files - inside.f_ffree)


def is_limited(session: Session, limit: Room) -> bool:
    """Whether that limit holds: `statvfs` shows it in the place of what the file system has, where that is more."""
    inside, outside = os.statvfs(session.upper), os.statvfs(session.path)
    size = inside.f_blocks * inside.f_frsize
    return (size == limit.size or outside.f_blocks * outside.f_frsize <= limit.size) and (
        inside.f_files == limit.files or outside.f_files <= limit.files
    )


def _found(session: Session) -> int:
    """A project for a new session, by its id; one that has a limit is somebody's. 0 if there is none to be had."""
    if not (_is_new(session.work) and _is_new(session.upper)):
        return 0
    start, outside = uuid.UUID(session.id).int % FIRST, os.statvfs(session.path)
    for number in range(start, start + _TRIES):
        project = FIRST + number % FIRST
        projects.join(session.work, project)
        if os.statvfs(session.work).f_blocks == outside.f_blocks:
            return project
    projects.join(session.work, 0)
    return 0


def _is_new(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is None
