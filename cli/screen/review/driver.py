"""The terminal under the full-screen review: drawn on stdout, and deaf to what was typed before it began."""

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Iterator
from typing import Final

from textual.drivers.linux_driver import LinuxDriver

TOUCHED: Final = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
"""Signals that textual takes and does not give back."""


class TerminalDriver(LinuxDriver):
    """Textual's own driver draws on stderr, which may be a log file while somebody sits at stdout."""

    def start_application_mode(self) -> None:
        """What was typed so far was not meant for this screen."""
        self._file = sys.__stdout__ or self._file
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)
        super().start_application_mode()  # type: ignore[no-untyped-call]  # textual leaves it without types


@contextlib.contextmanager
def put_back(*, has_color: bool) -> Iterator[None]:
    """What textual takes from the process, it has again afterwards: signal handlers, NO_COLOR, the terminal's modes."""
    from cli.ask import terminal_restored

    handlers = {number: signal.getsignal(number) for number in TOUCHED}
    try:
        with terminal_restored():
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if not has_color:
            os.environ["NO_COLOR"] = "1"
