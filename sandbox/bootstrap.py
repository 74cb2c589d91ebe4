"""Puts the engine there: what this machine lacks, and how it gets it once somebody has agreed.

Nothing here asks: consent is the caller's business. Nothing here talks to Docker beyond "do you answer?".
"""

import contextlib
import fcntl
import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sandbox.errors import SetupFailed

Emit = Callable[[str], None]
Answer = Literal["yes", "no", "denied"]

_START_SECONDS = 90.0
_LAST_LINES = 8
_STAGES: tuple[tuple[bytes, str], ...] = (
    (rb"Need to get ([\d.,]+ \wB)", "fetching {}"),
    (rb"Unpacking ", "unpacking"),
    (rb"Setting up ", "setting up"),
)
# dockerd must outlive this process, its terminal and its pipes: a session of its own, a log file for its output.
# A daemon that was killed leaves its pid file, and the next one would not start beside it.
_DETACHED = """\
for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
    pid=$(cat "$file" 2> /dev/null) || continue
    state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$pid/status" 2> /dev/null)
    case "$state $(cat "/proc/$pid/comm" 2> /dev/null)" in
        Z*) rm -f "$file" ;;
        *dockerd | *containerd) ;;
        *) rm -f "$file" ;;
    esac
done
trap '' HUP; log=$1; shift; setsid "$@" < /dev/null > "$log" 2>&1 & echo $!"""


def _search_path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Machine:
    """Where to look: the engine's socket, the programs, the sign that systemd runs, and who we are."""

    socket: Path = Path("/var/run/docker.sock")
    search: str = field(default_factory=_search_path)
    systemd: Path = Path("/run/systemd/system")
    uid: int = field(default_factory=os.getuid)

    def program(self, name: str) -> str | None:
        """The path of a program, also of those only root usually finds."""
        return shutil.which(name, path=self.search)


@dataclass(frozen=True)
class Missing:
    """One thing that is not there: `line` tells a person, `packages` are Debian's names for it (none: start it)."""

    what: Literal["engine", "access", "builder"]
    line: str
    packages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.line


def missing(machine: Machine | None = None) -> Sequence[Missing]:
    """What sessions need and this machine lacks; empty when all is there. Takes a millisecond, changes nothing."""
    machine = machine or Machine()
    return [*_missing_engine(machine), *_missing_builder(machine)]


def install(wanted: Sequence[Missing], *, state: Path, emit: Emit, machine: Machine | None = None) -> None:
    """Install and start what is missing. Two processes may do this at once: the second finds it done.

    `state` is the folder for the logs and the lock. Raises SetupFailed, whose text says what to do by hand.
    """
    machine = machine or Machine()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(state, emit):
        still = [one for one in missing(machine) if one.what in {each.what for each in wanted}]
        packages = [package for one in still for package in one.packages]
        if packages:
            _install_packages(packages, machine, state / "setup.log", emit)
        if any(one.what == "engine" for one in still):
            _start(machine, state / "dockerd.log", emit)
        if any(one.what in ("engine", "access") for one in still):
            _open_up(machine, emit)


def _missing_engine(machine: Machine) -> Iterator[Missing]:
    match _answers(machine.socket):
        case "yes":
            return
        case "denied":
            yield Missing("access", f"you may not use the Docker engine: {machine.socket} is closed to this user")
        case "no" if not machine.program("dockerd"):
            yield Missing("engine", "no Docker engine is installed", ("docker.io", "iptables"))
        case "no":
            packages = () if machine.program("iptables") else ("iptables",)
            yield Missing("engine", f"the Docker engine does not answer at {machine.socket}", packages)


def _missing_builder(machine: Machine) -> Iterator[Missing]:
    if not machine.program("mmdebstrap"):
        # Who is not root builds in a user namespace, and uidmap opens it.
        packages = ("mmdebstrap",) if machine.uid == 0 else ("mmdebstrap", "uidmap")
        yield Missing("builder", "mmdebstrap is not installed: it builds the base image", packages)
    elif machine.uid != 0 and not machine.program("newuidmap"):
        yield Missing("builder", "uidmap is not installed: without it only root builds the base image", ("uidmap",))


