"""An engine behind SSH: the system's own `ssh` brings its socket here, over one connection for the whole process.

So the user's configuration, agent and known hosts count as they do for `ssh` itself, a key that has to be touched is
touched once, and each new connection to the engine costs one round trip. On the far side no program is needed.
"""

import atexit
import functools
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sandbox.escape import escape

FOLDERS = "/tmp"  # noqa: S108 - a socket's name has at most 108 bytes; the folder is made anew, for us alone
SECONDS = 60.0
"""Of patience until it stands: a key may have to be touched."""
OPTIONS = (
    *("BatchMode=yes", "ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=3", "LogLevel=INFO"),
    *("ControlMaster=no", "ControlPath=none"),  # a connection that is shared would keep our socket when we are gone
    "ExitOnForwardFailure=no",  # forwards that the user has configured may be taken already
)
HOLDING = """
exec 3<&0
ssh "$@" < /dev/null 3<&- & ssh=$!
{ read -r _; kill $ssh; } <&3 2> /dev/null & watch=$!
wait $ssh; code=$?
kill $watch 2> /dev/null
rm -rf -- "$0"
exit $code
"""
"""However we end, the pipe to this closes: so `ssh` ends with us, and leaves no socket behind."""
_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>[^@:/?#\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:/?#\[\]\s]+)(?::(?P<port>\d+))?(?P<path>/[^:?#%$\s]*)?"
)


@dataclass(frozen=True)
class Far:
    """Where `ssh` goes, and the engine's socket there. `port` is empty for ssh's own choice."""

    destination: str
    port: str
    socket: str

    @classmethod
    def of(cls, address: str) -> "Far":
        """Read an address. Raises ValueError; a password cannot be in it."""
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise ValueError("an engine over SSH is named ssh://[user@]host[:port][/path/of/its/socket]")
        user, path = found["user"], found["path"] or ""
        return cls(
            f"{user}@{found['host'].strip('[]')}" if user else found["host"].strip("[]"),
            found["port"] or "",
            path if path.strip("/") else "/var/run/docker.sock",
        )

    @property
    def arguments(self) -> list[str]:
        """What `ssh` is told to get there."""
        return [*(["-p", self.port] if self.port else []), "--", self.destination]


class Tunnel:
    """The way to one engine. `socket` is where that answers here, as long as it is open."""

    def __init__(self, far: Far) -> None:
        self._far = far
        self._folder = Path(FOLDERS, f"paddock-ssh-{secrets.token_hex(8)}")
        self.socket = self._folder / "engine.sock"
        self._opening = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._words: IO[bytes] | None = None

    def open(self) -> None:
        """Make sure that it stands; one that broke is made anew. Raises ConnectionError with ssh's own reason."""
        with self._opening:
            if self._process is None or self._process.poll() is not None or not self.socket.exists():
                self.close()
                self._start()

    def close(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self._words is not None:
            self._words.close()
            self._words = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        if shutil.which("ssh") is None:
            raise ConnectionError("there is no `ssh` on this machine (Debian's package is openssh-client)")
        options = [word for one in OPTIONS for word in ("-o", one)]
        forward = ["-N", "-T", "-L", f"{self.socket}:{self._far.socket}"]
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        try:
            self._folder.mkdir(mode=0o700)
            self._process = subprocess.Popen(
                ["sh", "-c", HOLDING, str(self._folder), *options, *forward, *self._far.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                start_new_session=True,  # Ctrl-C is for us; and it has no terminal on which to ask
            )
        except OSError as error:
            raise ConnectionError(f"ssh could not be started: {error.strerror}") from error
        deadline = time.monotonic() + SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                reason = self._last_words or "ssh: no answer in time"
                self.close()
                raise ConnectionError(f"{reason}; `{self._by_hand}` tells more")
            time.sleep(0.01)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as one:
            try:
                one.connect(str(self.socket))
            except OSError:
                return False
        return True

    @property
    def _by_hand(self) -> str:
        return shlex.join(["ssh", *self._far.arguments])

    @property
    def _last_words(self) -> str:
        """The last line of what ssh complained of, which may come from the far side."""
        if self._words is None:
            return ""
        descriptor = self._words.fileno()
        size = os.fstat(descriptor).st_size
        line = os.pread(descriptor, 2000, max(0, size - 2000)).strip().rpartition(b"\n")[2].strip()
        return f"ssh: {escape(line.removeprefix(b'ssh: ')).rstrip('.')}" if line else ""

    @property
    def silence(self) -> str:
        """Why no engine answers, although ssh is there; which of it holds, sshd does not say."""
        return (
            f"nothing answers at {self._far.socket} of {self._far.destination}: no engine is there, you may not use "
            "it, or sshd forwards no sockets (AllowStreamLocalForwarding). Another socket is named at the end, as in "
            "ssh://host/run/user/1000/docker.sock"
        )


@functools.cache
def tunnel(address: str) -> Tunnel:
    """The one way to this engine that the process has. Raises ValueError for an address that makes no sense."""
    made = Tunnel(Far.of(address))
    atexit.register(made.close)
    return made
