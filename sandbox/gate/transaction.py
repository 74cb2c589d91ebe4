"""Make the steps of a committed apply, the first time or after a crash: each can be repeated, none loses a byte.

Between the check and a step the user may have saved the file. What a step takes out of the checkout is therefore
looked at once more, and given back if it is not what was replaced: then that path is *kept* and reported.
"""

import errno
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from sandbox.changes import Directory, Node
from sandbox.escape import escape
from sandbox.gate.host import Unusable, node_at, opened
from sandbox.gate.journal import Journal
from sandbox.gate.moves import are_one, is_there, put_in, settle, take_out
from sandbox.gate.past import give
from sandbox.gate.preimages import Conflict
from sandbox.gate.steps import MakeFolder, Place, Remove, RemoveFolder, SetRights, Step, Swap
from sandbox.gate.upper import is_blocked, is_gone

Exchange = Callable[[int, bytes, int, bytes], None]
"""Swaps two names: `sandbox.gate.syscalls.exchange`, or `moves.exchange_in_two` where there is no such call."""

_ATTEMPTS = 8  # saves by the user that we follow before we leave the file as it is

# The path cannot be written, but the rest can: the user's file stays and is reported. Everything else stops the apply
# until the next command (no space, an I/O error, a file system turned read-only).
_ONE_PATH = (
    *(errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EEXIST, errno.ENOTEMPTY, errno.EXDEV),
    *(errno.EACCES, errno.EPERM, errno.EISDIR, errno.EBUSY, errno.ETXTBSY),
)

_MEANWHILE = "was changed in the checkout while the changes were applied: your version was kept"
_TWICE = "was changed more than once in the checkout while the changes were applied: yours was kept, and so is {}"
_LONGEST_NAME = 230  # bytes, of the 255 that a name may have
_FILLED = "is a folder that something was put into while the changes were applied: it was kept"
_DAMAGED = "could not be written: its staged copy in the journal is damaged"