def _answers(path: Path) -> Answer:
    """Whether an engine is behind the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        try:
            connection.connect(str(path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            return "yes" if b" 200 " in connection.recv(64) else "no"
        except PermissionError:
            return "denied"
        except OSError:
            return "no"


@contextlib.contextmanager
def _alone(state: Path, emit: Emit) -> Iterator[None]:
    descriptor = os.open(state / "setup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            emit("another process is setting up; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _as_root(machine: Machine, argv: Sequence[str]) -> list[str]:
    """The command as root runs it. Without a terminal sudo may not ask for a password, so it is told not to."""
    if machine.uid == 0:
        return list(argv)
    sudo = machine.program("sudo")
    if sudo is None:
        raise SetupFailed(f"root is needed and there is no sudo; as root, run: {' '.join(argv)}")
    return [sudo, *([] if sys.stdin.isatty() else ["-n"]), *argv]


def _install_packages(packages: Sequence[str], machine: Machine, log: Path, emit: Emit) -> None:
    names = " ".join(packages)
    if not machine.program("apt-get"):
        raise SetupFailed(
            f"this system has no apt-get; install Docker Engine and mmdebstrap its own way (here: {names})"
        )
    emit("reading the package lists")
    # An unreachable third-party source must not stop us: if Debian's own lists are missing, the next step says so.
    _logged(["apt-get", "-q", "update"], machine, log)
    emit(f"installing {names}")
    argv = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends", *packages]
    if _logged(argv, machine, log, emit):
        raise SetupFailed(f"apt-get could not install {names}; it said:\n{_tail(log)}")


def _logged(argv: Sequence[str], machine: Machine, log: Path, emit: Emit | None = None) -> int:
    """Run a command as root, all it says into the log, apt's stages to `emit`; return its status.

    A file, not a pipe: a daemon that a package starts would hold a pipe open, and us, for ever.
    """
    command = _as_root(machine, ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", *argv])
    environment = {**os.environ, "PATH": machine.search}
    stages = iter(_STAGES)
    stage = next(stages, None)
    with log.open("wb") as output, log.open("rb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        while process.poll() is None:
            for line in said:
                if emit and stage and (match := re.match(stage[0], line)):
                    emit("  " + stage[1].format(*(group.decode(errors="replace") for group in match.groups())))
                    stage = next(stages, None)
            time.sleep(0.1)
        return process.returncode


def _start(machine: Machine, log: Path, emit: Emit) -> None:
    """Start the engine and return when it answers."""
    if _answers(machine.socket) != "no":
        return  # its package started it
    began = time.monotonic()
    if machine.systemd.is_dir():
        emit("starting the engine (systemctl start docker)")
        if _logged(["systemctl", "start", "docker"], machine, log):
            raise SetupFailed(f"systemctl could not start docker; it said:\n{_tail(log)}")
        pid = None
    else:
        emit(f"starting the engine (dockerd, in the background; log: {log})")
        pid = _start_dockerd(machine, log)
    while _answers(machine.socket) == "no":
        if (pid and not _is_alive(pid)) or time.monotonic() - began > _START_SECONDS:
            raise SetupFailed(f"the engine did not start; the last lines of {log}:\n{_tail(log)}")
        time.sleep(0.1)
    emit(f"the engine answers, after {time.monotonic() - began:.0f} s")


def _start_dockerd(machine: Machine, log: Path) -> int:
    dockerd = machine.program("dockerd")
    if dockerd is None:
        raise SetupFailed("the packages were installed but brought no dockerd; install Docker Engine by hand")
    log.touch(mode=0o600)  # ours, whoever writes to it
    group = _own_group(machine.uid)
    argv = [dockerd, *(["--group", group] if group else [])]
    done = subprocess.run(
        _as_root(machine, ["sh", "-c", _DETACHED, "sh", str(log), *argv]),
        stdin=None if sys.stdin.isatty() else subprocess.DEVNULL,  # sudo may ask for a password
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": machine.search},
        cwd="/",
        check=False,
    )
    if done.returncode or not done.stdout.strip().isdigit():
        raise SetupFailed("the engine could not be started as root; run `sudo dockerd` yourself and try again")
    return int(done.stdout)


def _is_alive(pid: int) -> bool:
    """Whether it runs; a dead process that nobody has awaited does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _own_group(uid: int) -> str:
    """The group that is this user's alone and may get the socket; "" for root, and where groups are shared."""
    with contextlib.suppress(KeyError):  # an account, or a group, that only a remote directory knows
        user = pwd.getpwuid(uid)
        if uid != 0 and grp.getgrgid(user.pw_gid).gr_name == user.pw_name:
            return user.pw_name
    return ""


def _open_up(machine: Machine, emit: Emit) -> None:
    """Make sure this user may use the engine, which on Linux means: is as good as root through it."""
    if _answers(machine.socket) != "denied":
        return
    user = pwd.getpwuid(machine.uid).pw_name
    emit(f"adding {user} to the group 'docker'")
    if subprocess.run(_as_root(machine, ["usermod", "-aG", "docker", user]), check=False).returncode:
        raise SetupFailed(f"you may not use the engine; as root, run: usermod -aG docker {user}")
    raise SetupFailed(
        "you are now in the group 'docker': log in again (or run `newgrp docker`), then repeat the command"
    )


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    printable = ("".join(char if char.isprintable() else " " for char in line) for line in lines)
    return "\n".join(f"  {line}" for line in printable)
