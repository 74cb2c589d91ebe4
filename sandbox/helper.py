"""A container of ours beside a session's: a program run as root, without a network, on what it is given and no more."""

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.labels import Owner, labels


def helper(
    owner: Owner, image: str, argv: Sequence[str], *, rights: Sequence[str], host: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The engine's request for one. `rights` are its capabilities; `host` holds its mounts and its limits.

    Nothing that the image wishes for counts: it may be anybody's.
    """
    return {
        "Image": image,
        "Entrypoint": list(argv),
        "Cmd": [],
        "User": "0:0",
        "WorkingDir": "/",
        "Labels": dict(labels(owner)),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": list(rights),
            "SecurityOpt": ["no-new-privileges"],
            **host,
        },
    }
