"""Engines that are no plain rootful Docker, each alone in namespaces of its own.

They see neither the machine's engine nor its network, and end with the block, or with us. A rootless one belongs to a
user that exists in there only: the machine's own accounts and its ranges of ids are covered, not changed. What is to
use an engine runs in there as well, as its user.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import docker

from sandbox.engine import Engine
from sandbox.engine_places import EnginePlace
from tests.secondengine import namespaces, remove_cgroups

ROOT = Path(__file__).parents[1]
SECONDS = 60.0
USER, FIRST, MANY = 424_242, 5_000_000, 65_536
PREPARE = """
set -e
cd "$1"
ip link set lo up
for file in passwd group; do cp /etc/$file .; done
echo "tester:x:$2:$2::$1/home:/bin/sh" >> passwd
echo "tester:x:$2:" >> group
echo "tester:$3:$4" > subuid; cp subuid subgid
for file in passwd group subuid subgid; do mount --bind $file /etc/$file; done
mkdir -p home/tmp runtime data; chmod 700 runtime; chown $2:$2 home home/tmp runtime data
shift 4
for folder; do  # it would not be reached otherwise: its parents are closed to other users
    closed=$(dirname "$folder")
    while [ $(( 0$(stat -c %a "$closed") & 1 )) = 1 ]; do
        [ "$closed" != / ] || continue 2
        closed=$(dirname "$closed")
    done
    mkdir -p kept; mount --bind "$folder" kept
    mount -t tmpfs -o mode=755 none "$closed"
    mkdir -p "$folder"; mount --move kept "$folder"
done
"""
CONTAINERS = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""
Name = Literal["rootless-docker", "podman", "rootless-podman", "remapped-docker"]
NAMES = get_args(Name)


@dataclass(frozen=True)
class OtherEngine:
    """An engine that answers at `address`, in the namespaces of the process `inside`, for the user `uid`."""

    name: Name
    address: str
    folder: Path
    inside: int
    uid: int

    def run(self, argv: Sequence[str], *, uid: int | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program in there, as the engine's user or another, with this engine as the one that is named."""
        command = [*_entered(self.inside, self.uid if uid is None else uid), *argv]
        environment = {"DOCKER_HOST": self.address, **_environment(self.folder), **variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/")

    def python(self, *argv: str, uid: int | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """The same for a module of ours or of Python's, in the project's own environment."""
        more = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **variables}
        return self.run(["env", f"--chdir={ROOT}", sys.executable, *argv], uid=uid, **more)

    def home(self) -> Path:
        """A folder of the engine's user."""
        return self.folder / "home"

    @contextlib.contextmanager
    def connection(self) -> Iterator[Engine]:
        """A connection to it as we have it, from outside."""
        client = docker.APIClient(base_url=self.address, version="auto", timeout=int(SECONDS))
        with contextlib.closing(client):
            yield Engine(client, EnginePlace(self.address, self.name))

    def take(self, tag: str) -> None:
        """Copy an image from the machine's engine."""
        machines = docker.APIClient(version="auto", **docker.utils.kwargs_from_env())
        theirs = docker.APIClient(base_url=self.address, version="auto", timeout=int(SECONDS))
        with contextlib.closing(machines) as first, contextlib.closing(theirs) as second:
            said = list(second.load_image(first.get_image(tag)))
        assert not [line for line in said if "error" in line], said


@contextlib.contextmanager
def other_engine(name: Name) -> Iterator[OtherEngine]:
    """One of them, running and empty."""
    folder = Path(tempfile.mkdtemp(prefix="paddock-engine-"))
    folder.chmod(0o755)
    uid = USER if name.startswith("rootless") else 0
    try:
        with namespaces([Path("/run")]) as inside:
            reached = [sys.base_prefix, sys.prefix, str(ROOT)] if uid else []
            prepare = [
                *_entered(inside, 0),
                "bash",
                "-c",
                PREPARE,
                "bash",
                str(folder),
                str(USER),
                str(FIRST),
                str(MANY),
            ]
            subprocess.run([*prepare, *dict.fromkeys(reached)], check=True, timeout=SECONDS)
            (folder / "containers.conf").write_text(CONTAINERS)
            engine = OtherEngine(name, f"unix://{folder}/runtime/engine.sock", folder, inside, uid)
            with _serving(engine):
                yield engine
    finally:
        for left in (folder.name, "libpod_parent"):
            with contextlib.suppress(OSError):  # somebody else's Podman is at work there
                remove_cgroups(left)
        shutil.rmtree(folder)


@contextlib.contextmanager
def _serving(engine: OtherEngine) -> Iterator[None]:
    log = engine.folder / "log"
    command = [*_entered(engine.inside, engine.uid), *_COMMANDS[engine.name](engine.folder)]
    with log.open("ab") as output:
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment(engine.folder), cwd="/"
        )
    deadline = time.monotonic() + SECONDS
    while not _answers(engine.address):
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{engine.name} did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.05)
    try:
        yield
    finally:
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait(SECONDS)


def _rootless_docker(folder: Path) -> list[str]:
    """What `dockerd-rootless.sh` does, without a network: that would take a program more."""
    runtime = folder / "runtime"
    dockerd = (
        f"rm -f /run/docker /run/containerd; exec dockerd --data-root {folder}/data --exec-root {runtime}/exec"
        f" --pidfile {runtime}/pid --host unix://{runtime}/engine.sock"
        " --bridge none --iptables=false --ip-masq=false --ip-forward=false"
    )
    kit = ["rootlesskit", "--net=host", "--copy-up=/etc", "--copy-up=/run", "--propagation=rslave"]
    return [*kit, "--state-dir", str(runtime / "kit"), "sh", "-c", dockerd]


def _remapped_docker(folder: Path) -> list[str]:
    own = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    closed = ["--bridge", "none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"]
    address = ["--host", f"unix://{folder}/runtime/engine.sock", "--cgroup-parent", f"/{folder.name}"]
    return ["dockerd", *own, *closed, *address, "--userns-remap", "tester"]


def _podman(folder: Path) -> list[str]:
    own = ["--root", f"{folder}/data", "--runroot", f"{folder}/runroot", "--tmpdir", f"{folder}/tmp"]
    return ["podman", *own, "system", "service", "--time=0", f"unix://{folder}/runtime/engine.sock"]


def _rootless_podman(folder: Path) -> list[str]:
    return [
        "podman",
        "--storage-driver",
        "overlay",
        "system",
        "service",
        "--time=0",
        f"unix://{folder}/runtime/engine.sock",
    ]


_COMMANDS = {
    "rootless-docker": _rootless_docker,
    "podman": _podman,
    "rootless-podman": _rootless_podman,
    "remapped-docker": _remapped_docker,
}


def _entered(inside: int, uid: int) -> list[str]:
    enter = ["nsenter", "--target", str(inside), "--net", "--mount", "--pid"]
    return [*enter, "setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"] if uid else enter


def _environment(folder: Path) -> Mapping[str, str]:
    """What a program in there finds: nothing of ours but the way to programs."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(folder / "runtime"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "TMPDIR": str(folder / "home" / "tmp"),
    }


def _answers(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        try:
            connection.connect(address.removeprefix("unix://"))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False
