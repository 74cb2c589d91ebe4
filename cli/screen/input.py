"""The prompt of a conversation: history, several lines, and a line below that says where things stand."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


class Input:
    """Reads prompts. `typed_ahead` is put into the next one, to be seen and sent by the user.

    `leaves`: the user has left before there was a next one.
    """

    def __init__(self, state: Path, toolbar: Callable[[], str]) -> None:
        self.typed_ahead = ""
        self.leaves = False
        self._state = state
        self._toolbar = toolbar
        self._session: PromptSession[str] | None = None

    async def read(self) -> str | None:
        """What the user sends; None when they leave (Ctrl-D). Ctrl-C drops the line."""
        if self.leaves:
            return None
        session = self._session or self._begin()
        self._session = session
        waiting, self.typed_ahead = self.typed_ahead.strip("\n"), ""
        while True:
            try:
                return await session.prompt_async("> ", default=waiting, handle_sigint=False)
            except KeyboardInterrupt:
                waiting = ""
            except EOFError:
                return None

    @staticmethod
    def aside() -> AbstractAsyncContextManager[None]:
        """While the block runs, somebody else has the terminal; what was typed so far is there again afterwards."""
        from prompt_toolkit.application import in_terminal

        return in_terminal()

    def _begin(self) -> "PromptSession[str]":
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory

        history = self._state / "history"
        os.close(os.open(history, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        return PromptSession(
            history=FileHistory(str(history)),
            multiline=True,
            key_bindings=_keys(),
            prompt_continuation="  ",
            bottom_toolbar=self._toolbar,
        )


def _keys() -> "KeyBindings":
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: "KeyPressEvent") -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j")
    def begin_line(event: "KeyPressEvent") -> None:
        event.current_buffer.insert_text("\n")

    return keys
