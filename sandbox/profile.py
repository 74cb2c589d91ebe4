"""How tight a sandbox is: a profile is a value, and one function turns it into the engine's request."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sandbox.choice import Choice, Machine, ProfileName
from sandbox.errors import SandboxError
from sandbox.escape import escape
from sandbox.labels import Owner, labels
from sandbox.limits import LimitName
from sandbox.seccomp import Filter, filter_json
from sandbox.sessions import Meta

MIB = 1024 * 1024
GIB = 1024 * MIB
HOME: Final = "/home/agent"
INODE = 20 * 1024
"""Bytes of the sandbox's memory for each name that a folder in memory may hold: an empty file takes about one KiB."""
GUEST_CAPABILITIES = ("SETUID", "SETGID", "KILL", "SETPCAP")
"""What the guest starts with. It drops SETPCAP and root at once; tools get what their profile says, mostly nothing."""

CAPABILITIES: Mapping[str, int] = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "NET_BIND_SERVICE": 10, "SETFCAP": 31,
}  # fmt: skip
"""The numbers the kernel has for those that a profile may give (capabilities(7))."""


READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/dev"]
"""The engine's own list, and the folder of devices: root inside could fill memory with names there."""

GUESTS_OWN = "/proc/1"
"""Its switches, such as who is killed first when memory runs out; root could write them, whoever it belongs to."""

IPC = {"kernel.shm_rmid_forced": "1", "kernel.msgmni": "64", "kernel.sem": "250 32000 32 128"}
"""Memory that outlives whoever took it: shared segments go with their last user, queues and semaphores stay few."""


