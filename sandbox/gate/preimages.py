"""Check every change against the checkout before anything is written: the list of conflicts decides."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.changes import Change, Directory, File, Link, Node
from sandbox.errors import StateError
from sandbox.escape import escape
from sandbox.gate.blobs import Blobs
from sandbox.gate.folders import above
from sandbox.gate.host import Unusable, facts_at, node_at, opened
from sandbox.gate.scan import pack
from sandbox.gate.syscalls import names_now
from sandbox.gate.upper import is_blocked, is_gone


@dataclass(frozen=True)
class Conflict:
    """A path that was not written, and why, as the end of a sentence that begins with the path."""

    path: bytes
    reason: str


@dataclass(frozen=True)
class Found:
    """What stands in the checkout before an apply.

    `pending` is what has to be done, `already` what is as approved. `facts` are those of the files and links that
    are going to be replaced or removed, `folders` those of the folders. `missing` are the folders that lead to what
    comes, and have to be made on the way.
    """

    pending: tuple[Change, ...] = ()
    already: tuple[Change, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    facts: dict[bytes, os.stat_result] = field(default_factory=dict)
    folders: dict[bytes, os.stat_result] = field(default_factory=dict)
    missing: tuple[bytes, ...] = ()


class _Clash(Exception):
    """The reason why one change cannot be made."""


def look(root: int, changes: Sequence[Change]) -> Found:
    """Compare every change with the checkout, by content, exec bit and type. Writes nothing."""
    plan = {change.path: change for change in changes}
    pending: list[Change] = []
    already: list[Change] = []
    conflicts: list[Conflict] = []
    facts: dict[bytes, os.stat_result] = {}
    folders: dict[bytes, os.stat_result] = {}
    for change in changes:
        try:
            now, found = _stands(root, change.path, plan)
            if now == change.after:
                already.append(change)
                continue
            _compare(change, now)
            if isinstance(now, Directory) and found is not None:
                _emptied(root, change, plan)
                folders[change.path] = found
            if isinstance(now, File | Link) and found is not None:
                _check_owner(change, found)
                facts[change.path] = found
            pending.append(change)
        except (_Clash, Unusable) as problem:
            conflicts.append(Conflict(change.path, str(problem)))
    missing = () if conflicts else _missing(root, pending)
    return Found(tuple(pending), tuple(already), tuple(conflicts), facts, folders, missing)


def keep(root: int, changes: Sequence[Change], blobs: Blobs) -> None:
    """Have every file that is replaced or removed in `blobs`, whole and on disk: an undo brings it back from there.

    Raises: OutOfSpace; OSError or StateError if one cannot be read.
    """
    files = {change.before.digest: change for change in changes if isinstance(change.before, File)}
    for digest in blobs.pin(files):
        folder, _, name = files[digest].path.rpartition(b"/")
        try:
            with opened(root, folder) as directory:
                node_at(directory, name, read=blobs.put_fd)
        except Unusable as problem:
            raise StateError(f"{escape(files[digest].path)} {problem}: nothing was written") from problem
    blobs.flush()


def still(root: int, found: Found) -> Sequence[Conflict]:
    """What moved since `look`, by facts first and by content where those differ."""
    doubtful = [change for change in found.pending if not _has_facts(root, change.path, found.facts)]
    return look(root, [*found.pending]).conflicts if doubtful else ()


def _has_facts(root: int, path: bytes, facts: dict[bytes, os.stat_result]) -> bool:
    now, before = facts_at(root, path), facts.get(path)
    if now is None or before is None:
        return now is None and before is None
    return pack(now) == pack(before)


def _missing(root: int, changes: Sequence[Change]) -> tuple[bytes, ...]:
    """The folders to be made on the way to what comes; those that are changes themselves are not among them."""
    known = {change.path: isinstance(change.after, Directory) for change in changes if change.after is not None}
    missing: list[bytes] = []
    for change in changes:
        for folder in above(change.path) if change.after is not None else ():
            if folder in known:
                break  # looked at with an earlier path, and so were those above it
            known[folder] = _is_folder(root, folder)
            if known[folder]:
                break
            missing.append(folder)
    return tuple(sorted(missing))


def _is_folder(root: int, path: bytes) -> bool:
    try:
        with opened(root, path):
            return True
    except OSError as error:
        if is_gone(error) or is_blocked(error):
            return False
        raise


def _stands(root: int, path: bytes, plan: dict[bytes, Change]) -> tuple[Node | None, os.stat_result | None]:
    """What is at a path now. Raises _Clash if its folder cannot hold what is to come."""
    folder, _, name = path.rpartition(b"/")
    _check_folders(path, plan)
    try:
        with opened(root, folder) as directory:
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=directory, effective_ids=True):
                raise _Clash("lies in a folder that you may not write to")
            return node_at(directory, name)
    except OSError as error:
        if is_gone(error) or (is_blocked(error) and _becomes_folder(path, plan)):
            return None, None
        if is_blocked(error):
            raise _Clash("lies behind a link or a file that stands in the checkout where a folder was") from error
        if error.errno == errno.EXDEV:
            raise _Clash("lies on another file system than the checkout") from error
        raise _Clash(f"cannot be reached: {error.strerror}") from error


def _check_folders(path: bytes, plan: dict[bytes, Change]) -> None:
    """The folders above a path that are changes themselves must end up as folders, if something comes here."""
    if plan[path].after is None:
        return
    for folder in above(path):
        change = plan.get(folder)
        if change is not None and not isinstance(change.after, Directory):
            raise _Clash("lies in a folder that is deleted by the same approval")


def _becomes_folder(path: bytes, plan: dict[bytes, Change]) -> bool:
    """Whether a file or link above the path turns into a folder with these changes."""
    return any(folder in plan and isinstance(plan[folder].after, Directory) for folder in above(path))


def _compare(change: Change, now: Node | None) -> None:
    if change.unseen and change.moved:
        raise _Clash("is hidden from the sandbox, which made its own without knowing yours")
    if change.moved:
        raise _Clash("was changed in the checkout since the session began")
    if now == change.before:
        return
    match change.before, now:
        case None, _:
            raise _Clash("exists in the checkout by now")
        case _, None:
            raise _Clash("was deleted in the checkout")
        case File(digest), File(other) if digest == other:
            raise _Clash("was made executable, or not, in the checkout")
        case _:
            raise _Clash("was changed in the checkout")


def _check_owner(change: Change, facts: os.stat_result) -> None:
    """A replaced file keeps its owner and group, or is not replaced."""
    if os.geteuid() == 0 or not isinstance(change.after, File):
        return
    if facts.st_uid != os.geteuid():
        raise _Clash("belongs to another user in the checkout, and would become yours")
    if facts.st_gid not in (os.getegid(), *os.getgroups()):
        raise _Clash("belongs to a group in the checkout that you are not in")


def _emptied(root: int, change: Change, plan: dict[bytes, Change]) -> None:
    """A folder may only go if all that is in it goes too."""
    with opened(root, change.path) as directory:
        names = sorted(names_now(directory))
    for name in names:
        inside = plan.get(change.path + b"/" + name)
        if inside is None or inside.after is not None:
            raise _Clash(f"is a folder that still holds {escape(name)}")
