"""A terminal in the sandbox, seen through a real one on the host."""

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
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
