"""Objects read by git, many at a time, within bounds."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from sandbox.changes import File
from sandbox.commits.hostgit import Git
from sandbox.errors import CommitRefused
from sandbox.gate.blobs import Blobs

LARGEST = 1024**3
"""Bytes of all contents that commits bring, unpacked: a megabyte of pack can hold a terabyte of zeros."""

_EACH = 4 * 1024 * 1024  # bytes of one object that is read whole: a commit, a link's target, a list of submodules
_ALL = 64 * 1024 * 1024


@dataclass(frozen=True)
class Objects:
    """Reads objects of a repository, and keeps the contents of files in a session's store."""

    git: Git
    blobs: Blobs

    @property
    def empty_tree(self) -> str:
        """The name of the tree with nothing in it: what a first commit is held against."""
        return self.git.line("hash-object", "-t", "tree", "--stdin", stdin=b"")

    def read_all(self, ids: Sequence[str]) -> list[bytes]:
        """Small objects, in this order. Raises CommitRefused if one is missing or large."""
        sizes = self._sizes(ids)
        if max(sizes, default=0) > _EACH or sum(sizes) > _ALL:
            raise CommitRefused("the sandbox's commits hold texts that are too large to look at")
        with tempfile.TemporaryFile() as file:
            return [file.read(size) for _, size in self._streamed(ids, file)]

    def keep(self, ids: Iterable[str]) -> Mapping[str, File]:
        """Put contents into the store, by object. Raises CommitRefused if they are more than LARGEST; OutOfSpace."""
        wanted = list(dict.fromkeys(ids))
        if sum(self._sizes(wanted)) > LARGEST:
            raise CommitRefused(
                f"the sandbox's commits hold more than {LARGEST // 1024**3} GiB: nothing was taken over"
            )
        with tempfile.TemporaryFile(dir=self.git.folder) as file:
            return {object_id: self.blobs.put(file.read(size)) for object_id, size in self._streamed(wanted, file)}

    def _sizes(self, ids: Sequence[str]) -> list[int]:
        asked = "".join(f"{object_id}\n" for object_id in ids).encode()
        rows = self.git.read("cat-file", "--batch-check=%(objectsize)", stdin=asked).decode("ascii", "replace")
        sizes = rows.splitlines()
        if len(sizes) != len(ids) or not all(size.isdigit() for size in sizes):
            raise CommitRefused("the commits are not complete, so they stay in the sandbox")
        return [int(size) for size in sizes]

    def _streamed(self, ids: Sequence[str], file: IO[bytes]) -> Iterator[tuple[str, int]]:
        """Each object in turn, with the file standing at its first byte: the caller reads exactly its size."""
        if not ids:
            return
        asked = "".join(f"{object_id}\n" for object_id in ids).encode()
        answer = self.git.ask("cat-file", "--batch=%(objectname) %(objectsize)", stdin=asked, into=file)
        if answer.code != 0:
            raise CommitRefused(f"git cannot read the commits: {answer.told}")
        file.seek(0)
        for object_id in ids:
            name, _, size = file.readline().decode("ascii", "replace").rstrip("\n").partition(" ")
            if name != object_id or not size.isdigit():
                raise CommitRefused("the commits are not complete, so they stay in the sandbox")
            yield object_id, int(size)
            file.read(1)  # the newline after the content
