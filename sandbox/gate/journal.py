"""The folder on the checkout's own file system from which an apply is done by renames alone.

.paddock-txn.RANDOM/    0700, in the checkout's root
    new/N               what change N puts into place, staged; after a swap the file that stood there
    old/N               what change N took away
    COMMIT              from here on the apply is finished, also by the next process; quotes the approval's record
    DONE                everything is in place, and on disk

Which changes these are is not in here: that is in the session's approvals, which no repository can bring along.
When all is done the folder gets the suffix `.trash` before it is emptied, so that a half-emptied one is never taken
for one that was not committed.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Sequence

from sandbox.changes import Change, File, Link
from sandbox.errors import StateError
from sandbox.gate.blobs import Blobs
from sandbox.gate.host import opened, shut
from sandbox.gate.names import RESERVED
from sandbox.gate.past import PERMISSIONS, Rights, give
from sandbox.gate.syscalls import DIRECTORY, FILE, names_now, start_writing
from sandbox.gate.upper import is_blocked, is_gone

TRASH = b".trash"

_EXECUTE = 0o111


class Journal:
    """An open journal. `make` and `find` give one; `close` it, whatever happens."""

    def __init__(self, root: int, name: bytes) -> None:
        self._root = root
        self.name = name
        with contextlib.ExitStack() as opening:
            self._folder = os.open(name, DIRECTORY, dir_fd=root)
            opening.callback(os.close, self._folder)
            self.new = self._sub(b"new")
            opening.callback(os.close, self.new)
            self.old = self._sub(b"old")
            opening.pop_all()

    @classmethod
    def make(cls, root: int, name: bytes) -> "Journal":
        """A fresh journal in the checkout's root. Raises OSError."""
        os.mkdir(name, 0o700, dir_fd=root)
        try:
            with opened(root, name) as folder:
                os.mkdir(b"new", 0o700, dir_fd=folder)
                os.mkdir(b"old", 0o700, dir_fd=folder)
            return cls(root, name)
        except OSError:
            for part in (name + b"/old", name + b"/new", name):
                with contextlib.suppress(OSError):
                    os.rmdir(part, dir_fd=root)
            raise

    @classmethod
    def find(cls, root: int, name: bytes) -> "Journal":
        """One that a crash left. Raises StateError if it is not a private folder of ours."""
        try:
            facts = os.stat(name, dir_fd=root, follow_symlinks=False)
            if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) != 0o700:
                raise StateError(f"{os.fsdecode(name)} is no private folder of yours: {LEFT_ALONE}")
            return cls(root, name)
        except OSError as error:
            raise StateError(f"{os.fsdecode(name)} cannot be opened ({error.strerror}): {LEFT_ALONE}") from error

    def close(self) -> None:
        """Close what is open; the folder stays."""
        for descriptor in (self.new, self.old, self._folder):
            shut(descriptor)

    def stage(
        self, slot: int, change: Change, blobs: Blobs, host: os.stat_result | None, *, rights: Rights | None = None
    ) -> None:
        """Make what a change puts into place. `host`: the file that it replaces, whose mode and owner it takes over.

        `rights` are those that a file comes back with; of one that is replaced only the execute bits.
        Raises StateError if a content is missing or damaged; OSError.
        """
        match change.after:
            case Link(target):
                os.symlink(target, str(slot), dir_fd=self.new)
            case File() as file:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                mode = 0o777 if file.executable else 0o666  # the kernel takes the umask off
                descriptor = os.open(str(slot), flags, mode, dir_fd=self.new)
                try:
                    blobs.copy(file.digest, descriptor)
                    self._dress(descriptor, change, host, rights)
                    start_writing(descriptor)
                finally:
                    os.close(descriptor)
            case _:
                pass

    def _dress(self, descriptor: int, change: Change, host: os.stat_result | None, rights: Rights | None) -> None:
        """Give a staged file its mode and owner."""
        if host is not None and isinstance(change.before, File) and isinstance(change.after, File):
            self._resemble(descriptor, change.path, host)
            mode = _with_execute(stat.S_IMODE(host.st_mode) & PERMISSIONS, change.after.executable)
            if rights is not None and change.before.executable != change.after.executable:
                mode = mode & ~_EXECUTE | rights.mode & _EXECUTE
            os.fchmod(descriptor, mode)
        elif rights is not None:
            give(descriptor, rights)
        else:
            self._join_group(descriptor, change.path)

    def _resemble(self, descriptor: int, path: bytes, host: os.stat_result) -> None:
        """Take over owner, access list and labels of the file that is replaced; labels as far as we may."""
        mine = os.fstat(descriptor)
        if (mine.st_uid, mine.st_gid) != (host.st_uid, host.st_gid):
            os.fchown(descriptor, host.st_uid, host.st_gid)
        folder, _, name = path.rpartition(b"/")
        with opened(self._root, folder) as directory:
            theirs = os.open(name, FILE, dir_fd=directory)
        try:
            for attribute in _attributes(theirs):
                if attribute != "security.capability":
                    with contextlib.suppress(OSError):
                        os.setxattr(descriptor, attribute, os.getxattr(theirs, attribute))
        finally:
            os.close(theirs)

    def _join_group(self, descriptor: int, path: bytes) -> None:
        """A new file belongs to its folder's group where the folder says so (setgid), as if it were made there."""
        try:
            with opened(self._root, path.rpartition(b"/")[0]) as directory:
                facts = os.fstat(directory)
        except OSError as error:
            if is_gone(error) or is_blocked(error):
                return  # the folder is yet to be made, perhaps in the place of a file or a link
            raise
        if facts.st_mode & stat.S_ISGID and facts.st_gid != os.fstat(descriptor).st_gid:
            os.fchown(descriptor, -1, facts.st_gid)

    def sync(self, slots: Sequence[int]) -> None:
        """Put these staged files, and the folder itself, on disk."""
        for slot in slots:
            descriptor = os.open(str(slot), FILE, dir_fd=self.new)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        for descriptor in (self.new, self._folder, self._root):
            os.fsync(descriptor)

    def commit(self, quote: str) -> None:
        """The point of no return."""
        self._mark(b"COMMIT", quote)

    def committed(self) -> str | None:
        """What `commit` was told; None if it never came to that."""
        try:
            descriptor = os.open(b"COMMIT", FILE, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(1024).decode("ascii", "replace")

    def may_be_committed(self) -> bool:
        """Whether the next process would find a commit here; True if even that cannot be told."""
        if self.name.endswith(TRASH):
            return False
        try:
            return self.committed() is not None
        except OSError:
            return True

    def finish(self) -> None:
        """Everything is in place and on disk."""
        os.fsync(self.new)
        os.fsync(self.old)
        self._mark(b"DONE", "")

    def is_finished(self) -> bool:
        """Whether `finish` was reached."""
        try:
            os.stat(b"DONE", dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def discard(self) -> None:
        """Empty and remove the folder. A folder found in a slot was the user's: it stays, and so does the journal."""
        if not self.name.endswith(TRASH):
            os.rename(self.name, self.name + TRASH, src_dir_fd=self._root, dst_dir_fd=self._root)
            self.name += TRASH
        for folder in (self.new, self.old, self._folder):
            _empty(folder)
        for parent, name in ((self._folder, b"new"), (self._folder, b"old"), (self._root, self.name)):
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=parent)

    def _mark(self, name: bytes, text: str) -> None:
        partial = b"." + name
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(partial, flags, 0o600, dir_fd=self._folder)
        try:
            if os.write(descriptor, text.encode("ascii")) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # the rest would get that answer
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(partial, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        os.fsync(self._folder)

    def _sub(self, name: bytes) -> int:
        """A folder of the journal; a crash may have come before it was made, or after it was removed."""
        try:
            return os.open(name, DIRECTORY, dir_fd=self._folder)
        except FileNotFoundError:
            os.mkdir(name, 0o700, dir_fd=self._folder)
            return os.open(name, DIRECTORY, dir_fd=self._folder)


LEFT_ALONE = "nothing was done with it; look at it, and remove it if you do not need it"


def journals(root: int) -> Sequence[bytes]:
    """The names in the checkout's root that are reserved for journals."""
    return sorted(name for name in names_now(root) if name.startswith(RESERVED))


def _attributes(descriptor: int) -> Sequence[str]:
    try:
        return os.listxattr(descriptor)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
            return ()  # a file system without any
        raise


def _with_execute(mode: int, executable: bool) -> int:
    """A host file's mode with only the execute bits toggled: whoever may read it may execute it, or nobody."""
    return mode | ((mode & 0o444) >> 2) if executable else mode & ~_EXECUTE


def _empty(folder: int) -> None:
    for name in names_now(folder):
        with contextlib.suppress(IsADirectoryError, PermissionError, FileNotFoundError):
            os.unlink(name, dir_fd=folder)
