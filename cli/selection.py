"""Which changes a command is about, down to single hunks: what `PATH` and `--hunks FILE:1,3-4` name."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cli import exits
from cli.case import Case, chosen, relative
from sandbox.changes import Change

if TYPE_CHECKING:
    from sandbox.gate.blobs import Blobs

_NUMBERS = re.compile(r"[0-9]{1,6}(-[0-9]{1,6})?(,[0-9]{1,6}(-[0-9]{1,6})?)*")
_MOST = 100_000  # hunks that one option can name


def selected(case: Case, paths: Sequence[str], hunks: Sequence[str], blobs: "Blobs") -> tuple[Change, ...]:
    """The changes at the paths, and of the files in `hunks` only these hunks; all pending ones if nothing is named.

    Raises Misuse for what names no change or no hunk; StateError if a content is missing or damaged.
    """
    picked = _picked(case, hunks)
    found = {change.path: change for change in (chosen(case, paths) if paths or not hunks else ())}
    for path, numbers in picked.items():
        found[path] = _with_hunks(case, path, numbers, blobs)
    return tuple(found[path] for path in sorted(found))


def _picked(case: Case, hunks: Sequence[str]) -> Mapping[bytes, Sequence[int]]:
    picked: dict[bytes, list[int]] = {}
    for one in hunks:
        file, colon, numbers = one.rpartition(":")
        if not colon or not file or not _NUMBERS.fullmatch(numbers):
            raise exits.Misuse(f"--hunks {one!r} is not FILE:NUMBERS, such as src/app.py:1,3-4")
        (path,) = [change.path for change in chosen(case, [file]) if _is_named(change, file, case)] or [b""]
        if not path:
            raise exits.Misuse(f"--hunks {one!r} names a folder: it takes the hunks of one file")
        picked.setdefault(path, []).extend(_numbers(numbers))
    return picked


def _is_named(change: Change, file: str, case: Case) -> bool:
    """Whether the change is that of this very path, and not of something below it."""
    return change.path in (os.fsencode(relative(file, case.checkout)), os.fsencode(file))


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), min(int(last or first), int(first) + _MOST) + 1)
    return found


def _with_hunks(case: Case, path: bytes, numbers: Sequence[int], blobs: "Blobs") -> Change:
    from sandbox.errors import StateError
    from sandbox.gate.hunks import hunks_of, with_hunks

    (change,) = [one for one in case.changes.changes if one.path == path]
    hunks_of(change, blobs)  # a damaged content is no misuse
    try:
        return with_hunks(change, numbers, blobs)
    except StateError as error:
        raise exits.Misuse(f"{error} (`paddock diff {case.short}` numbers them)") from error