class Transaction:
    """One run over the steps. `again`: an earlier process may have made some of them."""

    def __init__(self, root: int, journal: Journal, exchange: Exchange, *, again: bool) -> None:
        self._root = root
        self._journal = journal
        self._exchange = exchange
        self._again = again
        self._touched: set[bytes] = set()
        self._kept: dict[bytes, str] = {}

    def run(self, steps: Iterable[Step]) -> Sequence[Conflict]:
        """Make every step, put the folders on disk, and return the paths that stayed the user's.

        Raises OSError if the file system gives up; the steps that are left can be made later.
        """
        for step in steps:
            try:
                self._make(step)
            except OSError as error:
                if error.errno not in _ONE_PATH:
                    raise
                if error.errno in (errno.ENOENT, errno.ENOTDIR) and isinstance(step, Remove | RemoveFolder):
                    continue  # the user deleted it as well, or, after a crash, something stands in its folder's place
                self._keep(step.path, f"could not be written: {error.strerror}")
        self._sync()
        return [Conflict(path, reason) for path, reason in sorted(self._kept.items())]

    def _make(self, step: Step) -> None:
        match step:
            case Remove():
                self._remove(step)
            case RemoveFolder():
                self._remove_folder(step)
            case MakeFolder():
                self._make_folder(step)
            case Place():
                self._place(step)
            case Swap():
                self._swap(step)
            case SetRights():
                self._set_rights(step)

    def _remove(self, step: Remove) -> None:
        folder, name, slot = *_split(step.path), _slot(step.slot)
        is_done = self._again and is_there(self._journal.old, slot)
        if is_done and _node(self._journal.old, slot) == step.before:
            return  # removed before the crash, and perhaps its folder too
        with opened(self._root, folder) as directory:
            self._touched.add(folder)
            if not is_done:
                take_out(directory, name, self._journal.old, slot)
            if _node(self._journal.old, slot) != step.before:
                self._keep(step.path, _MEANWHILE)
                put_in(self._journal.old, slot, directory, name)

    def _remove_folder(self, step: RemoveFolder) -> None:
        folder, name = _split(step.path)
        with opened(self._root, folder) as directory:
            self._touched.add(folder)
            try:
                os.rmdir(name, dir_fd=directory)
            except NotADirectoryError:
                if not step.makes_room:  # else the step that takes its place was made before a crash, or decides
                    self._keep(step.path, _MEANWHILE)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                self._keep(step.path, _FILLED)

    def _make_folder(self, step: MakeFolder) -> None:
        folder, name = _split(step.path)
        self._parents(folder)
        with opened(self._root, folder) as directory:
            self._touched.add(folder)
            try:
                os.mkdir(name, dir_fd=directory)
            except FileExistsError:
                if _node(directory, name) != Directory():
                    self._keep(step.path, _MEANWHILE)

    def _set_rights(self, step: SetRights) -> None:
        try:
            with opened(self._root, step.path) as directory:
                give(directory, step.rights)
        except OSError as error:
            if not (is_gone(error) or is_blocked(error)):  # else the user has put something in its place
                raise

    def _place(self, step: Place) -> None:
        folder, name, slot = *_split(step.path), _slot(step.slot)
        if self._again:
            staged = _node(self._journal.new, slot)
            if staged is None or self._is_in_place(folder, name, slot):
                return  # placed before the crash
            if staged != step.after:
                self._keep(step.path, _DAMAGED)
                return
        self._parents(folder)
        with opened(self._root, folder) as directory:
            self._touched.add(folder)
            try:
                put_in(self._journal.new, slot, directory, name)
            except FileExistsError:
                if _node(directory, name) != step.after:
                    self._keep(step.path, "was made in the checkout while the changes were applied: yours was kept")

    def _is_in_place(self, folder: bytes, name: bytes, slot: bytes) -> bool:
        """Whether a move was cut short that left both names, so that what is in the slot may be the user's by now."""
        try:
            with opened(self._root, folder) as directory:
                return are_one(directory, name, self._journal.new, slot)
        except OSError as error:
            if is_gone(error) or is_blocked(error):
                return False
            raise

    def _swap(self, step: Swap) -> None:
        folder, name, slot = *_split(step.path), _slot(step.slot)
        with opened(self._root, folder) as directory:
            self._touched.add(folder)
            if self._again:
                settle(directory, name, self._journal.new, slot)
                match judge(_node(directory, name), _node(self._journal.new, slot), step):
                    case "done":
                        return
                    case "swap":
                        self._exchange(directory, name, self._journal.new, slot)
                    case "hand back":
                        pass
                    case "keep":
                        self._set_beside(directory, step)
                        self._keep(step.path, _MEANWHILE)
                        return
                    case "damaged":
                        self._keep(step.path, _DAMAGED)
                        return
            else:
                self._exchange(directory, name, self._journal.new, slot)
            if _node(self._journal.new, slot) != step.before:
                self._keep(step.path, _MEANWHILE)
                self._hand_back(directory, step)

    def _hand_back(self, directory: int, step: Swap) -> None:
        """Swap until what comes out is what we put in last: then the user's newest version stands in its place."""
        name, slot = _split(step.path)[1], _slot(step.slot)
        last_put: Node | Unusable | None = step.after
        for _ in range(_ATTEMPTS):
            putting = _node(self._journal.new, slot)
            self._exchange(directory, name, self._journal.new, slot)
            if _node(self._journal.new, slot) == last_put:
                return
            last_put = putting
        self._set_beside(directory, step)

    def _set_beside(self, directory: int, step: Swap) -> None:
        """What lies in the slot may be the user's as well: then it gets a name beside the path, which has another."""
        name, slot = _split(step.path)[1], _slot(step.slot)
        if _node(self._journal.new, slot) in (None, step.before, step.after):
            return
        for number in itertools.count(1):
            beside = name[:_LONGEST_NAME] + b".kept-%d" % number
            try:
                put_in(self._journal.new, slot, directory, beside)
            except FileExistsError:
                continue
            self._kept[step.path] = _TWICE.format(escape(beside))
            return

    def _parents(self, folder: bytes) -> None:
        """Make the folders that lead to a path, as far as they are missing."""
        missing: list[bytes] = []
        while folder and not _is_folder(self._root, folder):
            missing.append(folder)
            folder = folder.rpartition(b"/")[0]
        for path in reversed(missing):
            parent, name = _split(path)
            with opened(self._root, parent) as directory:
                self._touched.add(parent)
                os.mkdir(name, dir_fd=directory)

    def _keep(self, path: bytes, reason: str) -> None:
        self._kept.setdefault(path, reason)

    def _sync(self) -> None:
        for folder in sorted(self._touched):
            try:
                with opened(self._root, folder) as directory:
                    os.fsync(directory)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # removed by a later step
                    raise


Verdict = Literal["swap", "done", "hand back", "keep", "damaged"]


def judge(at: Node | Unusable | None, staged: Node | Unusable | None, step: Swap) -> Verdict:
    """What is left of a swap after a crash, from what stands at the path and what lies in the slot."""
    if at == step.after:
        return "done" if staged in (step.before, step.after, None) else "hand back"
    if staged == step.before:
        return "done"  # swapped, and the user has gone on from there
    if staged == step.after:
        return "swap" if at == step.before else "keep"
    return "damaged" if at == step.before else "keep"


def _node(directory: int, name: bytes) -> Node | Unusable | None:
    """What stands at a name; something we cannot take is nobody's before or after, so it compares unequal.

    A disk that cannot be read is no such thing: nothing is concluded from it. Raises OSError.
    """
    try:
        return node_at(directory, name)[0]
    except Unusable as problem:
        cause = problem.__cause__
        if isinstance(cause, OSError) and cause.errno not in _ONE_PATH:
            raise cause from None
        return problem


def _split(path: bytes) -> tuple[bytes, bytes]:
    folder, _, name = path.rpartition(b"/")
    return folder, name


def _slot(number: int) -> bytes:
    return str(number).encode()


def _is_folder(root: int, path: bytes) -> bool:
    try:
        with opened(root, path):
            return True
    except FileNotFoundError:
        return False
