"""The user and the agent of a random history: what each of them does to a file (see `tests.attacks.histories`)."""

import os
import stat
from dataclasses import dataclass
from typing import Any

from sandbox.gate.bases import Bases


@dataclass
class Actors:
    """Both, at one gate (tests.sandbox.conftest.Gate). Every line that one of them adds holds a word of its own."""

    gate: Any
    words: int = 0

    # the user

    def _user_edits(self, path: str, number: int) -> None:
        file = self.gate.checkout / path
        if not file.exists():
            return
        text = self._with_word(file.read_text(), "user", number)
        if number % 2:
            file.write_text(text)
        else:
            draft = self.gate.checkout / "draft~"
            draft.write_text(text)
            draft.chmod(stat.S_IMODE(file.stat().st_mode))
            draft.rename(file)

    def _user_deletes(self, path: str, _: int) -> None:
        (self.gate.checkout / path).unlink(missing_ok=True)

    def _user_makes_executable(self, path: str, _: int) -> None:
        file = self.gate.checkout / path
        if file.exists():
            file.chmod(0o755)

    def _user_touches(self, path: str, _: int) -> None:
        file = self.gate.checkout / path
        if file.exists():
            os.utime(file)

    # the agent, whose view is the overlay's

    def _view(self, path: str) -> str | None:
        upper, lower = self.gate.upper / path, self.gate.checkout / path
        if os.path.lexists(upper):
            return upper.read_text() if stat.S_ISREG(upper.lstat().st_mode) else None
        return lower.read_text() if lower.exists() else None

    def _agent_reads(self, path: str, _: int) -> None:
        text = self._view(path)
        if text is not None:
            Bases(self.gate.session).agree(path.encode(), text.encode())

    def _agent_edits(self, path: str, number: int) -> None:
        text = self._with_word(self._view(path) or "", "agent", number)
        upper, lower = self.gate.upper / path, self.gate.checkout / path
        mode = next((file.lstat().st_mode for file in (upper, lower) if file.is_file()), 0o644)
        self._clear(path)
        self.gate.put(path, text, stat.S_IMODE(mode))

    def _agent_deletes(self, path: str, _: int) -> None:
        text = self._view(path)
        if text is None or "user-" in text:
            return
        self._clear(path)
        if (self.gate.checkout / path).exists():
            (self.gate.upper / path).parent.mkdir(exist_ok=True)
            self.gate.whiteout(path)

    def _agent_makes_executable(self, path: str, _: int) -> None:
        text = self._view(path)
        if text is not None:
            self._clear(path)
            self.gate.put(path, text, 0o755)

    def _clear(self, path: str) -> None:
        upper = self.gate.upper / path
        if os.path.lexists(upper):
            upper.unlink()

    def _with_word(self, text: str, who: str, number: int) -> str:
        self.words += 1
        lines = text.splitlines(keepends=True)
        place = (number >> 4) % (len(lines) + 1)
        return "".join([*lines[:place], f"{who}-{self.words}\n", *lines[place:]])