@dataclass(frozen=True)
class User:
    """Whom tools run as. Mostly the invoking user's own ids, so that files carry the right owner with no chown."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Profile:
    """What tools may do, and how much of it. Sizes are bytes; `cpus` is a share of the machine's.

    `processes` counts threads too. `user`: whom tools run as, None for the invoking user. `capabilities` are
    theirs; `gains`: a setuid program may add to them. `changes_image`: the root file system can be written, in a
    layer that is thrown away. `changes_workspace`: the workspace can; else the folders in memory are all there is.
    `runs_temporary`: what is written to /tmp can be run, not only what is written to the home folder. `has_proxy`:
    our proxy lets out what the session's choice names; no profile has any other network.
    """

    name: ProfileName
    memory: int
    cpus: float
    processes: int
    user: User | None = None
    capabilities: tuple[str, ...] = ()
    gains: bool = False
    filter: Filter = "own"
    changes_image: bool = False
    changes_workspace: bool = True
    runs_temporary: bool = True
    has_proxy: bool = False
    temporary: int = 1 * GIB
    variable: int = 256 * MIB
    home: int = 1 * GIB
    shared_memory: int = 256 * MIB
    open_files: int = 8192
    largest_file: int = 8 * GIB
    disk: int = 10 * GIB
    files: int = 1_000_000

    def most(self) -> Mapping[LimitName, int]:
        """What each limit allows, by the name it is reported under."""
        return {
            "memory": self.memory,
            "processes": self.processes,
            "disk": self.disk,
            "files": self.files,
            "/tmp": self.temporary,  # noqa: S108
            "/var/tmp": self.variable,  # noqa: S108
            "/dev/shm": self.shared_memory,  # noqa: S108
            HOME: self.home,
        }

    def tools(self, invoking: User) -> User:
        """Whom tools run as, for who invoked us: never him where it is to be nobody."""
        if self.user == NOBODYS and NOBODYS.uid in (invoking.uid, invoking.gid):
            return OTHER_NOBODYS
        return self.user or invoking


ROOT = User(0, 0)
NOBODYS, OTHER_NOBODYS = User(65533, 65533), User(65519, 65519)
"""Ids that own no file: not the guest's, not the invoking user's; the second where the first are his."""

APT = ("SETUID", "SETGID", "CHOWN", "DAC_OVERRIDE", "FOWNER")
DOCKERS = (*APT, "FSETID", "KILL", "SETPCAP", "NET_BIND_SERVICE", "SETFCAP")
"""What Docker gives by default, without NET_RAW, MKNOD, AUDIT_WRITE and SYS_CHROOT."""


def this_machine() -> Machine:
    """The host."""
    return Machine(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), os.cpu_count() or 1)


def machine_of(facts: Mapping[str, Any]) -> Machine | None:
    """The machine an engine runs on, by what it says of itself; None for this one, or if it says nothing."""
    here = this_machine()
    there = Machine(int(facts.get("MemTotal") or here.memory), int(facts.get("NCPU") or here.cores))
    return None if there == here else there


def profiles(machine: Machine) -> Mapping[ProfileName, Profile]:
    """Every profile, the tightest first: each may do all that those before it may."""
    half, most = machine.memory // 2, machine.memory * 3 // 4
    default = Profile("default", min(4 * GIB, half), min(2, machine.cores), 512)
    rest = max(default.cpus, machine.cores - 1)
    as_root = Profile(
        "build",
        min(8 * GIB, most),
        rest,
        2048,
        user=ROOT,
        capabilities=APT,
        filter="engine",
        changes_image=True,
        has_proxy=True,
    )
    return {
        "strict": Profile(
            "strict",
            min(1 * GIB, half),
            1,
            128,
            user=NOBODYS,
            filter="tight",
            changes_workspace=False,
            runs_temporary=False,
        ),
        "default": default,
        "egress": replace(default, name="egress", has_proxy=True),
        "build": as_root,
        "compat": replace(
            as_root, name="compat", memory=min(12 * GIB, most), processes=4096, capabilities=DOCKERS, gains=True
        ),
    }


def profile_of(choice: Choice, machine: Machine | None = None) -> Profile:
    """The profile that was chosen, with the limits that were chosen in place of its own.

    Files in memory get at most five eighths of it, so that programs keep the rest.
    """
    machine = machine or choice.machine or this_machine()
    profile = profiles(machine)[choice.profile]
    memory = choice.memory or profile.memory
    return replace(
        profile,
        memory=memory,
        cpus=min(choice.cpus or profile.cpus, machine.cores),
        processes=choice.processes or profile.processes,
        disk=choice.disk or profile.disk,
        temporary=min(profile.temporary, memory // 4),
        variable=min(profile.variable, memory // 16),
        home=min(profile.home, memory // 4),
        shared_memory=min(profile.shared_memory, memory // 16),
    )


def user_of(meta: Meta, inside: Callable[[User], User]) -> User:
    """Whom the tools of a session run as; `inside` says whose ids a user's files have there (`Kind.inside`)."""
    return profile_of(meta.choice).tools(inside(User(meta.uid, meta.gid)))


def owner_of(meta: Meta, inside: Callable[[User], User]) -> User:
    """Whose a workspace is that is filled inside: the tools', unless they may not change it."""
    return user_of(meta, inside) if profile_of(meta.choice).changes_workspace else inside(User(meta.uid, meta.gid))


LOOPBACK_OF_VERSION_6 = {"net.ipv6.conf.all.disable_ipv6": "0"}
"""Engines turn IPv6 off where there is no network, `::1` too, which many a test suite listens on."""


def machine_has_version_6() -> bool:
    """Whether the kernel knows IPv6; where it does not, a container that asks for it could not start."""
    return Path("/proc/sys/net/ipv6").is_dir()


