"""Find changes that make, or touch, a git repository without a `.git` folder: its settings run programs as well.

Git takes any folder with a `HEAD`, `objects` and `refs` in it for a (bare) repository as soon as somebody stands in it;
with a `HEAD` and a `commondir`, the other two, and the settings, may lie in any other folder.
"""

import re
from collections.abc import Callable, Iterable

from sandbox.changes import Change
from sandbox.gate.folders import above
from sandbox.gate.host import facts_at
from sandbox.gate.names import folded
from sandbox.gate.preimages import Conflict

REASON = "belongs to a folder that git takes for a repository: its settings and hooks run programs"

_PROOFS = ((b"HEAD", b"objects", b"refs"), (b"HEAD", b"commondir"))
_PARTS = frozenset(
    (
        b"head",
        b"objects",
        b"refs",
        b"commondir",
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


_TELLING = re.compile(b"|".join(map(re.escape, sorted(_PARTS))), re.IGNORECASE)


def assembled(root: int, changes: Iterable[Change]) -> list[Conflict]:
    """What some of the changes, or those of another session, must not put together in the checkout as it is now."""
    found = inside_bare(changes, lambda path: facts_at(root, path) is not None)
    return [Conflict(change.path, REASON) for part in found.values() for change in part]


def inside_bare(changes: Iterable[Change], exists: Callable[[bytes], bool]) -> dict[bytes, list[Change]]:
    """The changes to git's own files of folders that are repositories once all changes are made, by folder and part.

    `exists` says whether the checkout has an entry at a path now.
    """
    listed = list(changes)
    after: _After | None = None
    verdicts: dict[bytes, bool] = {}
    found: dict[bytes, list[Change]] = {}
    for change in listed:
        for folder, part in _homes(change.path):
            if folder not in verdicts:
                after = after or _After(listed, exists)
                verdicts[folder] = after.is_repository(folder)
            if verdicts[folder]:
                found.setdefault(_join(folder, part), []).append(change)
                break
    return found


class _After:
    """Which paths there are once the changes are made.

    What comes counts in any case: git finds `Head` where the file system does. What stands there the file system says.
    """

    def __init__(self, changes: Iterable[Change], exists: Callable[[bytes], bool]) -> None:
        self._exists = exists
        self._gone: set[bytes] = set()
        self._come: set[bytes] = set()
        for change in changes:
            if change.after is None:
                self._gone.add(change.path)
                continue
            for path in (change.path, *above(change.path)):
                name = _folded(path)
                if name in self._come:
                    break  # and so are the folders above it
                self._come.add(name)

    def is_repository(self, folder: bytes) -> bool:
        """Whether git takes this folder for one of its own."""
        return any(all(self.has(_join(folder, name)) for name in proof) for proof in _PROOFS)

    def has(self, path: bytes) -> bool:
        return _folded(path) in self._come or (path not in self._gone and self._exists(path))


def _homes(path: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Every folder above a path in which it would be one of git's own files, with the name it has there."""
    if path.isascii() and not _TELLING.search(path):
        return
    parts = path.split(b"/")
    for depth, part in enumerate(parts):
        if _folded(part) in _PARTS:
            yield b"/".join(parts[:depth]), part


def _folded(path: bytes) -> bytes:
    if path.isascii():
        return path.lower()
    return b"/".join((folded(part) or "?").encode("utf-8", "surrogateescape") for part in path.split(b"/"))


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name
