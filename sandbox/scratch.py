"""An overlay's scratch folder: the kernel made it as root, so for everyone else the engine has to take it away."""

import os

from sandbox.engine import Engine
from sandbox.labels import Owner, labels
from sandbox.sessions import Session

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
    config = {
        "Image": session.meta().image,
        "Entrypoint": ["python3", "-I", "-S", "-c", REMOVE],
        "Cmd": [],
        "User": "0:0",
        "Labels": dict(labels(Owner.of(session.id))),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["DAC_OVERRIDE"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 16,
            "LogConfig": {"Type": "none"},
            "Mounts": [{"Type": "bind", "Source": str(session.work), "Target": "/scratch"}],
        },
    }
    container = engine.create(f"paddock-scratch-{session.id[:8]}-{os.urandom(3).hex()}", config)
    try:
        engine.start(container)
        engine.wait_gone(container)
    finally:
        engine.remove(container)
