"""How tight a sandbox is: a profile is a value, and one function turns it into the engine's request."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.choice import Choice
from sandbox.labels import Owner, labels
from sandbox.limits import LimitName
from sandbox.seccomp import profile_json

MIB = 1024 * 1024
GIB = 1024 * MIB
HOME: Final = "/home/agent"
INODE = 20 * 1024
"""Bytes of the sandbox's memory for each name that a folder in memory may hold: an empty file takes about one KiB."""
GUEST_CAPABILITIES = ("SETUID", "SETGID", "KILL", "SETPCAP")
"""What the guest starts with. It drops SETPCAP and root at once; tools get none (sandbox.guest.rights)."""


@dataclass(frozen=True)
class Profile:
    """The limits of a sandbox. Sizes are bytes; `cpus` is a share of the machine's; `processes` counts threads too."""

    name: str
    memory: int
    cpus: float
    processes: int
    temporary: int = 1 * GIB
    variable: int = 256 * MIB
    home: int = 1 * GIB
    shared_memory: int = 256 * MIB
    open_files: int = 8192
    largest_file: int = 8 * GIB

    def most(self) -> Mapping[LimitName, int]:
        """What each limit allows, by the name it is reported under."""
        return {
            "memory": self.memory,
            "processes": self.processes,
            "/tmp": self.temporary,  # noqa: S108
            "/var/tmp": self.variable,  # noqa: S108
            "/dev/shm": self.shared_memory,  # noqa: S108
            HOME: self.home,
        }


def default_profile() -> Profile:
    """Edit and run tests, offline: at most 4 GiB (half the host, if that is less), 2 cores, 512 processes."""
    host_memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Profile("default", min(4 * GIB, host_memory // 2), min(2.0, float(os.cpu_count() or 1)), 512)


def profile_of(choice: Choice) -> Profile:
    """The limits that were chosen. Files in memory get at most five eighths of it, so that programs keep the rest."""
    base = default_profile()
    memory = choice.memory or base.memory
    return replace(
        base,
        memory=memory,
        cpus=choice.cpus or base.cpus,
        processes=choice.processes or base.processes,
        temporary=min(base.temporary, memory // 4),
        variable=min(base.variable, memory // 16),
        home=min(base.home, memory // 4),
        shared_memory=min(base.shared_memory, memory // 16),
    )


@dataclass(frozen=True)
class User:
    """Whom tools run as: the invoking user's own ids, so that files carry the right owner with no chown anywhere."""

    uid: int
    gid: int


def request(
    profile: Profile,
    *,
    image: str,
    entrypoint: Sequence[str],
    mounts: Sequence[Mapping[str, Any]],
    user: User,
    owner: Owner,
) -> Mapping[str, Any]:
    """The engine's JSON for one sandbox; every line closes an attack that `tests/attacks` tries.

    The container's own main process is PID 1 and reaps: an init program would be one more process to trust.
    """
    return {
        "Image": image,
        "Entrypoint": list(entrypoint),
        "Cmd": [],
        "User": "0:0",
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "Env": [],
        "Labels": labels(owner),
        "Healthcheck": {"Test": ["NONE"]},
        "OpenStdin": True,
        "StdinOnce": True,  # the life line: when the host's end of stdin closes, the guest exits
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "StopSignal": "SIGKILL",
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": "none",
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "Privileged": False,
            "CapDrop": ["ALL"],
            "CapAdd": list(GUEST_CAPABILITIES),
            "SecurityOpt": ["no-new-privileges", f"seccomp={profile_json()}"],
            "ReadonlyRootfs": True,
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "none"},
            "Init": False,
            "PidsLimit": profile.processes,
            "Memory": profile.memory,
            "MemorySwap": profile.memory,
            "NanoCpus": int(profile.cpus * 1_000_000_000),
            "CpuShares": 512,
            "OomScoreAdj": 500,
            "Ulimits": _limits(profile),
            "Tmpfs": _scratch(profile, user),
            "Mounts": list(mounts),
        },
    }


def _scratch(profile: Profile, user: User) -> Mapping[str, str]:
    """The tmpfs folders: `exec`, because tests run what they build; never suid, never devices."""
    common = "rw,nosuid,nodev"
    inodes = min(200_000, profile.memory // INODE)
    return {
        "/tmp": f"{common},exec,size={profile.temporary},nr_inodes={inodes},mode=1777",  # noqa: S108 - a mount point inside
        "/var/tmp": f"{common},exec,size={profile.variable},nr_inodes={inodes},mode=1777",  # noqa: S108
        "/dev/shm": f"{common},noexec,size={profile.shared_memory},nr_inodes={inodes},mode=1777",  # noqa: S108
        "/run": f"{common},noexec,size={16 * MIB},nr_inodes=1k,mode=0755",
        HOME: f"{common},exec,size={profile.home},nr_inodes={inodes},uid={user.uid},gid={user.gid},mode=0700",
    }


def _limits(profile: Profile) -> Sequence[Mapping[str, Any]]:
    values = {"core": 0, "nofile": profile.open_files, "memlock": 64 * 1024, "fsize": profile.largest_file}
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in values.items()]
