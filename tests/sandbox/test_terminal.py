"""A terminal in the sandbox, seen through a real one on the host."""

import contextlib
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl

import pytest

from sandbox.sessions import Session

pytestmark = pytest.mark.engine

RUNNER = """
import sys, anyio
from pathlib import Path
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session
from sandbox.terminal import attach

async def main():
    async with opened(Session(Path(sys.argv[1])), Engine.connect()) as sandbox:
        return await attach(sandbox, ["bash", "--norc"])

sys.exit(anyio.run(main))
"""


def read_until(master: int, wanted: bytes, seconds: float = 20) -> bytes:
    seen = b""
    deadline = time.monotonic() + seconds
    while wanted not in seen:
        ready, _, _ = select.select([master], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, seen
        try:
            seen += os.read(master, 65536)
        except OSError:
            break
    assert wanted in seen, seen
    return seen


@contextlib.contextmanager
def shell(session: Session) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(session.path)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    try:
        os.write(master, b"echo re''ady\n")
        read_until(master, b"ready")
        yield master, process
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def test_a_flood_is_interrupted_while_it_floods(session: Session) -> None:
    with shell(session) as (master, process):
        os.write(master, b"yes\n")
        read_until(master, b"y\r\ny\r\ny\r\n" * 10_000)
        os.write(master, b"\x03")
        os.write(master, b"echo qui''et\n")
        after = read_until(master, b"quiet")
        assert len(after) < 8 * 1024 * 1024
        os.write(master, b"exit\n")
        assert process.wait(timeout=20) == 0


def test_jobs_are_stopped_listed_and_brought_back(session: Session) -> None:
    with shell(session) as (master, process):
        os.write(master, b"sleep 1000\n")
        time.sleep(0.5)
        os.write(master, b"\x1a")
        read_until(master, b"Stopped")
        os.write(master, b"fg\n")
        read_until(master, b"sleep 1000")
        time.sleep(0.5)
        os.write(master, b"\x03")
        os.write(master, b"exit 5\n")
        assert process.wait(timeout=20) == 5


def test_an_editor_draws_takes_keys_and_writes(session: Session) -> None:
    with shell(session) as (master, process):
        os.write(master, b"nano new.txt\n")
        read_until(master, b"new.txt")
        time.sleep(0.5)
        os.write(master, b"typed\x0f\r")  # Ctrl-O writes
        read_until(master, b"Wrote 1 line")
        os.write(master, b"\x18")  # Ctrl-X leaves
        time.sleep(0.3)
        os.write(master, b"cat new.txt; exit\n")
        read_until(master, b"typed\r\n")
        assert process.wait(timeout=20) == 0


def test_a_shell_has_a_terminal_that_resizes_interrupts_and_gives_its_exit_code(session: Session) -> None:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(session.path)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    try:
        os.write(master, b"stty size; tty; id -u; echo re''ady\n")
        seen = read_until(master, b"ready")
        assert b"33 99" in seen
        assert b"/dev/pts/0" in seen
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.kill(process.pid, 28)  # SIGWINCH: the test is not the session's leader, so the kernel does not send it
        time.sleep(0.3)
        os.write(master, b"stty size; sleep 100\n")
        read_until(master, b"40 120")
        time.sleep(0.3)
        os.write(master, b"\x03")
        os.write(master, b"echo inter''rupted; exit 7\n")
        read_until(master, b"interrupted")
        assert process.wait(timeout=20) == 7
        assert termios.tcgetattr(slave) == before
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)
