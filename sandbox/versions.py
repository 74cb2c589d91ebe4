"""Versions of engines and their parts, as their makers and distributions write them, put in order."""

import re
from dataclasses import dataclass

_SHAPE = re.compile(
    r"v?(?P<numbers>\d+(?:\.\d+)+)(?:[-~.]?(?P<stage>rc|alpha|beta)[.-]?(?P<count>\d+))?(?P<rest>.*)", re.DOTALL
)
_STAGES = {"alpha": 0, "beta": 1, "rc": 2, None: 3}
_OF_DISTRIBUTION = re.compile(r"[+~-](dfsg|ds|deb|debian|\d*ubuntu|\d+(\.|$|ubuntu|~|\+)|el|fc|amzn|\d+build)")


@dataclass(frozen=True, order=True)
class Version:
    """A version: `numbers`, then how far before the release it is. `is_packaged`: a distribution made it its own."""

    numbers: tuple[int, ...]
    stage: int = 3
    count: int = 0
    is_packaged: bool = False

    @property
    def branch(self) -> tuple[int, ...]:
        """What fixes are made for: the first two numbers."""
        return self.numbers[:2]


def version_of(text: str) -> Version | None:
    """`20.10.24+dfsg1`, `v1.7.13`, `1.6.20~ds1`, `1.4.0-rc.3`; None for what is none."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        return None
    numbers = tuple(int(part) for part in found["numbers"].split("."))
    return Version(
        (*numbers, 0) if len(numbers) == 2 else numbers,
        _STAGES[found["stage"]],
        int(found["count"] or 0),
        is_packaged=_OF_DISTRIBUTION.search(found["rest"]) is not None,
    )


def has(version: Version, fixed: tuple[str, ...]) -> bool:
    """Whether a version has what these are the first to have, one a branch; a branch between them has it not."""
    firsts = sorted(one for one in map(version_of, fixed) if one is not None)
    mine = [one for one in firsts if one.branch == version.branch]
    if mine:
        return _plain(version) >= _plain(mine[0])
    return bool(firsts) and version.branch > firsts[-1].branch


def _plain(version: Version) -> tuple[tuple[int, ...], int, int]:
    return version.numbers, version.stage, version.count
