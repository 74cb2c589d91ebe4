"""What the user changed in the checkout while a session runs: told from our own applies, and from what is the same."""

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.changes import File
from sandbox.gate.blobs import hash_fd
from sandbox.gate.host import OWNER_EXECUTES, facts_at, opened, opened_checkout
from sandbox.gate.ignore import Ignored, user_excludes
from sandbox.gate.manifest import Followed, Manifest
from sandbox.gate.names import is_git, is_reserved
from sandbox.gate.syscalls import DIRECTORY, FILE
from sandbox.gate.upper import is_opaque, kind_of, opened_upper
from sandbox.hiding.finding import is_included
from sandbox.hiding.hidden import NOTHING, hidden_of
from sandbox.hiding.names import reason_of
from sandbox.sessions import Session
from sandbox.workspace.base import frozen_base

Kind = Literal["added", "modified", "deleted"]
Shows = Literal["now", "exposed", "later", "merged"]

MOST_FOLDERS = 2_000
"""Folders at the top that are watched: all of them are arguments of a program."""

_LARGEST = 4 * 1024 * 1024  # bytes of a file that is read to see whether it was only touched
_EDITORS_OWN = re.compile(rb"(?:~|\.sw[a-p]|^4913|^\.#.*|\.tmp)$")


@dataclass(frozen=True)
class HostEdit:
    """One path that is not what the session knows of the checkout.

    `shows` says when the sandbox sees it: "now"; "later", when the sandbox is opened the next time, because the kernel
    goes on showing a file that was replaced or removed beneath an overlay, where it was looked at before; "merged": not
    at all, because the sandbox has changed this path, too, and the gate merges the two; "exposed": now, although
    secrets are kept under this name, because it came after the look for those.
    """

    path: bytes
    kind: Kind
    shows: Shows


class Edits:
    """Judges which of the paths that were written to in a checkout were edited by its user. Blocks; one thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._checkout = Path(session.meta().checkout)
        self._ignored = Ignored(self._checkout, user_excludes(Path.home()))
        self._manifest = Followed(session.manifest)
        self._is_frozen = frozen_base(session) is not None
        self._hidden = NOTHING
        self._include = session.meta().choice.include
        self._told: dict[bytes, tuple[int, ...] | None] = {}

    def folders(self) -> tuple[str, ...]:
        """The names of the checkout's own folders in which edits matter: not git's, nor what is ignored as a whole."""
        try:
            with os.scandir(self._checkout) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return ()
        return tuple(sorted(name for name in names if self._is_watched(name))[:MOST_FOLDERS])

    def _is_watched(self, text: str) -> bool:
        name = os.fsencode(text)
        is_ours = is_git(name) or is_reserved(name)
        is_text = text.isprintable()  # the library takes no other name
        return is_text and not is_ours and not self._ignored.matches(name, True)

    def is_applying(self) -> bool:
        """Whether an apply to the checkout is under way: what it writes is known to the manifest when it is over."""
        try:
            descriptor = os.open(self._checkout, DIRECTORY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def among(self, paths: Iterable[bytes]) -> tuple[HostEdit, ...]:
        """The edits among these paths, each told once. Raises StateError; CheckoutRefused if the checkout is gone."""
        manifest = self._manifest.now()
        if manifest is None:
            return ()  # what the session began with is still being looked at
        self._hidden = hidden_of(self._session)
        with opened_checkout(self._checkout) as root, opened_upper(self._session.upper) as upper:
            found = [self._edit(root, upper, path, manifest) for path in sorted(set(paths)) if self._matters(path)]
        return tuple(edit for edit in found if edit is not None)

    def _matters(self, path: bytes) -> bool:
        parts = path.split(b"/")
        if any(part in (b"", b".", b"..") or is_git(part) or is_reserved(part) for part in parts):
            return False
        if self._hidden.covers(path):
            return False  # the sandbox does not see it, before and after
        if _EDITORS_OWN.search(parts[-1]):
            return False
        return self._is_secret(path) or not self._ignored.leaves_out(path, False)

    def _is_secret(self, path: bytes) -> bool:
        names = os.fsdecode(path).lower().split("/")
        return bool(reason_of(names)) and not is_included(self._include, path)

    def _edit(self, root: int, upper: int, path: bytes, manifest: Manifest) -> HostEdit | None:
        facts = facts_at(root, path)
        if (facts is not None and stat.S_ISDIR(facts.st_mode)) or self._is_told(path, facts):
            return None
        was_there = path in manifest
        if manifest.matches(path, facts) or (facts is not None and self._is_touched(root, path, facts, manifest)):
            return None
        if _is_covered(upper, path):
            shows: Shows = "merged"
        else:
            is_hidden = was_there and not (facts and manifest.is_in_place(path, facts))
            shows = "later" if is_hidden or self._is_frozen else "now"
            if shows == "now" and facts is not None and self._is_secret(path):
                shows = "exposed"
        return HostEdit(path, "deleted" if facts is None else "modified" if was_there else "added", shows)

    def _is_told(self, path: bytes, facts: os.stat_result | None) -> bool:
        now = None if facts is None else (facts.st_mode, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if path in self._told and self._told[path] == now:
            return True
        self._told[path] = now
        return False

    def _is_touched(self, root: int, path: bytes, facts: os.stat_result, manifest: Manifest) -> bool:
        """Whether a file has other facts but, as far as its content is known, the same content."""
        base = manifest.base(path)
        if not isinstance(base, File) or base.size != facts.st_size or facts.st_size > _LARGEST:
            return False
        folder, _, name = path.rpartition(b"/")
        with contextlib.suppress(OSError), opened(root, folder) as directory:
            descriptor = os.open(name, FILE, dir_fd=directory)
            try:
                return hash_fd(descriptor).digest == base.digest and base.executable == bool(
                    facts.st_mode & OWNER_EXECUTES
                )
            finally:
                os.close(descriptor)
        return False


def _is_covered(upper: int, path: bytes) -> bool:
    """Whether the sandbox has something of its own at a path, or hides what the checkout has there."""
    parts = path.split(b"/")
    for depth in range(1, len(parts) + 1):
        here = b"/".join(parts[:depth])
        facts = facts_at(upper, here)
        if facts is None:
            return False
        if kind_of(facts) != "directory" or depth == len(parts):
            return True
        with contextlib.suppress(OSError), opened(upper, here) as folder:
            if is_opaque(folder):
                return True
    return True
