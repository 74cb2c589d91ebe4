"""What root made in a session's folder, the kernel or a tool: for everyone else the engine takes or gives it back."""

import os
from collections.abc import Sequence
from pathlib import Path

from sandbox.engine import Engine
from sandbox.helper import helper
from sandbox.labels import Owner
from sandbox.profile import User, profile_of
from sandbox.programs import PYTHON
from sandbox.sessions import Session
from sandbox.toolbox import BUSYBOX, image_on
from sandbox.workspace.placement import placement_of

REMOVE = "import shutil; shutil.rmtree('/scratch/work', ignore_errors=True)"


def is_foreign(session: Session) -> bool:
    """Whether the session's folder holds something that this user cannot delete."""
    try:
        owner = (session.work / "work").lstat().st_uid
    except FileNotFoundError:
        return False
    return os.geteuid() not in (0, owner)


def clear(session: Session, engine: Engine) -> None:
    """Empty the scratch folder through a container that sees nothing else. The caller holds the session.

    Raises: EngineUnavailable, SandboxError.
    """
    give_back(session, engine)
    _as_root(session, engine, [PYTHON, "-I", "-S", "-c", REMOVE], ["DAC_OVERRIDE"], session.work)


def give_back(session: Session, engine: Engine) -> None:
    """Make all that was written the invoking user's, if tools ran as root: it can then be read, and deleted.

    What was carried home is so already. The rest loses its setuid bits by that, as the kernel has it: outside the
    sandbox nothing would stop them.
    The caller holds the session, and nothing runs in it. Raises: EngineUnavailable, SandboxError.
    """
    meta = session.meta()
    if profile_of(meta.choice).capabilities and placement_of(session).kind == "mounted":
        user = engine.kind.inside(User(meta.uid, meta.gid))
        chown = [BUSYBOX, "chown", "-h", "-R", f"{user.uid}:{user.gid}", "/scratch"]
        for folder in filter(Path.exists, (session.upper, session.git)):
            _as_root(session, engine, chown, ["CHOWN", "DAC_OVERRIDE"], folder)


def _as_root(session: Session, engine: Engine, argv: Sequence[str], rights: Sequence[str], folder: Path) -> None:
    """Run a program on one folder, as root with these capabilities."""
    host = {"PidsLimit": 16, "Mounts": [{"Type": "bind", "Source": str(folder), "Target": "/scratch"}]}
    config = helper(Owner.of(session.id), image_on(engine, lambda _: None), argv, rights=rights, host=host)
    engine.run_to_end(config, name=f"paddock-scratch-{session.id[:8]}-{os.urandom(3).hex()}")
