"""What the rules say about one change."""

from dataclasses import dataclass

from runtime.permissions.rules import Judgement, Rule
from sandbox.gate.effects import Marked


@dataclass(frozen=True)
class Verdict:
    """Whether a change may be applied, and why. `rule` is the one that decided, None if none did."""

    decision: Judgement
    reason: str
    rule: Rule | None = None
    effects: tuple[Marked, ...] = ()

    @property
    def is_ordinary(self) -> bool:
        """Whether a blanket allow (`--apply auto`, `--yes`) covers it: no rule holds it back, and no effect does."""
        return self.decision == "allow" or (self.decision == "ask" and self.rule is None and not self.effects)

    @property
    def short(self) -> str:
        """Why it waits, in two or three words, for counting; empty for an ordinary change."""
        match self.decision:
            case "deny":
                return "denied by a rule"
            case "ask" if self.rule is not None:
                return "a rule asks"
            case "ask" if self.effects:
                return self.effects[0].effect.value
            case _:
                return ""
