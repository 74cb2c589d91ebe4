"""Keys while a turn runs: Esc interrupts it, text waits for the next prompt, and so does Ctrl-D."""

import os
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

ALONE: Final = 0.05  # seconds after which an ESC is the key and not the start of a sequence
ESC: Final = b"\x1b"
CTRL_D: Final = "\x04"


class Keys:
    """Watches the terminal; `typed` is the text that came meanwhile, never taken for an answer to anything.

    `leaves`: Ctrl-D was pressed with nothing typed, which at the prompt ends the conversation.
    """

    def __init__(self, interrupt: Callable[[], None], descriptor: int | None = None) -> None:
        self.typed = ""
        self.leaves = False
        self._interrupt = interrupt
        self._scope = anyio.CancelScope()
        self._reading = anyio.Lock()
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor

    async def watch(self) -> None:
        """Watch until cancelled; the terminal is then what it was."""
        while True:
            async with self._reading:
                with anyio.CancelScope() as self._scope:
                    await self._watch()
                if not self._scope.cancelled_caught:
                    return

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """While the block runs, somebody else reads the keys."""
        self._scope.cancel()
        async with self._reading:
            yield

    async def _watch(self) -> None:
        before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSANOW)
        try:
            while True:
                await anyio.wait_readable(self._descriptor)
                data = os.read(self._descriptor, 1024)
                if not data:
                    return  # the terminal is gone; SIGHUP says the rest
                if data == ESC and await self._is_alone():
                    self._interrupt()
                elif not data.startswith(ESC):
                    self._keep(data)
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

    async def _is_alone(self) -> bool:
        with anyio.move_on_after(ALONE):
            await anyio.wait_readable(self._descriptor)
            os.read(self._descriptor, 1024)
            return False
        return True

    def _keep(self, data: bytes) -> None:
        for letter in data.decode("utf-8", "ignore"):
            if letter in "\x7f\x08":
                self.typed = self.typed[:-1]
            elif letter in "\r\n":
                self.typed += "\n"
            elif letter == CTRL_D:
                self.leaves = self.leaves or not self.typed.strip("\n")
            elif letter.isprintable():
                self.typed += letter
