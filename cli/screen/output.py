"""Where a run's output goes: one terminal for people; answer and progress apart in a pipe; JSON for programs."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli import place
from cli.screen import safe
from cli.screen.events import Screen, TextScreen
from cli.screen.stream_json import JsonScreen
from cli.screen.terminal import Terminal
from cli.truth import Truth, Unchanged, as_json, sentence

if TYPE_CHECKING:
    from cli.agent import Setup
    from cli.order import Order
    from runtime.events import Event


@dataclass(frozen=True)
class Output:
    """`answer` is stdout, `progress` what is said besides; on a terminal both are the same."""

    answer: Terminal
    progress: Terminal
    screen: Screen

    @classmethod
    def of(cls, order: "Order") -> "Output":
        """The output an order asks for."""
        answer = place.stdout()
        match order.output:
            case "text":
                progress = answer if answer.is_terminal else place.stderr()
                return cls(
                    answer,
                    progress,
                    TextScreen(answer, progress, verbose=order.verbose, is_priced=order.script is None),
                )
            case "json" | "stream-json" as shape:
                screen = JsonScreen(answer.write, partial=order.partial, only_result=shape == "json")
                return cls(answer, place.stderr(), screen)

    def guarded(self, interrupt: Callable[[], None]) -> "Guarded":
        """The screen, as what an agent may call: when our reader has gone, `interrupt` is called and nothing raised."""
        return Guarded(self.screen, interrupt)

    def head(self, setup: "Setup") -> None:
        """Say what works where, before anything happens."""
        if isinstance(self.screen, JsonScreen):
            self.screen.sandbox = setup.agreed.as_json()
            return
        from sandbox.workspace.tree import described

        meta = setup.session.meta()
        model = "a script" if setup.order.script is not None else setup.model.full_name
        where = f"a copy of {_short(meta.checkout, setup.here.environment.home)}"
        base = f"base: {described(setup.session)}"
        image = f"image {meta.image_name}"
        parts = (f"session {setup.session.id[:8]}", where, base, image, setup.agreed.described, model)
        text = safe.line(" · ".join(parts))
        self.progress.line(self.progress.style(text, "dim"))
        self.progress.line()
        self.progress.status("thinking")

    def close(self) -> None:
        """The run is over; what comes now is the gate's."""
        self.screen.close()
        self.progress.close()

    def end(self, truth: Truth) -> None:
        """The last line: the truth about the host."""
        if isinstance(self.screen, JsonScreen):
            self.screen.settle(as_json(truth))
            self.progress.line(sentence(truth))
            return
        self.progress.end_line()
        if self.progress.is_terminal:
            self.progress.line()
        self.answer.line(self.answer.style(sentence(truth), "green" if isinstance(truth, Unchanged) else "bold"))


def _short(path: str, home: os.PathLike[str]) -> str:
    prefix = f"{os.fspath(home)}/"
    return f"~/{path[len(prefix) :]}" if path.startswith(prefix) and len(prefix) > 2 else path


class Guarded:
    """Draws events until nobody reads them any more. `is_closed`: our reader went away."""

    def __init__(self, screen: Screen, interrupt: Callable[[], None]) -> None:
        self.is_closed = False
        self._screen = screen
        self._interrupt = interrupt

    def __call__(self, event: "Event", /) -> None:
        """Draw one event; never raises for a stream that is gone."""
        if self.is_closed:
            return
        try:
            self._screen(event)
        except OSError:
            self.is_closed = True
            self._interrupt()
