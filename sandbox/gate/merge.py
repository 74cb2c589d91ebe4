"""The user's edits and the sandbox's in one file: a three-way merge, where the common base is known.

The merge is `git merge-file`, on blobs, away from every repository: no tree, no attributes, no settings take part.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, replace

from sandbox.changes import Change, File, Node
from sandbox.gate.blobs import Blobs

LARGEST = 16 * 1024 * 1024
"""Bytes of one side; beyond that, and for binary files, both edits are a conflict."""

_FAILED = 128  # and above: git's word for an error; below, the number of conflicts
_SECONDS = 30.0


@dataclass(frozen=True)
class Merge:
    """What came of two edits of one base: the text, in which `conflicts` places are left between markers."""

    text: bytes
    conflicts: int


def merged(change: Change, base: Node | None, blobs: Blobs) -> Change:
    """A change of a file that both sides edited, with both edits in it; the change as it is where that cannot be.

    `change` leads from the user's content to the sandbox's, and `base` is what both began with.
    """
    match base, change.before, change.after:
        case File() as base_file, File() as ours, File() as theirs:
            pass
        case _:
            return change
    found = three_way(base_file, ours, theirs, blobs)
    if found is None or found.conflicts:
        return change
    executable = theirs.executable if theirs.executable != base_file.executable else ours.executable
    after = replace(blobs.put(found.text), executable=executable)
    return replace(change, after=after, moved=False, settles=theirs)


def three_way(base: File, ours: File, theirs: File, blobs: Blobs) -> Merge | None:
    """Merge two edits; None where no merge is possible: a binary or huge side, or no git on this machine.

    Raises StateError if a content is missing or damaged.
    """
    git = shutil.which("git")
    sides = (ours, base, theirs)
    if git is None or any(side.size > LARGEST for side in sides):
        return None
    for side in sides:
        blobs.open(side.digest).close()  # verified: git reads what was reviewed
    labels = [word for label in ("yours", "base", "sandbox") for word in ("-L", label)]
    try:
        done = subprocess.run(
            [git, "merge-file", "--stdout", "--diff3", *labels, "--", *(side.digest for side in sides)],
            cwd=blobs.folder,
            env=_neutral(blobs),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Merge(done.stdout, done.returncode) if 0 <= done.returncode < _FAILED else None


def _neutral(blobs: Blobs) -> dict[str, str]:
    """An environment in which git knows no repository, no user and no settings."""
    return {
        "PATH": os.defpath,
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": os.fspath(blobs.folder.parent),
    }
