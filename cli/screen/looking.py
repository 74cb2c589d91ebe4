"""The status line of a look at what changed: how far it is, so that nobody waits without knowing what for."""

import contextlib
from collections.abc import Callable, Iterator

from cli.screen.terminal import Terminal
from cli.words import count


@contextlib.contextmanager
def looking(terminal: Terminal) -> Iterator[Callable[[int, int], None]]:
    """While the block runs, the line is there; what comes is to be told of files and bytes, from any thread."""

    def tell(files: int, size: int) -> None:
        terminal.status(f"looking at what changed: {count(files, 'file')}, {size // 10**6:,} MB")

    terminal.status("looking at what changed")
    try:
        yield tell
    finally:
        terminal.close()
