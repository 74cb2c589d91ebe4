"""The real `paddock` command, in a process of its own: in a pipe, and on a terminal that a program reads."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyte
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "cli.main"]
Paddock = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def variables(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a test: nothing of this user's, state in a folder of its own."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty folder to stand in."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def paddock(variables: Mapping[str, str], elsewhere: Path) -> Paddock:
    """Runs `paddock` with pipes instead of a terminal."""

    def run(
        *arguments: str, cwd: Path | None = None, stdin: str = "", **more: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=cwd or elsewhere,
            env={**variables, **more},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


class Emulator:
    """`paddock` on a terminal; `screen` is what a person sees, `raw` every byte that was sent to it."""

    def __init__(self, master: int, process: "subprocess.Popen[bytes]", columns: int, rows: int) -> None:
        self.master = master
        self.process = process
        self.raw = b""
        self._screen = pyte.HistoryScreen(columns, rows, history=1000, ratio=1)
        self._screen.write_process_input = lambda data: os.write(master, data.encode())  # where the cursor is
        self._stream = pyte.ByteStream(self._screen)

    @property
    def screen(self) -> str:
        """The rows on the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def wait_for(self, text: str, seconds: float = 60, *, times: int = 1) -> None:
        """Read until the text is on the screen, so many times."""
        deadline = time.monotonic() + seconds
        while self.screen.count(text) < times:
            assert time.monotonic() < deadline, f"no {text!r} on:\n{self.screen}"
            self._read(0.1)

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def send_between_prompts(self, keys: str, seconds: float = 60) -> None:
        """Press keys while no prompt reads them: it alone takes Ctrl-C as a key and not as a signal."""
        deadline = time.monotonic() + seconds
        while not termios.tcgetattr(self.master)[3] & termios.ISIG:
            assert time.monotonic() < deadline, f"still at the prompt:\n{self.screen}"
            self._read(0.001)
        self.send(keys)

    def press(self, key: str, then: str, seconds: float = 60) -> None:
        """Press a key until it has done what it does: one that comes before the screen is ready counts for nothing."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while self._read(0.3):  # until the screen has come to rest
                pass
            self.send(key)
            if self._sees(then, 5):
                return
        raise AssertionError(f"no {then!r} after {key!r} on:\n{self.screen}")

    def _sees(self, text: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while text not in self.screen and time.monotonic() < deadline:
            self._read(0.1)
        return text in self.screen

    def end(self, seconds: float = 60) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running:\n{self.screen}"
            self._read(0.1)
        while self._read(0.1):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the last one on the other side has closed it
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


@pytest.fixture
def terminal(variables: Mapping[str, str], elsewhere: Path) -> Iterator[Callable[..., Emulator]]:
    """Runs `paddock` on a terminal of 80 columns and 40 rows."""
    with contextlib.ExitStack() as stack:

        def run(*arguments: str, cwd: Path | None = None, **more: str) -> Emulator:
            master, slave = pty.openpty()
            stack.callback(os.close, master)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=cwd or elsewhere,
                env={**variables, **more},
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
            os.close(slave)
            stack.callback(_stop, process)
            return Emulator(master, process, 80, 40)

        yield run


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    process.wait(20)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small checkout."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    (folder / ".gitignore").write_text("*.log\n")
    return folder


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Writes a script of tool calls, the last turn being only text; its path."""

    def write(*turns: str) -> str:
        path = tmp_path / "script.yaml"
        path.write_text("turns:\n" + "".join(f"  - {turn}\n" for turn in turns))
        return str(path)

    return write
