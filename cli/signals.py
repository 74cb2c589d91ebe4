"""Signals: SIGTERM ends a command in order, Ctrl-C first interrupts the work and only then the program."""

import contextlib
import gc
import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType
from typing import TypeVar

from cli.exits import Terminated

Result = TypeVar("Result")
GRACE = 5.0  # seconds between SIGTERM and the end of whatever does not end in order


@contextlib.contextmanager
def termination_raises() -> Iterator[None]:
    """Outside the event loop, let SIGTERM unwind the stack, so that locks, terminals and files are put in order."""

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Terminated

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Interrupts:
    """What Ctrl-C does right now: end the piece of work that said how, or the program if none did."""

    def __init__(self) -> None:
        self.ended: BaseException | None = None
        self._interrupt: Callable[[], None] | None = None

    @contextlib.contextmanager
    def ending(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While the body runs, the first Ctrl-C calls `interrupt`; a second one ends the program."""
        self._interrupt = interrupt
        try:
            yield
        finally:
            self._interrupt = None

    def receive(self, number: signal.Signals) -> float | None:
        """Take note of a signal; the seconds until everything is cancelled, None if the work goes on.

        What can end in order is asked to: cancelled at once, a tool call could not even be told to stop.
        """
        interrupt, self._interrupt = self._interrupt, None
        if number == signal.SIGTERM:
            self.ended = Terminated()
        elif interrupt is None:
            self.ended = KeyboardInterrupt()
        if interrupt is None:
            return 0.0
        interrupt()
        return None if self.ended is None else GRACE


def run_async(work: Callable[[Interrupts], Awaitable[Result]]) -> Result:
    """Enter the event loop once, for a whole command; the error of a single task comes out as itself.

    Raises: KeyboardInterrupt or Terminated after the work was cancelled and has put everything in order.
    """
    import anyio

    interrupts = Interrupts()
    results: list[Result] = []

    async def listen(group: anyio.abc.TaskGroup, ready: anyio.Event) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            ready.set()
            async for number in received:
                grace = interrupts.receive(number)
                if grace is not None:
                    group.cancel_scope.deadline = anyio.current_time() + grace

    async def body() -> None:
        async with anyio.create_task_group() as group:
            ready = anyio.Event()
            group.start_soon(listen, group, ready)
            await ready.wait()
            results.append(await work(interrupts))
            group.cancel_scope.cancel()

    handler = signal.getsignal(signal.SIGTERM)
    if not gc.isenabled():  # `cli.main` has switched it off while all was loaded
        gc.freeze()
        gc.enable()
    try:
        anyio.run(body)
    except BaseExceptionGroup as group:
        raise interrupts.ended or _only(group) from group
    finally:
        signal.signal(signal.SIGTERM, handler)  # the event loop leaves SIG_DFL behind
    if interrupts.ended is not None:
        raise interrupts.ended
    return results[0]


def _only(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def abandon_stdout() -> None:
    """Whoever read our stdout is gone: keep the interpreter from complaining about it while it exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def prepare_streams() -> None:
    """Make the standard streams fit for anything: a closed one (`>&-`) is silent, any character can be written."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open as long as we live
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
