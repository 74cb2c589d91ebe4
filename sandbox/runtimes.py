"""The programs an engine can run containers with: runc, crun, runsc and whatever else it was told of."""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import SandboxError

WELL_KNOWN = {"crun": "/usr/bin/crun", "runsc": "/usr/local/bin/runsc", "runc": "/usr/bin/runc"}


class UnknownRuntime(SandboxError):
    """The engine has no runtime of this name; the text says which it has, and how to add one."""


def checked_runtime(name: str, facts: Mapping[str, Any]) -> str:
    """The runtime a choice comes to on an engine that says these `facts`. Raises UnknownRuntime."""
    default = str(facts.get("DefaultRuntime") or "runc")
    if not name:
        return default
    known = sorted(facts.get("Runtimes") or {default: {}})
    if name in known:
        return name
    path = WELL_KNOWN.get(name, f"/path/to/{name}")
    raise UnknownRuntime(
        f"the engine has no runtime {name!r}, only {', '.join(known)}: add it to /etc/docker/daemon.json as "
        f'{{"runtimes": {{"{name}": {{"path": "{path}"}}}}}} and have the engine read that again'
    )
