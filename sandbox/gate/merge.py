"""The user's edits and the sandbox's in one file: a three-way merge, where the common base is known.

The merge is `git merge-file`, on blobs, away from every repository: no tree, no attributes, no settings take part.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sandbox.changes import Change, File
from sandbox.errors import StateError
from sandbox.gate.blobs import Blobs
from sandbox.gate.matching import lines, matches

LARGEST = 4 * 1024 * 1024
"""Bytes of one side; beyond that, and for binary files, both edits are a conflict."""

_FAILED = 128  # and above: git's word for an error; below, the number of conflicts
_SECONDS = 5.0  # for one file; an honest one takes milliseconds
_YOURS, _BASE, _SANDBOX = "yours", "base", "sandbox"


@dataclass(frozen=True)
class Merge:
    """What came of two edits of one base: the text, in which `conflicts` places are left between markers."""

    text: bytes
    conflicts: int


@dataclass
class Patience:
    """How many seconds are left for all merges of one look together: a text can be made to take for ever."""

    seconds: float = 20.0


def merged(change: Change, blobs: Blobs, patience: Patience | None = None) -> Change:
    """A change of what both sides edited, with both edits in it; the change as it is where that cannot be.

    `change` leads from the user's side to the sandbox's, and is `moved`. What comes back asks for nothing (its sides
    are equal) where only the user edited.
    """
    match change.base, change.before, change.after:
        case None, _, _:
            return change
        case base, before, _ if before == base:
            return replace(change, moved=False, base=None)
        case base, before, after if after == base:
            return replace(change, after=before, moved=False)
        case File() as base, File() as ours, File() as theirs:
            content = _merged_content(base, ours, theirs, blobs, patience=patience)
            return change if content is None else _merged_file(change, base, ours, content)
        case _:
            return change


def _merged_file(change: Change, base: File, ours: File, content: File) -> Change:
    theirs = change.after
    assert isinstance(theirs, File)
    executable = theirs.executable if theirs.executable != base.executable else ours.executable
    after = replace(content, executable=executable)
    return replace(change, after=after, moved=False, settles=None if after == theirs else theirs)


def _merged_content(base: File, ours: File, theirs: File, blobs: Blobs, *, patience: Patience | None) -> File | None:
    """Whose content it is where only one side has another one; that takes no git, and serves binary files too."""
    match base.digest, ours.digest, theirs.digest:
        case was, mine, its if was == mine or mine == its:
            return theirs
        case was, _, its if was == its:
            return ours
        case _:
            found = three_way(base, ours, theirs, blobs, patience=patience)
            return None if found is None or found.conflicts else blobs.put(found.text)


def three_way(base: File, ours: File, theirs: File, blobs: Blobs, *, patience: Patience | None = None) -> Merge | None:
    """Merge two edits; None where that is not possible.

    That is where a side is binary, huge or damaged, where it takes too long, and where git is not there.
    """
    git = shutil.which("git")
    sides = (ours, base, theirs)
    patience = patience or Patience(_SECONDS)
    if git is None or not os.path.isabs(git) or any(side.size > LARGEST for side in sides) or patience.seconds <= 0:
        return None
    began = time.monotonic()
    labels = [word for label in (_YOURS, _BASE, _SANDBOX) for word in ("-L", label)]
    try:
        for side in sides:
            blobs.open(side.digest).close()  # verified: git reads what was reviewed
        done = subprocess.run(
            [git, "merge-file", "--stdout", "--diff3", *labels, "--", *(side.digest for side in sides)],
            cwd=blobs.folder,
            env=_neutral(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=min(_SECONDS, patience.seconds),
            check=False,
        )
    except (OSError, StateError, subprocess.TimeoutExpired):
        return None
    finally:
        patience.seconds -= time.monotonic() - began
    return Merge(done.stdout, done.returncode) if 0 <= done.returncode < _FAILED else None


def two_way(ours: bytes, theirs: bytes) -> Merge:
    """Both texts in one, with every difference between markers: what is left where no base is known."""
    pieces: list[bytes] = []
    conflicts = 0
    old, new = lines(ours), lines(theirs)
    at_old, at_new = 0, 0
    for old_start, new_start, length in [*matches(old, new), (len(old), len(new), 0)]:
        if (at_old, at_new) != (old_start, new_start):
            pieces += _between_markers(old[at_old:old_start], new[at_new:new_start])
            conflicts += 1
        pieces += old[old_start : old_start + length]
        at_old, at_new = old_start + length, new_start + length
    return Merge(b"".join(pieces), conflicts)


def _between_markers(ours: Sequence[bytes], theirs: Sequence[bytes]) -> Iterator[bytes]:
    yield f"<<<<<<< {_YOURS}\n".encode()
    yield from _ended(ours)
    yield b"=======\n"
    yield from _ended(theirs)
    yield f">>>>>>> {_SANDBOX}\n".encode()


def _ended(part: Sequence[bytes]) -> Iterator[bytes]:
    """The lines, the last one with its end: a marker begins a line of its own."""
    yield from part[:-1]
    yield from (line if line.endswith(b"\n") else line + b"\n" for line in part[-1:])


def _neutral() -> dict[str, str]:
    """An environment in which git knows no repository, no user and no settings."""
    return {
        "PATH": os.defpath,
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_DIR": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
