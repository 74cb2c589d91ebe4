"""Contents by their SHA-256: what was reviewed is what is applied, because both are read from here."""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from sandbox.changes import File
from sandbox.errors import OutOfSpace, StateError
from sandbox.gate.syscalls import DIRECTORY, FILE, start_writing

_CHUNK = 1024 * 1024


class Blobs:
    """One folder of contents, one file each, named by digest. Making the value touches nothing.

    A blob is complete when it has its name and its size, and is verified whenever it is read. Putting does not wait
    for the disk: one that a crash or a power loss tore is found out, not used, and what it was made from still lies in
    the upper directory or in the checkout. `flush` waits, for a caller that is about to remove those.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prefix = os.path.join(folder, "")
        self._unflushed: set[str] = set()

    def put(self, data: bytes) -> File:
        """Keep `data`. Raises OutOfSpace."""
        digest = hashlib.sha256(data).hexdigest()
        if not self._holds(digest, len(data)):
            if len(data) > _CHUNK or not self._write_new(digest, data):
                with self._writing() as (partial, descriptor):
                    _write_all(descriptor, data)
                    os.rename(partial, self._path(digest))
            self._unflushed.add(digest)
        return File(digest, len(data))

    def put_fd(self, descriptor: int, limit: int | None = None) -> File | None:
        """Keep what an open regular file holds, from its start.

        `limit` is in bytes, None for no limit; None comes back, and nothing is kept, if there is more than that.
        Raises OutOfSpace; OSError if the file cannot be read.
        """
        head = _read_upto(descriptor, _CHUNK + 1)
        if len(head) <= _CHUNK:
            return None if limit is not None and len(head) > limit else self.put(head)
        with self._writing() as (partial, target):
            found = _copy(descriptor, target, limit)
            if found is None or self._holds(found.digest, found.size):
                os.unlink(partial)
                return found
            os.rename(partial, self._path(found.digest))
        self._unflushed.add(found.digest)
        return found

    def read(self, digest: str, limit: int | None = None) -> bytes:
        """The content, verified; at most its first `limit` bytes, if given. Raises StateError if missing or damaged."""
        descriptor = self._descriptor(digest)
        try:
            head = _read_upto(descriptor, _CHUNK + 1)
        finally:
            os.close(descriptor)
        if len(head) <= _CHUNK:  # nearly all are so small, and a review reads each more than once
            self._expect(digest, hashlib.sha256(head).hexdigest())
            return head if limit is None else head[:limit]
        with self.open(digest) as file:
            return file.read() if limit is None else file.read(limit)

    def head(self, digest: str, limit: int) -> bytes:
        """The first `limit` bytes, not verified: enough to form an opinion, which an apply that verifies then tests.

        Raises StateError if missing.
        """
        descriptor = self._descriptor(digest)
        try:
            return os.read(descriptor, limit)
        finally:
            os.close(descriptor)

    def open(self, digest: str) -> BinaryIO:
        """The content as an open file, verified, at its start. Raises StateError if missing or damaged."""
        file = os.fdopen(self._descriptor(digest), "rb")
        try:
            self._expect(digest, hashlib.file_digest(file, "sha256").hexdigest())
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def copy(self, digest: str, target: int) -> None:
        """Write the content to an open file, verified on the way. Raises StateError if missing or damaged."""
        descriptor = self._descriptor(digest)
        try:
            found = _copy(descriptor, target, None)
        finally:
            os.close(descriptor)
        self._expect(digest, found.digest if found else "")

    def holds(self, file: File) -> bool:
        """Whether the content is here, by its name and size; only reading it verifies more."""
        return self._holds(file.digest, file.size)

    def pin(self, digests: Iterable[str]) -> Sequence[str]:
        """Make these contents survive a power loss at the next `flush`; those that are missing or damaged come back.

        A damaged one is moved aside first, so that it can be put anew.
        """
        bad: list[str] = []
        for digest in digests:
            try:
                self.open(digest).close()
                self._unflushed.add(digest)
            except StateError:
                bad.append(digest)
                with contextlib.suppress(FileNotFoundError):
                    os.rename(self._path(digest), self._path(f"{digest}.damaged"))
        return bad

    def flush(self) -> None:
        """Make everything put so far survive a power loss. Raises OutOfSpace."""
        with _full_disk(self.folder):
            for wait in (start_writing, os.fsync):  # all are started before the first is waited for
                for digest in sorted(self._unflushed):
                    _with_file(self._path(digest), wait)
            sync_directory(self.folder)
        self._unflushed.clear()

    def _descriptor(self, digest: str) -> int:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise StateError(f"{digest!r} is not the name of a content")
        try:
            return os.open(self._path(digest), FILE)
        except OSError as error:
            raise StateError(
                f"{self.folder / digest} cannot be read ({error.strerror}): look at the changes again to read them anew"
            ) from error

    def _path(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _expect(self, digest: str, found: str) -> None:
        if digest != found:
            raise StateError(f"{self.folder / digest} is damaged: look at the changes again to read them anew")

    def _holds(self, digest: str, size: int) -> bool:
        try:
            return os.stat(self._path(digest), follow_symlinks=False).st_size == size
        except FileNotFoundError:
            return False

    def _write_new(self, digest: str, data: bytes) -> bool:
        """Write under the final name, which halves what a small content costs; False if there is such a file.

        Whatever ends this half-way leaves too few bytes there: `holds` says no to that, and the next one replaces it.
        """
        path = self._path(digest)
        with _full_disk(self.folder):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                return False
            try:
                _write_all(descriptor, data)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                raise
            finally:
                os.close(descriptor)
        return True

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[str, int]]:
        partial = self._path(f".partial-{secrets.token_hex(8)}")
        with _full_disk(self.folder):
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                yield partial, descriptor
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial)
                raise
            finally:
                os.close(descriptor)


def hash_fd(descriptor: int) -> File:
    """Digest and size of an open regular file, from its start; nothing is kept."""
    digest, size = hashlib.sha256(), 0
    while chunk := os.pread(descriptor, _CHUNK, size):
        digest.update(chunk)
        size += len(chunk)
    return File(digest.hexdigest(), size)


def _with_file(path: str, act: Callable[[int], None]) -> None:
    descriptor = os.open(path, FILE)
    try:
        act(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """fsync a directory: the names in it survive a power loss."""
    descriptor = os.open(path, DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpace(f"no space left under {folder}: free some and try again") from error
        raise


def _read_upto(descriptor: int, limit: int) -> bytes:
    """What an open file holds, at most so many bytes. Asked for by its size: a larger buffer takes time to clear."""
    expected = min(os.fstat(descriptor).st_size, limit)
    head = os.pread(descriptor, min(expected + 1, limit), 0)
    if len(head) == expected:
        return head
    chunks, size = [head], len(head)
    while size < limit and (chunk := os.pread(descriptor, limit - size, size)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _copy(source: int, target: int, limit: int | None) -> File | None:
    digest, size = hashlib.sha256(), 0
    while chunk := os.pread(source, _CHUNK, size):
        size += len(chunk)
        if limit is not None and size > limit:
            return None
        digest.update(chunk)
        _write_all(target, chunk)
    return File(digest.hexdigest(), size)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
