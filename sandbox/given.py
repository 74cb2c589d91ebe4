"""What the container was given, as the guest found it at its start, against what the engine was asked for.

An engine's record of a container is its word; this is what the kernel enforces. The guest is ours, and speaks before
anything else runs.
"""

from collections.abc import Mapping
from typing import Any

import pydantic

from sandbox.profile import CAPABILITIES

OWN_KERNELS = ("runsc", "kata")
"""Runtimes whose containers have a kernel of their own, so that no filter of the machine's is seen inside."""


class Given(pydantic.BaseModel):
    """The kernel's word: the bounding set, whether a program may gain rights, whether a system call filter is on."""

    rights: int
    gains: bool
    filtered: bool


def excess(given: Given, host: Mapping[str, Any]) -> str:
    """What it was given beyond what was asked for (a request's `HostConfig`), or empty."""
    asked = sum(1 << CAPABILITIES[name] for name in host["CapAdd"])
    if given.rights & ~asked:
        return f"capabilities that nobody asked for ({given.rights & ~asked:#x})"
    if given.gains and "no-new-privileges" in host["SecurityOpt"]:
        return "new privileges for setuid programs"
    if not given.filtered and not host.get("Runtime", "").startswith(OWN_KERNELS):
        return "every system call: it has put no filter on them"
    return ""
