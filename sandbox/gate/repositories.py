"""Find changes that make, or touch, a git repository without a `.git` folder: its settings run programs as well.

Git takes any folder with a `HEAD`, `objects` and `refs` in it for a (bare) repository as soon as somebody stands in it;
with a `HEAD` and a `commondir`, the other two, and the settings, may lie in any other folder.
"""

from collections.abc import Callable, Iterable

from sandbox.changes import Change
from sandbox.gate.folders import above

REASON = "belongs to a folder that git takes for a repository: its settings and hooks run programs"

_PROOFS = ((b"HEAD", b"objects", b"refs"), (b"HEAD", b"commondir"))
_PARTS = frozenset(
    (
        *_PROOFS[0],
        *_PROOFS[1],
        b"gitdir",
        b"config",
        b"config.worktree",
        b"hooks",
        b"info",
        b"modules",
        b"packed-refs",
        b"worktrees",
    )
)


def inside_bare(changes: Iterable[Change], exists: Callable[[bytes], bool]) -> dict[bytes, list[Change]]:
    """The changes to git's own files of folders that are repositories once all changes are made, by folder and part.

    `exists` says whether the checkout has an entry at a path now.
    """
    listed = list(changes)
    after = _After(listed, exists)
    verdicts: dict[bytes, bool] = {}
    found: dict[bytes, list[Change]] = {}
    for change in listed:
        for folder, part in _homes(change.path):
            if folder not in verdicts:
                verdicts[folder] = any(all(after.has(_join(folder, name)) for name in proof) for proof in _PROOFS)
            if verdicts[folder]:
                found.setdefault(_join(folder, part), []).append(change)
                break
    return found


class _After:
    """Which paths there are once the changes are made."""

    def __init__(self, changes: Iterable[Change], exists: Callable[[bytes], bool]) -> None:
        self._exists = exists
        self._gone: set[bytes] = set()
        self._come: set[bytes] = set()
        for change in changes:
            if change.after is None:
                self._gone.add(change.path)
                continue
            self._come.update((change.path, *above(change.path)))

    def has(self, path: bytes) -> bool:
        return path in self._come or (path not in self._gone and self._exists(path))


def _homes(path: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Every folder above a path in which it would be one of git's own files, with the name it has there."""
    if not any(part in path for part in _PARTS):
        return
    parts = path.split(b"/")
    for depth, part in enumerate(parts):
        if part in _PARTS:
            yield b"/".join(parts[:depth]), part


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