def request(
    profile: Profile,
    *,
    image: str,
    volumes: Sequence[str],
    entrypoint: Sequence[str],
    mounts: Sequence[Mapping[str, Any]],
    user: User,
    owner: Owner,
    gives: bool = False,
    runtime: str = "",
) -> Mapping[str, Any]:
    """The engine's JSON for one sandbox; every line closes an attack that `tests/attacks` tries.

    The container's own main process is PID 1 and reaps: an init program would be one more process to trust.
    `volumes` are the folders the image wants on the engine's disk: they are bounded, in memory, and gone with the
    container, as all of ours. `user` is whom tools run as; `gives` lets the guest make folders the user's before it
    gives up root; an empty `runtime` takes the engine's own.
    """
    gift = ("CHOWN",) if gives else ()
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
            "Dns": ["127.0.0.1"],  # where nobody is; else engines tell whom the host asks, and its domain
            "DnsSearch": ["."],
            "Sysctls": {**IPC, **(LOOPBACK_OF_VERSION_6 if machine_has_version_6() else {})},
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "Privileged": False,
            "CapDrop": ["ALL"],
            "CapAdd": list(dict.fromkeys((*GUEST_CAPABILITIES, *gift, *profile.capabilities))),
            "SecurityOpt": _security(profile),
            "ReadonlyRootfs": not profile.changes_image,
            "ReadonlyPaths": [*READ_ONLY, GUESTS_OWN],
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "none"},
            "Init": False,
            "PidsLimit": profile.processes,
            "Memory": profile.memory,
            "MemorySwap": profile.memory,
            "NanoCpus": int(profile.cpus * 1_000_000_000),
            "CpuShares": 512,
            "OomScoreAdj": 500,
            "ShmSize": profile.shared_memory,
            "Ulimits": _limits(profile),
            "Tmpfs": {**_volumes(profile, volumes, mounts), **_scratch(profile, user)},
            "Mounts": list(mounts),
            **({"Runtime": runtime} if runtime else {}),
        },
    }


def _security(profile: Profile) -> Sequence[str]:
    """Without a filter of ours the engine's own holds: never none."""
    found = [] if profile.gains else ["no-new-privileges"]
    return found if profile.filter == "engine" else [*found, f"seccomp={filter_json(profile.filter)}"]


def _scratch(profile: Profile, user: User) -> Mapping[str, str]:
    """The tmpfs folders: `exec` where tests run what they build; never suid, never devices."""
    common = "rw,nosuid,nodev"
    runs = "exec" if profile.runs_temporary else "noexec"
    inodes = min(200_000, profile.memory // INODE)
    return {
        "/tmp": f"{common},{runs},size={profile.temporary},nr_inodes={inodes},mode=1777",  # noqa: S108 - a mount point inside
        "/var/tmp": f"{common},{runs},size={profile.variable},nr_inodes={inodes},mode=1777",  # noqa: S108
        "/dev/shm": f"{common},noexec,size={profile.shared_memory},nr_inodes={inodes},mode=1777",  # noqa: S108
        "/run": f"{common},noexec,size={16 * MIB},nr_inodes=1k,mode=0755",
        HOME: f"{common},exec,size={profile.home},nr_inodes={inodes},uid={user.uid},gid={user.gid},mode=0700",
    }


def _volumes(profile: Profile, volumes: Sequence[str], mounts: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Folders in memory in place of the image's volumes, but for what is mounted there anyway.

    They share what one folder may take: an image could name so many that together they fill the sandbox's memory.
    Raises SandboxError for one that would hide what the workspace or the toolbox holds.
    """
    targets = {str(one["Target"]) for one in mounts}
    places = sorted(set(volumes) - targets)
    ours = tuple(f"{target}/" for target in targets - {"/etc"})
    if (hiding := next(filter(lambda place: place.startswith(ours), places), None)) is not None:
        raise SandboxError(f"the image lays a folder of its own over {escape(hiding.encode())}: use another image")
    share = max(1, len(places))
    options = f"rw,nosuid,nodev,exec,size={profile.variable // share},nr_inodes={10_000 // share + 100},mode=1777"
    return dict.fromkeys(places, options)


def _limits(profile: Profile) -> Sequence[Mapping[str, Any]]:
    values = {"core": 0, "nofile": profile.open_files, "memlock": 64 * 1024, "fsize": profile.largest_file}
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in values.items()]
