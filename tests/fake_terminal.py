"""A terminal for a process of the fake sandbox: a real one of this machine."""

import contextlib
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Sequence

import anyio

from sandbox.base import OnOutput
from sandbox.guest.files import reads_terminal
from sandbox.guest.processes import in_group

ON_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # whoever runs the tests in the background ignores it
os.execvp(sys.argv[1], sys.argv[1:])
"""


class FakeTerminal:
    """Both ends of one; the program's goes to the process that is started on it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.ours, self.theirs = pty.openpty()
        self._set(*size)
        os.set_blocking(self.ours, False)

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The program as the leader of a session that has this terminal."""
        return ["python3", "-c", ON_TERMINAL, *argv]

    def _set(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def send(self, data: bytes) -> None:
        """Type."""
        while data:
            await anyio.wait_writable(self.ours)
            data = data[os.write(self.ours, data) :]

    async def resize(self, rows: int, columns: int) -> None:
        """Change its size."""
        self._set(rows, columns)

    async def waits(self) -> bool:
        """Whether somebody reads it now."""
        return any(map(reads_terminal, in_group(os.tcgetpgrp(self.ours))))

    async def follow(self, hear: OnOutput) -> None:
        """Tell what comes out of it, to its end."""
        with contextlib.suppress(OSError):  # EIO: the last holder of the other end is gone
            while True:
                await anyio.wait_readable(self.ours)
                hear("stdout", os.read(self.ours, 1 << 16))

    def close_theirs(self) -> None:
        """The process has it now."""
        os.close(self.theirs)

    def close(self) -> None:
        """Nobody draws any more."""
        os.close(self.ours)
