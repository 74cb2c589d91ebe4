"""What the sandbox began with, where that lies in a copy of our own: then it is known of every path, at any time."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sandbox.changes import File, Node
from sandbox.errors import StateError
from sandbox.gate.blobs import Blobs
from sandbox.gate.host import Unusable, facts_at, node_at, opened
from sandbox.gate.syscalls import DIRECTORY


class Origin:
    """A frozen base, open. Contents are put into `blobs` as they are asked for."""

    def __init__(self, root: int, blobs: Blobs) -> None:
        self.root = root
        self._blobs = blobs

    def node(self, path: bytes) -> Node | None:
        """What stood at a path; None if nothing did, or it cannot be read. Raises OutOfSpace."""
        folder, _, name = path.rpartition(b"/")
        try:
            with opened(self.root, folder) as directory:
                return node_at(directory, name, read=self._keep)[0]
        except (OSError, Unusable):
            return None

    def holds(self, path: bytes) -> bool:
        """Whether anything stood at a path."""
        return facts_at(self.root, path) is not None

    def _keep(self, descriptor: int) -> File | None:
        return self._blobs.put_fd(descriptor, os.fstat(descriptor).st_size)


@contextlib.contextmanager
def opened_origin(folder: Path | None, blobs: Blobs) -> Iterator[Origin | None]:
    """The frozen base in a folder; None where the sandbox lies on the checkout itself. Raises StateError."""
    if folder is None:
        yield None
        return
    try:
        descriptor = os.open(folder, DIRECTORY)
    except OSError as error:
        raise StateError(f"{folder}, of which the sandbox's changes were made, cannot be opened: {error}") from error
    try:
        yield Origin(descriptor, blobs)
    finally:
        os.close(descriptor)
