"""A person is asked about a host that no rule names, while what runs inside waits for the answer."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from cli.ask import Person, has_person
from cli.screen import safe
from cli.screen.terminal import Terminal

if TYPE_CHECKING:
    from sandbox.egress.judge import Answer, Ask

ANSWERS = {"r": "read from it (GET, HEAD)", "w": "write to it too", "n": "no"}

Aside = Callable[[], AbstractAsyncContextManager[None]]


def asker(terminal: Terminal, aside: Aside = nullcontext) -> "Ask | None":
    """Who is asked on this terminal, None if nobody can be. `aside` keeps others from reading keys meanwhile."""
    if not has_person():
        return None

    async def ask(host: str, port: int) -> "Answer":
        async with aside(), anyio.create_task_group() as tasks:
            reader, writer = os.pipe()
            try:
                tasks.start_soon(_give_up_when_cancelled, writer)
                person = Person(terminal, given_up=reader)
                question = f"network: what runs inside asks for {safe.line(f'{host}:{port}')}: let it?"
                try:
                    answer = await anyio.to_thread.run_sync(person.choose, question, ANSWERS, "n")
                except KeyboardInterrupt:  # a key, as the terminal is set just now
                    os.kill(os.getpid(), 2)
                    answer = "n"
                tasks.cancel_scope.cancel()
            finally:
                os.close(reader)
                os.close(writer)
        return "read" if answer == "r" else "write" if answer == "w" else "no"

    return ask


async def _give_up_when_cancelled(writer: int) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        os.write(writer, b"\n")
