"""One run: what it adds up on its way, and how it ends."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.answer import text_of
from runtime.events import Denied, Event, Finished, Notice, Outcome, Usage
from runtime.usage import add, is_plausible, usage_of
from sandbox.errors import SandboxError, SandboxLost
from sandbox.limits import LimitName

GOES_ON = ("max_tokens", "pause_turn")
"""Reasons to stop after which the same answer goes on in the next message."""

MOST_LOSSES = 1
"""Sandboxes that may die in one run: what kills a second one would kill the third."""


class Ended(Exception):
    """The run is over before the model was done; carries how, and the sentence that explains it."""

    def __init__(self, outcome: Outcome, error: str = "") -> None:
        super().__init__(error)
        self.outcome: Outcome = outcome
        self.error = error


@dataclass
class Run:
    """What one run adds up. `text` is the last answer a reader saw, `continued` how often one was asked to go on."""

    emit: Callable[[Event], None]
    model: str
    started: float = field(default_factory=time.monotonic)
    turns: int = 0
    continued: int = 0
    api_seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    text: str = ""
    stop_reason: str | None = None
    denials: list[Denied] = field(default_factory=list)
    losses: int = 0
    limits: Counter[LimitName] = field(default_factory=Counter)

    def take(self, message: Mapping[str, Any], stop_reason: str | None) -> None:
        """Count a whole answer as a turn."""
        self.turns += 1
        said = text_of(message)
        self.text = self.text + said if self.stop_reason in GOES_ON else said or self.text
        self.stop_reason = stop_reason

    def count(self, message: Mapping[str, Any]) -> Usage:
        """What an answer used, added to the run's own sum; the user hears of counts that cannot be."""
        used = message["usage"]
        if not is_plausible(used):
            self.emit(Notice("the service reported impossible token counts: costs are only roughly right", "warning"))
        usage = usage_of(str(message.get("model") or self.model), used)
        if usage.dollars is None:
            usage = replace(usage, dollars=usage_of(self.model, used).dollars)
        self.usage = add(self.usage, usage)
        return usage

    def survive(self, error: SandboxError) -> None:
        """Go on after a sandbox that died under a call, once. Raises whatever else there is, and the second death."""
        if not isinstance(error, SandboxLost):
            raise error
        self.losses += 1
        if self.losses > MOST_LOSSES:
            raise SandboxLost(f"{error}; it was the second time in this turn, so the turn ends here") from error
        self.emit(Notice(f"{error}; the model is told, and a new one takes its place", "warning"))

    def finished(self, outcome: Outcome, error: str) -> Finished:
        """The event that ends the run."""
        return Finished(
            outcome=outcome,
            text=self.text,
            turns=self.turns,
            seconds=time.monotonic() - self.started,
            api_seconds=self.api_seconds,
            usage=self.usage,
            model=self.model,
            stop_reason=self.stop_reason,
            error=error,
            denials=tuple(self.denials),
            limits=dict(self.limits),
        )
