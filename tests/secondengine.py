"""An engine of the tests' own, to be killed and started again, that cannot touch the one this machine runs on.

It lives in namespaces of its own. Network: a second engine would take the bridge from the first. Mounts: nobody else
sees what it mounts, and it does not see what is hidden from it. Processes: with the first of them all the others end,
those of its containers too, so that nothing is left whatever becomes of the test.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import docker
import pytest

from sandbox.engine import Engine
from sandbox.engine_places import EnginePlace

CGROUPS = Path("/sys/fs/cgroup")
SECONDS = 60.0
MARKS = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.xdist_group("second engine"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # docker-py leaves a socket open
]
"""Of the tests that use one."""
_HELD_OPEN = """
for folder; do mount -t tmpfs none "$folder" || exit; done
echo open; sleep infinity & wait
"""


class SecondEngine:
    """A dockerd in a folder of its own; its images and containers outlast a kill, as on any machine."""

    def __init__(
        self, folder: Path, inside: int, runtimes: Mapping[str, Path] | None = None, options: Sequence[str] = ()
    ) -> None:
        self._runtimes = dict(runtimes or {})
        self._options = options
        self.address = f"unix://{folder}/socket"
        self._folder = folder
        self.inside = inside
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self, *, live_restore: bool = False) -> None:
        """Start it, or start it again, and return when it answers; `live_restore`: what runs on it goes on."""
        (self._folder / "pid").unlink(missing_ok=True)
        command = [
            *("nsenter", "--target", str(self.inside), "--net", "--mount", "--pid", "dockerd"),
            *("--data-root", str(self._folder / "data"), "--exec-root", str(self._folder / "exec")),
            *("--pidfile", str(self._folder / "pid"), "--host", self.address),
            *("--bridge", "none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"),
            *self._options,
            *(f"--add-runtime={name}={path}" for name, path in self._runtimes.items()),
            *("--cgroup-parent", f"/{self._folder.name}", f"--live-restore={str(live_restore).lower()}"),
        ]
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + SECONDS
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the second engine did not start:\n{(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it with -9, and only it: what its containers run goes on."""
        assert self._daemon is not None
        os.kill(child(self._daemon.pid), signal.SIGKILL)
        self._daemon.wait(SECONDS)
        self._daemon = None

    def is_running(self) -> bool:
        """Whether it was started, and neither was killed nor ended by itself."""
        return self._daemon is not None and self._daemon.poll() is None

    @contextlib.contextmanager
    def client(self) -> Iterator[docker.APIClient]:
        """A connection to it as docker-py has it."""
        client = docker.APIClient(base_url=self.address, version="auto", timeout=int(SECONDS))
        try:
            yield client
        finally:
            client.close()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Engine]:
        """A connection to it as we have it."""
        with self.client() as client:
            yield Engine(client, EnginePlace(self.address, "a test's own"))

    def take(self, tag: str) -> None:
        """Copy an image from the machine's engine."""
        machines = docker.APIClient(version="auto", **docker.utils.kwargs_from_env())
        with contextlib.closing(machines) as first, self.client() as second:
            said = list(second.load_image(first.get_image(tag)))
        assert not [line for line in said if "error" in line], said

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            try:
                connection.connect(self.address.removeprefix("unix://"))
                connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
                return b" 200 " in connection.recv(64)
            except OSError:
                return False


@contextlib.contextmanager
def second_engine(
    *, hides: Sequence[Path] = (), runtimes: Mapping[str, Path] | None = None, options: Sequence[str] = ()
) -> Iterator[SecondEngine]:
    """A second engine, running; `hides`: folders of this machine that are empty to it, as to an engine far away.

    `runtimes` are programs it can run containers with, besides runc; `options` are more of the daemon's own.
    """
    folder = Path(tempfile.mkdtemp(prefix="paddock-engine-"))
    try:
        with namespaces([Path("/run"), *hides]) as inside:
            engine = SecondEngine(folder, inside, runtimes, options)
            try:
                engine.start()
                yield engine
            finally:
                if engine.is_running():
                    engine.kill()
    finally:
        remove_cgroups(folder.name)
        shutil.rmtree(folder)


@contextlib.contextmanager
def namespaces(hidden: Sequence[Path]) -> Iterator[int]:
    """Namespaces that end, with all that runs in them, with the block or with us; the process that holds them open."""
    command = [
        *("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--propagation", "private"),
        *("--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", _HELD_OPEN, "bash", *map(str, hidden)),
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"open\n"
            yield (inside := child(holder.pid))
        finally:
            holder.kill()
    deadline = time.monotonic() + SECONDS
    while Path(f"/proc/{inside}").exists():  # the last to go: the kernel ends all others first
        assert time.monotonic() < deadline
        time.sleep(0.01)


def child(pid: int) -> int:
    """The one child of a process."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return int(child)


def remove_cgroups(name: str) -> None:
    """Remove what an engine left of its own control groups, in every hierarchy."""
    for top in (*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            Path(folder).rmdir()
