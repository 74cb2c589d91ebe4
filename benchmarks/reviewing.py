"""How long a person waits for a command to show something: the real command, as a process, on a terminal."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

from benchmarks.bench import Bench
from sandbox.sessions import Session

KEYS = b"accept"  # a word of the review's last line: it is drawn when the rest is
SECONDS = 60.0


def until_reviewed(bench: Bench, session: Session) -> float:
    """Seconds from `paddock review` to its first screen, Python's own start in it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "review", session.id],
        env={**os.environ, **bench.variables(), "TERM": "xterm-256color"},
        cwd=session.meta().checkout,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        _read_until(master, KEYS)
        return time.perf_counter() - began
    finally:
        process.kill()
        process.wait()
        os.close(master)


def until_listed(bench: Bench, session: Session) -> float:
    """Seconds of a whole `paddock status`."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "cli.main", "status", session.id],
        env={**os.environ, **bench.variables()},
        cwd=session.meta().checkout,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def _read_until(master: int, wanted: bytes) -> None:
    deadline = time.monotonic() + SECONDS
    seen = b""
    while wanted not in seen:
        if not select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise RuntimeError(f"no {wanted.decode()!r} within {SECONDS:.0f} s: {seen[-500:]!r}")
        seen += os.read(master, 65536)
