"""One thing that `paddock doctor` looked at."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "missing", "failed"]


@dataclass(frozen=True)
class Check:
    """One fact. `note` is worth knowing; `missing` keeps paddock from working, and can be put there; `failed` is a
    sandbox that does not hold. `code` is the exit code it asks for.
    """

    name: str
    verdict: Verdict
    text: str
    code: int = 0
