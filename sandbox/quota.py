"""A hard limit on what a workspace takes, where the file system of its session has project quotas switched on.

Setting one takes root, so a helper container does it, beside the first start of a session. It stands a little above the
limit that is watched (`sandbox.disk_watch`), so that what is met is named, and can be deleted from. A session that goes
leaves its project empty, and the next helper lifts the limits of all such.
"""

import contextlib
import os

from images.errors import ImageError
from sandbox import projects
from sandbox.disk import Room
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.helper import helper
from sandbox.labels import Owner
from sandbox.programs import PYTHON
from sandbox.sessions import Session, Sessions
from sandbox.toolbox import image_on
from sandbox.workspace.project import FIRST, hard, is_limited

_PLACE = "/scratch"
_LIMIT = "import sys; from sandbox.guest.quota import main; main(sys.argv[1], *map(int, sys.argv[2:]))"


def set_limit(session: Session, engine: Engine, most: Room) -> None:
    """Limit the session's project, if it has one without the right limit. Raises OSError."""
    project = projects.project_of(session.work)
    if project and not is_limited(session, hard(most)):
        _run(engine, session, project, hard(most))


def lift_limits(sessions: Sessions, engine: Engine) -> None:
    """Lift the limits of sessions that are gone; where none is left, the next one does. Raises StateError, OSError."""
    for session in sessions.all():
        if projects.project_of(session.work):
            _run(engine, session, 0, Room(0, 0))
            return


def _run(engine: Engine, session: Session, project: int, limit: Room) -> None:
    """Run the helper, which sees the overlay's own scratch folder; one that fails leaves everything to the watch."""
    argv = [PYTHON, "-I", "-S", "-c", _LIMIT, _PLACE, *map(str, (FIRST, project, limit.size, limit.files))]
    host = {"PidsLimit": 16, "Mounts": [{"Type": "bind", "Source": str(session.work), "Target": _PLACE}]}
    with contextlib.suppress(SandboxError, ImageError):
        if engine.kind.is_rootless or engine.kind.remaps:
            return  # its root is not the machine's
        config = helper(Owner.of(session.id), image_on(engine, lambda _: None), argv, rights=["SYS_ADMIN"], host=host)
        engine.run_to_end(config, name=f"paddock-quota-{session.id[:8]}-{os.urandom(3).hex()}")
