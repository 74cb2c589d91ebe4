"""A person is asked about a host that no rule names, while what runs inside waits for the answer."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from cli.ask import Person, has_person
from cli.screen import safe
from cli.screen.terminal import Terminal
from sandbox.tasks import beside

if TYPE_CHECKING:
    from sandbox.egress.judge import Answer, Ask

ANSWERS: Final = {"r": "read from it (GET, HEAD)", "w": "write to it too", "n": "no"}
MEANINGS: "Final[Mapping[str, Answer]]" = {"r": "read", "w": "write", "n": "no"}

Aside = Callable[[], AbstractAsyncContextManager[None]]


def asker(terminal: Terminal, aside: Aside = nullcontext) -> "Ask | None":
    """Who is asked on this terminal, None if nobody can be. `aside` keeps others from reading keys meanwhile."""
    if not has_person():
        return None

    async def ask(host: str, port: int) -> "Answer":
        question = f"network: may what runs inside reach {safe.line(f'{host}:{port}')}?"
        async with aside():
            with _pipe() as (reader, writer):
                person = Person(terminal, given_up=reader)
                async with beside() as tasks:
                    tasks.start_soon(_give_up_when_cancelled, writer)
                    try:
                        letter = await anyio.to_thread.run_sync(person.choose, question, ANSWERS, "n")
                    except KeyboardInterrupt:  # it came as a key, as the terminal is set for a question
                        os.kill(os.getpid(), signal.SIGINT)
                        letter = "n"
                    tasks.cancel_scope.cancel()
        return MEANINGS[letter]

    return ask


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


async def _give_up_when_cancelled(writer: int) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        os.write(writer, b"\n")
