"""Other names of a file: links in the checkout by which a program on the host finds it.

A repository may keep `CLAUDE.md` as a link to `docs/agents.md`, or `.vscode` as one to `tools/editor`. Who writes to
the target writes what the link stands for.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sandbox.gate.effects import of_path

_PACKAGES: Final = b"node_modules"
"""Holds links by the thousand, all of them to packages beside them, which are judged by where they lie."""


def aliases(checkout: Path, links: Iterable[bytes]) -> Mapping[bytes, tuple[bytes, ...]]:
    """The links whose names have effects, by the path in the checkout that each leads to."""
    found: dict[bytes, tuple[bytes, ...]] = {}
    root = os.path.join(os.path.realpath(os.fsencode(checkout)), b"")
    for link in links:
        if _PACKAGES in link.split(b"/") or not of_path(link):
            continue
        aim = os.path.realpath(root + link)
        if aim.startswith(root):
            inside = aim[len(root) :]
            found[inside] = (*found.get(inside, ()), link)
    return found
