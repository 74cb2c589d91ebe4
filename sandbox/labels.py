"""The labels everything of ours carries on an engine, and how a later start knows that its owner is dead."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LABEL = "paddock"
SESSION_LABEL = "paddock.session"
OWNER_LABEL = "paddock.owner"
PLACE_LABEL = "paddock.place"
SHARED_LABEL = "paddock.shared"
"""For volumes that no session owns (sandbox.shared)."""


@dataclass(frozen=True)
class Owner:
    """Whose it is: a session, and the process that runs it as `boot:pid:start` (a pid alone may be reused).

    `place` is where that pid means anything: an engine may serve several machines, and containers with pids of their
    own. Empty: here.
    """

    session: str
    process: str
    place: str = ""

    @classmethod
    def of(cls, session: str) -> "Owner":
        """This process, for that session."""
        return cls(session, f"{this_boot()}:{os.getpid()}:{_started(os.getpid())}", this_place())

    @property
    def is_elsewhere(self) -> bool:
        """Whether it lives where we cannot see it."""
        return self.place not in ("", this_place())

    @property
    def pid(self) -> int | None:
        """The process's id, if it is one of ours to see."""
        pid = self.process.split(":")[1:2]
        return int(pid[0]) if pid and pid[0].isdigit() and not self.is_elsewhere else None

    def is_alive(self) -> bool:
        """Whether that very process still runs. One we cannot see or read counts as alive: we sweep what we know."""
        boot, _, rest = self.process.partition(":")
        pid, _, started = rest.partition(":")
        if self.is_elsewhere or not (boot and pid.isdigit() and started):
            return True
        return boot == this_boot() and _started(int(pid)) == started


@dataclass(frozen=True)
class Owned:
    """A container or volume of ours: the engine's id for it, and its owner."""

    id: str
    owner: Owner

    @property
    def is_anonymous(self) -> bool:
        """Whether it is a volume that was made with a container and should have gone with it."""
        return re.fullmatch("[0-9a-f]{64}", self.id) is not None


def labels(owner: Owner) -> Mapping[str, str]:
    """What every container and volume of ours carries."""
    return {LABEL: "1", SESSION_LABEL: owner.session, OWNER_LABEL: owner.process, PLACE_LABEL: owner.place}


def owned(id_: str, found: Mapping[str, str]) -> Owned:
    """Read them back."""
    return Owned(id_, Owner(found.get(SESSION_LABEL, ""), found.get(OWNER_LABEL, ""), found.get(PLACE_LABEL, "")))


def this_place() -> str:
    """Which machine this is, and which numbering of its processes; the same after a reboot."""
    try:
        machine = Path("/etc/machine-id").read_text("ascii").strip()
    except OSError:
        machine = ""
    name = f"{machine}:{os.readlink('/proc/self/ns/pid')}"
    return hashlib.sha256(name.encode()).hexdigest()[:16]  # a machine's id is not to be told


def this_boot() -> str:
    """Which run of this machine this is: another one after every reboot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty if there is none (proc(5), field 22 of stat)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""
