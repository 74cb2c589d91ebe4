"""Other names of a file: links in the checkout by which a program on the host finds it.

A repository may keep `CLAUDE.md` as a link to `docs/agents.md`, or `.vscode` as one to `tools/editor`. Who writes to
the target writes what the link stands for.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sandbox.errors import StateError
from sandbox.escape import escape

_ATTEMPTS: Final = 32
"""Looks at a link that somebody turns into something else and back meanwhile."""

_PACKAGES: Final = b"node_modules"
"""Holds links by the thousand, all of them to packages beside them, which are judged by where they lie."""


def aliases(checkout: Path, links: Iterable[bytes]) -> Mapping[bytes, tuple[bytes, ...]]:
    """The links, by the path in the checkout that each leads to: that of the checkout itself is empty.

    Raises StateError for one that does not hold still: nothing is judged without knowing where it leads.
    """
    found: dict[bytes, tuple[bytes, ...]] = {}
    top = os.path.realpath(os.fsencode(checkout))
    root = os.path.join(top, b"")
    for link in links:
        if _PACKAGES in link.split(b"/"):
            continue
        aim = _aim(root + link)
        if aim == top or aim.startswith(root):
            inside = aim[len(root) :]
            if inside == link:
                continue  # it is none now
            found[inside] = (*found.get(inside, ()), link)
    return found


def _aim(path: bytes) -> bytes:
    for _ in range(_ATTEMPTS):
        try:
            return os.path.realpath(path)
        except OSError:  # it was a link when it was looked at, and none when it was read
            continue
    raise StateError(f"{escape(path)} keeps changing: look at the changes again when it holds still")
