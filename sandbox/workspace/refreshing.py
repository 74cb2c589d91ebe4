"""Bring a frozen base up to date, before the next container: equal to the checkout where the sandbox has nothing.

Where it has something of its own, written, deleted or hidden, the old version stays: the sandbox's was made of that.
What was applied and then discarded, undone or edited by the user shows inside by this, as it would on a live checkout.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import StateError
from sandbox.gate.blobs import Blobs
from sandbox.gate.freeze import manifest_of, mark_beginning
from sandbox.gate.host import facts_at, lstat, opened, opened_checkout
from sandbox.gate.manifest import Manifest, Renewal
from sandbox.gate.origin import Origin
from sandbox.gate.syscalls import DIRECTORY
from sandbox.gate.upper import is_opaque, kind_of, opened_upper
from sandbox.hiding.hidden import NOTHING, Hidden
from sandbox.sessions import Session
from sandbox.workspace.base import base_of
from sandbox.workspace.copying import Uncopyable, copy_entry, give_facts, is_copied, is_unseen, names_of, opened_or_none
from sandbox.workspace.frozen import LONGEST_WRITE, is_in_git

_PARTIAL = b"refresh.partial"
_OPEN = 0o700
_OBSTACLES = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP)

_Tree = Mapping[bytes, os.stat_result]
"""Every folder, file and link below a folder, parents first."""


def refresh(session: Session, hidden: Hidden, *, beat: Callable[[], None]) -> None:
    """Do it for a session whose container does not run; a live base needs none of it. `beat` may end it by raising.

    Killed half-way, it leaves every file old or new, and the next one goes on. Raises StateError, OutOfSpace, OSError.
    """
    if base_of(session).kind != "frozen":
        return
    if not session.frozen.is_dir():
        raise StateError(f"{session.frozen} is gone, and the sandbox's changes were made of it: start a new session")
    before = mark_beginning(session)
    checkout = Path(session.meta().checkout)
    with opened_checkout(checkout) as source, opened_upper(session.upper) as upper, _opened(session.frozen) as target:
        manifest = manifest_of(session)
        try:
            old, new = _tree(target, beat), _tree(source, beat, hidden)
            step = _Step(source, target, upper, _Noting(manifest, Origin(target, Blobs(session.blobs)), before))
            step.take_away([path for path in old if path not in new or _kind(old[path]) != _kind(new[path])])
            with _opened(session.path) as aside:
                step.bring([path for path in new if not _is_current(path, old, new, manifest)], new, aside)
            step.close({path: facts for path, facts in new.items() if stat.S_ISDIR(facts.st_mode)}, old)
        except Uncopyable as problem:
            raise StateError(f"the sandbox cannot be shown the checkout as it is now: {problem}") from problem
        step.noting.keep()


@dataclass
class _Noting:
    """What becomes known of the checkout on the way."""

    manifest: Manifest
    origin: Origin
    before: int
    renewed: dict[bytes, Renewal] = field(default_factory=dict)

    def there(self, path: bytes, facts: os.stat_result | None) -> None:
        """This is in the copy now; its content lies there, and is only read if the facts will not tell it apart."""
        if is_in_git(path):
            return
        is_known = facts is not None and (
            stat.S_ISDIR(facts.st_mode) or facts.st_ctime_ns < self.before - LONGEST_WRITE
        )
        self.renewed[path] = Renewal(facts) if is_known else Renewal(None, self.origin.node(path))

    def gone(self, path: bytes) -> None:
        """This is not in the copy any more."""
        if not is_in_git(path):
            self.renewed[path] = Renewal(None)

    def keep(self) -> None:
        """Tell the manifest."""
        self.manifest.renew(self.renewed)


class _Step:
    """Changes the copy, path by path, and leaves alone what the upper layer covers."""

    def __init__(self, source: int, target: int, upper: int, noting: _Noting) -> None:
        self.noting = noting
        self._source = source
        self._target = target
        self._upper = upper
        self._touched: set[bytes] = set()

    def take_away(self, paths: list[bytes]) -> None:
        """Remove these, parents last; a folder in which something is covered stays."""
        for path in reversed(paths):
            if _is_covered(self._upper, path):
                continue
            with self._folder_of(path) as (folder, name):
                facts = lstat(folder, name)
                if facts is not None and stat.S_ISDIR(facts.st_mode):
                    os.rmdir(name, dir_fd=folder)
                elif facts is not None:
                    os.unlink(name, dir_fd=folder)
                self.noting.gone(path)

    def bring(self, paths: list[bytes], new: _Tree, aside: int) -> None:
        """Copy these from the checkout, parents first, each in one step from the folder `aside`."""
        for path in paths:
            if _is_covered(self._upper, path):
                continue
            with self._folder_of(path) as (folder, name):
                if stat.S_ISDIR(new[path].st_mode):
                    os.mkdir(name, _OPEN, dir_fd=folder)
                    self._touched.add(path)
                    self.noting.there(path, new[path])
                else:
                    self._copy(path, folder, aside)

    def _copy(self, path: bytes, folder: int, aside: int) -> None:
        parent, _, name = path.rpartition(b"/")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_PARTIAL, dir_fd=aside)  # of one that was killed
        with opened_or_none(self._source, parent) as source:
            told: list[os.stat_result | None] = []
            if source is not None:
                copy_entry(source, aside, name, told.append, under=_PARTIAL)
        for facts in told:
            os.rename(_PARTIAL, name, src_dir_fd=aside, dst_dir_fd=folder)
            self.noting.there(path, facts)

    def close(self, folders: _Tree, old: _Tree) -> None:
        """Give the folders the rights and times that the checkout's have, those below first."""
        for path in sorted(folders, reverse=True):
            if path in self._touched or path not in old or _rights(folders[path]) != _rights(old[path]):
                with contextlib.suppress(OSError), opened(self._target, path) as folder:
                    give_facts(folder, folders[path])

    @contextlib.contextmanager
    def _folder_of(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """The folder around a path, open and made ours to write to; what is in the way there has reason to stay."""
        parent, _, name = path.rpartition(b"/")
        try:
            with opened(self._target, parent) as folder:
                if os.fstat(folder).st_mode & _OPEN != _OPEN:
                    os.fchmod(folder, _OPEN)
                self._touched.add(parent)
                yield folder, name
        except OSError as error:
            if error.errno not in _OBSTACLES:
                raise


def _tree(root: int, beat: Callable[[], None], hidden: Hidden = NOTHING) -> _Tree:
    found: dict[bytes, os.stat_result] = {}
    waiting = [b""]
    while waiting:
        beat()
        path = waiting.pop()
        with opened_or_none(root, path) as here:
            for name in () if here is None else names_of(here, path):
                below = path + b"/" + name if path else name
                facts = None if here is None or is_unseen(hidden, below) else lstat(here, name)
                if facts is not None and stat.S_ISDIR(facts.st_mode):
                    found[below] = facts
                    waiting.append(below)
                elif facts is not None and is_copied(facts):
                    found[below] = facts
    return found


def _is_current(path: bytes, old: _Tree, new: _Tree, manifest: Manifest) -> bool:
    """Whether the copy shows what the checkout has, as far as facts tell: those of the file and of what was copied."""
    if path not in old or _kind(old[path]) != _kind(new[path]):
        return False
    if stat.S_ISDIR(new[path].st_mode):
        return True
    is_alike = _rights(old[path]) == _rights(new[path]) and old[path].st_size == new[path].st_size
    return is_alike and (is_in_git(path) or manifest.matches(path, new[path]))


def _is_covered(upper: int, path: bytes) -> bool:
    """Whether the sandbox has something of its own at a path, or hides what lies below it there."""
    end = 0
    while end < len(path):
        end = path.find(b"/", end + 1) if b"/" in path[end + 1 :] else len(path)
        here = path[:end]
        facts = facts_at(upper, here)
        if facts is None:
            return False
        if kind_of(facts) != "directory":
            return True
        with contextlib.suppress(OSError), opened(upper, here) as folder:
            if is_opaque(folder):
                return True
    return False


def _kind(facts: os.stat_result) -> int:
    return stat.S_IFMT(facts.st_mode)


def _rights(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_mode, facts.st_mtime_ns


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
