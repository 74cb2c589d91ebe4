"""The judge of what may leave: the rules, and where they name nothing, a person, if one can be asked."""

from collections.abc import Awaitable, Callable
from typing import Literal

import anyio

from sandbox.egress.rules import READS, Rules, Why

Answer = Literal["no", "read", "write"]
Ask = Callable[[str, int], Awaitable[Answer]]
"""Asked for a host and a port; what is answered holds as long as the sandbox is open."""

MOST_REFUSED = 8  # hosts; names can be invented without end, and who answers out of weariness says yes at last


class Judge:
    """One for a sandbox. `ask` is None where nobody can be asked; who has said no often enough is asked no more."""

    def __init__(self, rules: Rules, ask: Ask | None = None) -> None:
        self.rules = rules
        self._ask = ask
        self._asking = anyio.Lock()
        self._answers: dict[tuple[str, int], Answer] = {}

    async def refusal(self, host: str, port: int, method: str | None = None) -> Why | None:
        """Why a host in its one form may not be asked, None if it may. Without a method: whether anything may be."""
        why = self.rules.refusal(host, port, method)
        if why != "unlisted" or self._ask is None:
            return why
        async with self._asking:  # one question at a time, and each once
            if (host, port) not in self._answers:
                if list(self._answers.values()).count("no") >= MOST_REFUSED:
                    return why
                self._answers[host, port] = await self._ask(host, port)
        match self._answers[host, port]:
            case "no":
                return "unwanted"
            case "read" if method is not None and method not in READS:
                return "method"
            case _:
                return None
