"""A terminal in the sandbox: keys go in, bytes come out, the window's size follows."""

import fcntl
import json
import os
import signal
import struct
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import anyio
import anyio.abc

from sandbox.base import Command
from sandbox.channel import Stream
from sandbox.docker_sandbox import DockerSandbox
from sandbox.errors import SandboxLost
from sandbox.frames import CHUNK, WINDOW, Kind
from sandbox.running import done_of


async def attach(sandbox: DockerSandbox, argv: Sequence[str], *, stdin: int = 0, stdout: int = 1) -> int:
    """Run a program on a terminal of its own, wired to ours (which must be one) until it ends; returns its exit code.

    What the program prints goes to the terminal as it is: the user asked for exactly that.
    Raises: SandboxLost.
    """
    command = Command(argv, sandbox.root, env={"TERM": os.environ.get("TERM", "xterm-256color")})
    async with sandbox.using() as container, container.channel.stream() as stream:
        await stream.open({**sandbox.request(command), "terminal": _size(stdout)})
        with _raw(stdin):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_keys, stream, stdin)
                tasks.start_soon(_resizes, stream, stdout)
                exit_code = await _screen(stream, stdout)
                tasks.cancel_scope.cancel()
    return exit_code


async def _screen(stream: Stream, stdout: int) -> int:
    owed = 0
    while (frame := await stream.receive()).kind is not Kind.DONE:
        data = frame.payload[1:]
        owed += len(data)
        while data:
            await anyio.wait_writable(stdout)
            data = data[os.write(stdout, data) :]
        if owed >= WINDOW // 2:
            await stream.grant(owed)
            owed = 0
    return done_of(frame).exit


async def _keys(stream: Stream, stdin: int) -> None:
    while True:
        await anyio.wait_readable(stdin)
        data = os.read(stdin, CHUNK)
        try:
            if not data:
                await stream.send(Kind.KILL)  # our own terminal is gone
                return
            await stream.send(Kind.DATA, b"\x00" + data)
        except SandboxLost:
            return  # the screen's side says so


async def _resizes(stream: Stream, stdout: int) -> None:
    with anyio.open_signal_receiver(signal.SIGWINCH) as signals:
        async for _ in signals:
            await stream.send(Kind.RESIZE, json.dumps(_size(stdout)).encode())


def _size(descriptor: int) -> list[int]:
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, b"\0" * 8))
    return [rows or 24, columns or 80]


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """Every key goes to the sandbox, Ctrl-C too; the terminal is what it was afterwards."""
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSADRAIN)  # what was typed ahead is not lost
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
