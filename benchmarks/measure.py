"""Timing things in turn: A B A B …, so that a machine whose speed drifts bends both alike; medians and their ratio."""

import math
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

Step = Callable[[], Awaitable[object]]
"""What is measured. One that returns a float has timed itself, in seconds."""
Unit = Literal["seconds", "bytes", "a second"]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """One line of the table: ours, theirs, and what we said we would reach."""

    what: str
    ours: float
    against: str = ""
    theirs: float | None = None
    reach: str = ""
    unit: Unit = "seconds"

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs: below 1 is faster, or smaller; of a rate, above 1 is faster."""
        return self.ours / self.theirs if self.theirs else None


@dataclass(frozen=True)
class Growth:
    """Seconds (or a ratio) at several sizes; `of` says sizes of what."""

    what: str
    at: Mapping[int, float]
    of: str
    is_ratio: bool = False

    @property
    def exponent(self) -> float:
        """The power of the size that the cost follows, from the first size to the last: 0 is constant, 1 in step."""
        sizes = sorted(self.at)
        return math.log(self.at[sizes[-1]] / self.at[sizes[0]]) / math.log(sizes[-1] / sizes[0])


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """The seconds that one piece of work took, and what came of it."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


async def in_turn(steps: Mapping[str, Step], *, rounds: int, warm: int = 1) -> Mapping[str, float]:
    """The median seconds of each step, over `rounds` turns after `warm` that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + warm):
        for name, step in steps.items():
            began = time.perf_counter()
            own = await step()
            if number >= warm:
                taken[name].append(own if isinstance(own, float) else time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def in_a_row(step: Step, times: int = 10) -> Step:
    """The same so many times with nothing in between; its time is that of one."""

    async def many() -> float:
        began = time.perf_counter()
        for _ in range(times):
            await step()
        return (time.perf_counter() - began) / times

    return many


def table(rows: list[Row]) -> str:
    """The rows for people to read."""
    lines = [f"{'what':58}{'ours':>12}  {'ratio':>8}  {'against':46}reach", "-" * 140]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} ×"
        against = row.against if row.theirs is None else f"{row.against} ({shown(row.theirs, row.unit)})"
        lines.append(f"{row.what:58}{shown(row.ours, row.unit):>12}  {ratio:>8}  {against:46}{row.reach}")
    return "\n".join(lines)


def growth_table(growths: list[Growth]) -> str:
    """A block for every kind of size, with how each cost grows from size to size, and over all."""
    blocks = []
    for of in dict.fromkeys(growth.of for growth in growths):
        rows = [growth for growth in growths if growth.of == of]
        sizes = sorted(rows[0].at)
        lines = [f"{of:46}" + "".join(f"{size:>20,}" for size in sizes) + f"{'grows as':>14}"]
        lines.append("-" * len(lines[0]))
        for row in rows:
            cells = [_cell(row, size, sizes[place - 1] if place else None) for place, size in enumerate(sizes)]
            power = "" if row.is_ratio else f"n^{row.exponent:.2f}"
            lines.append(f"{row.what:46}" + "".join(f"{cell:>20}" for cell in cells) + f"{power:>14}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _cell(row: Growth, size: int, before: int | None) -> str:
    if row.is_ratio:
        return f"{row.at[size]:.2f} ×"
    factor = "" if before is None else f" ({row.at[size] / row.at[before]:.1f} ×)"
    return shown(row.at[size]) + factor


def shown(amount: float, unit: Unit = "seconds") -> str:
    """An amount in the unit that reads best."""
    match unit:
        case "bytes":
            return f"{amount / 1e6:.1f} MB"
        case "a second":
            return f"{amount:.2f} /s"
        case "seconds":
            return f"{amount * 1000:.2f} ms" if amount < 1 else f"{amount:.2f} s"
