"""Which engine it is, and what that changes: whose ids are inside, which limits hold, what it can be believed.

Everything here is decided from what the engine says of itself once; what it is not sure to do is refused.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox import podman
from sandbox.profile import ROOT, User

CHECKED = (
    "NetworkMode",
    "Privileged",
    "CapDrop",
    "CapAdd",
    "ReadonlyRootfs",
    "PidsLimit",
    "Memory",
    "SecurityOpt",
    "Runtime",
)
LIMITS = {"memory": ("Memory", "MemoryLimit"), "processes": ("PidsLimit", "PidsLimit"), "cores": ("", "CpuCfsQuota")}
"""What a limit is called in a request, and where an engine says that it holds."""


@dataclass(frozen=True)
class Kind:
    """One engine. `owner` is the user a rootless one belongs to, None if that cannot be known.

    `unlimited` are the limits that it takes and forgets. `pauses`: it can stop a container where it is.
    """

    product: Literal["Docker", "Podman"] = "Docker"
    version: str = ""
    is_rootless: bool = False
    remaps: bool = False
    owner: int | None = None
    unlimited: tuple[str, ...] = ()
    pauses: bool = True

    @property
    def name(self) -> str:
        """What it is called before a person: `rootless Podman 4.3.1`."""
        return f"{'rootless ' if self.is_rootless else ''}{self.product} {self.version}".strip()

    @property
    def notice(self) -> str:
        """What a person has to know before something runs; empty where there is nothing."""
        if not self.unlimited:
            return ""
        return f"limits not enforced by this engine ({self.name}): {', '.join(self.unlimited)}"

    def inside(self, invoking: User) -> User:
        """Whose ids the invoking user's files have inside: root's, where that is nobody's root on the machine."""
        return ROOT if self.is_rootless or self.remaps else invoking

    def stranger(self, uid: int) -> str:
        """Why files that are made inside would not be this user's own outside; empty if they are."""
        if self.remaps:
            return "the engine gives every user another uid inside (userns-remap)"
        if self.is_rootless and self.owner not in (None, uid):
            return f"the engine is the rootless one of uid {self.owner}, and you are uid {uid}"
        return ""

    def difference(self, asked: Mapping[str, Any], got: Mapping[str, Any]) -> str:
        """The first field of a container in which the engine did not take what it was asked, or empty."""
        if self.product == "Podman":
            got = podman.comparable(asked, got)
        forgotten = {field for name, (field, _) in LIMITS.items() if name in self.unlimited}
        differ = (field for field in CHECKED if field in asked and asked[field] != got.get(field))
        return next((field for field in differ if field not in forgotten), "")


def kind_of(facts: Mapping[str, Any], address: str = "") -> Kind:
    """Read it from what an engine says (`Engine.facts`); `address` is where it answers."""
    options = " ".join(facts.get("SecurityOptions") or ())
    components = (facts.get("Version") or {}).get("Components") or ()
    is_podman = any(one.get("Name") == "Podman Engine" for one in components)
    is_rootless = "name=rootless" in options or facts.get("Rootless") is True  # Docker says it, or Podman
    has_groups = not (is_rootless and (facts.get("CgroupDriver") == "none" or facts.get("CgroupVersion") == "1"))
    return Kind(
        product="Podman" if is_podman else "Docker",
        version=str(facts.get("ServerVersion", "")),
        is_rootless=is_rootless,
        remaps="name=userns" in options,
        owner=_owner(address) if is_rootless else None,
        unlimited=tuple(name for name, (_, key) in LIMITS.items() if not (has_groups and facts.get(key))),
        pauses=has_groups,
    )


def _owner(address: str) -> int | None:
    """Who owns the socket, which a rootless engine makes as its own user."""
    if not address.startswith("unix://"):
        return None
    try:
        return os.stat(Path(address.removeprefix("unix://"))).st_uid
    except OSError:
        return None
