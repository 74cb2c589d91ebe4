"""Timing things in turn: A B A B …, so that a machine whose speed drifts bends both alike; medians and their ratio."""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Step = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Row:
    """One line of the table: ours, theirs, and what we said we would reach (`most` for a ratio, or for seconds)."""

    what: str
    seconds: float
    against: str = ""
    their_seconds: float | None = None
    reach: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs: below 1 is faster."""
        return self.seconds / self.their_seconds if self.their_seconds else None


async def in_turn(steps: Mapping[str, Step], *, rounds: int, warm: int = 1) -> Mapping[str, float]:
    """The median seconds of each step, over `rounds` turns after `warm` that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + warm):
        for name, step in steps.items():
            began = time.perf_counter()
            await step()
            if number >= warm:
                taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def table(rows: list[Row]) -> str:
    """The rows for people to read."""
    lines = [f"{'what':58}{'ours':>12}  {'ratio':>8}  {'against':34}reach", "-" * 128]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} ×"
        against = row.against if row.their_seconds is None else f"{row.against} ({shown(row.their_seconds)})"
        lines.append(f"{row.what:58}{shown(row.seconds):>12}  {ratio:>8}  {against:34}{row.reach}")
    return "\n".join(lines)


def shown(seconds: float) -> str:
    """Seconds in the unit that reads best."""
    return f"{seconds * 1000:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"
