"""How far a build is, told from what mmdebstrap and apt print."""

import re
from dataclasses import dataclass

from images.image import Progress


@dataclass(frozen=True)
class Phase:
    """A stretch of a build: the line that opens it, where it lies in percent, and how many lines a package is worth."""

    opening: str
    step: str
    start: int
    end: int
    lines: int = 0


# Measured on an ordinary machine. A package that is fetched, unpacked and set up has printed three lines; those of the
# base system were fetched a phase before.
_PHASES = (
    Phase("I: running apt-get update", "reading the package lists", 1, 6),
    Phase("I: downloading packages with apt", "downloading packages", 6, 18, lines=1),
    Phase("I: extracting archives", "unpacking the base system", 18, 26),
    Phase("I: installing essential packages", "installing the base system", 26, 46, lines=2),
    Phase("I: installing remaining packages", "installing the tools", 46, 80, lines=3),
    Phase("I: running --customize-hook", "compiling Python's library", 80, 91),
    Phase("I: cleaning package lists", "cleaning up", 91, 92),
    Phase("I: creating tarball", "packing", 92, 96),
)
LOADING = Progress("loading into the engine", 96, 100, "%")
_BEFORE = Phase("", "starting", 0, 1)
_PLANNED = re.compile(r"\d+ upgraded, (\d+) newly installed")
_PACKAGE = re.compile(r"Get:\d+ |Unpacking |Setting up ")


@dataclass
class BuildProgress:
    """Reads a build's lines in order and says how far it is; never goes back."""

    _phase: Phase = _BEFORE
    _planned: int = 0
    _seen: int = 0

    def read(self, line: str) -> Progress | None:
        """Take one line; the new state, if the line changed it."""
        before = self.now()
        if phase := next((phase for phase in _PHASES if line.startswith(phase.opening)), None):
            self._phase, self._seen = phase, 0
        elif planned := _PLANNED.match(line):
            self._planned = int(planned[1])
        elif _PACKAGE.match(line):
            self._seen += 1
        now = self.now()
        return None if now == before else now

    def now(self) -> Progress:
        """Where the build is."""
        phase = self._phase
        whole = self._planned * phase.lines
        share = min(1.0, self._seen / whole) if whole else 0.0
        return Progress(phase.step, phase.start + int((phase.end - phase.start) * share), 100, "%")
