"""A limit of the sandbox that was reached: which one, what it allows, and the sentence that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, get_args

Folder = Literal["/tmp", "/var/tmp", "/dev/shm", "/home/agent"]  # noqa: S108 - mount points inside
LimitName = Literal["memory", "machine", "processes", "disk", "files", "free disk", "free files", Folder]
"""`machine` is memory too: all that the host has. `disk` and `files` are what the workspace takes; `free disk` and
`free files` are what the host has left. A folder is one in memory."""

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class LimitReached:
    """What was reached while a call ran. `most` is what is allowed: bytes, processes or files; 0 if nobody knows.

    `more` is what else there is to say, one clause.
    """

    name: LimitName
    most: int
    more: str = ""

    def __str__(self) -> str:
        return f"{self._said()}{f': {self.more}' if self.more else ''}"

    def _said(self) -> str:
        match self.name:
            case "memory" | "disk":
                return f"{self.name} limit {size(self.most)} reached"
            case "machine":
                return "the machine ran out of memory"
            case "processes":
                return f"process limit {self.most} reached"
            case "files":
                return f"limit of {self.most:,} files reached"
            case "free disk":
                return f"the machine's disk is nearly full, of which {size(self.most)} stay free"
            case "free files":
                return f"the machine's disk has hardly room for more files, of which {self.most:,} stay free"
            case folder:
                return f"{folder} is full ({size(self.most)})"


def counted(times: Mapping[LimitName, int]) -> str:
    """Which limits were reached, and how often: `memory (2), /tmp`; empty for none."""
    return ", ".join(f"{name} ({count})" if count > 1 else name for name, count in times.items())


def size(amount: int) -> str:
    """Bytes as people write them: `4 GiB`, `1.5 GiB`, `300 bytes`."""
    value, unit = float(amount), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{f'{value:.1f}'.removesuffix('.0')} {UNITS[unit]}"


def full_at(path: PurePosixPath, root: PurePosixPath, most: Mapping[LimitName, int]) -> str:
    """What is full where nothing more can be written: a folder in memory, or the disk below the workspace's `root`."""
    if not path.is_relative_to(root):
        for name in get_args(Folder):
            if path.is_relative_to(name):
                return str(LimitReached(name, most[name]))
    return "no space left on the disk of the machine"


def told(
    names: Sequence[LimitName], most: Mapping[LimitName, int], *, ended: int = 0, scratch: Mapping[Folder, int]
) -> tuple[LimitReached, ...]:
    """What the guest saw reached, as values: `most` is what was asked for each, `ended` how many made way."""
    return tuple(LimitReached(name, most.get(name, 0), _more(name, ended, scratch)) for name in dict.fromkeys(names))


def _more(name: LimitName, ended: int, scratch: Mapping[Folder, int]) -> str:
    if name == "memory":
        large = {folder: used for folder, used in scratch.items() if used >= 1024**2}
        lies = " and ".join(f"{size(used)} in {folder}" for folder, used in large.items())
        return f"of it lie {lies}, where files are memory too" if lies else ""
    if name == "processes" and ended:
        return f"{ended} that earlier commands had left running were ended to make room"
    return ""
