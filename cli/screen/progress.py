"""Long steps, drawn: a bar in the status line of a terminal, one line a step in a log."""

from cli.screen import safe
from cli.screen.terminal import Terminal
from images.image import Progress

BAR = 24  # columns
MEGA = 1_000_000


class Steps:
    """Draws `Progress` values as they come; use it as an `OnProgress`. `what` is what all the steps are for."""

    def __init__(self, terminal: Terminal, what: str = "") -> None:
        self._terminal = terminal
        self._what = f"{safe.line(what)}: " if what else ""
        self._step = ""

    def __call__(self, progress: Progress, /) -> None:
        """Show how far the step is."""
        step = self._what + safe.line(progress.step)
        if self._terminal.is_terminal:
            self._terminal.status(f"{step} {bar(progress)}".rstrip())
        elif step != self._step:
            self._terminal.line(f"{step} …")
        self._step = step

    def done(self) -> None:
        """Take the bar away."""
        self._terminal.status()


def bar(progress: Progress) -> str:
    """`[#####-----]  42 %  118 of 278 MB`; only the amount where no total is known, nothing for 0 of 0."""
    if progress.total <= 0:
        return _amount(progress.done, progress.unit) if progress.done else ""
    part = min(1.0, max(0.0, progress.done / progress.total))
    filled = round(part * BAR)
    drawn = f"[{'━' * filled}{'─' * (BAR - filled)}] {part:4.0%}"
    if progress.unit in ("", "%"):
        return drawn
    return f"{drawn}  {_number(progress.done, progress.unit)} of {_amount(progress.total, progress.unit)}"


def _number(value: int, unit: str) -> str:
    return f"{value / MEGA:.0f}" if unit in ("B", "byte", "bytes") else f"{value:,}"


def _amount(value: int, unit: str) -> str:
    return f"{_number(value, unit)} {'MB' if unit in ('B', 'byte', 'bytes') else unit}".rstrip()
