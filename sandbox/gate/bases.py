"""What a file held before the sandbox changed it, read while that can still be told: the base of a later merge."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from sandbox.changes import Directory, File
from sandbox.errors import CheckoutRefused
from sandbox.gate.blobs import Blobs
from sandbox.gate.host import Unusable, lstat, node_at, opened, opened_checkout
from sandbox.gate.manifest import Followed, Manifest, Renewal
from sandbox.gate.merge import LARGEST
from sandbox.hiding.hidden import hidden_of
from sandbox.sessions import Session

MOST = 64 * 1024 * 1024
"""Bytes that one call reads, all files together: whoever changes more waits for the gate, which reads all of them."""


class Bases:
    """Learns bases for the process that runs a session. The manifest is read once, and only if a call asks for it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._manifest = Followed(session.manifest)

    def learn(self, paths: Iterable[bytes]) -> None:
        """Keep the checkout's files at these paths, as far as they are what the session began with.

        Call it with what a tool call changed, before the user has had time to save there as well. Paths that are known
        already, or were edited since, cost a look each. Raises OutOfSpace, StateError.
        """
        manifest = self._manifest.now()
        wanted = [] if manifest is None else sorted({path for path in paths if manifest.is_unread(path)})
        if manifest is None or not wanted:
            return
        hidden = hidden_of(self._session)  # the sandbox made its own of nothing there, and the user's is a secret
        wanted = [path for path in wanted if not hidden.was_unseen(path)]
        try:
            with opened_checkout(Path(self._session.meta().checkout)) as root:
                manifest.renew(_Reader(root, manifest, Blobs(self._session.blobs)).read(wanted))
        except CheckoutRefused:
            return  # gone for now: whoever applies to it says so

    def agree(self, path: bytes, data: bytes) -> None:
        """Take this content, which the sandbox has at a path right now, for the base if the checkout has the same.

        What the user saved before is then no edit that the sandbox does not know. Raises OutOfSpace, StateError.
        """
        manifest = self._manifest.now()
        if manifest is None or len(data) > LARGEST:
            return
        try:
            with opened_checkout(Path(self._session.meta().checkout)) as root:
                found = _Reader(root, manifest, Blobs(self._session.blobs)).agreed(
                    path, hashlib.sha256(data).hexdigest()
                )
        except CheckoutRefused:
            return
        if found is not None:
            manifest.renew({path: found})


class _Reader:
    """Reads single paths of a checkout, up to a number of bytes."""

    def __init__(self, root: int, manifest: Manifest, blobs: Blobs) -> None:
        self._root = root
        self._manifest = manifest
        self._blobs = blobs
        self._room = MOST

    def read(self, paths: Iterable[bytes]) -> dict[bytes, Renewal]:
        return {path: found for path in paths if self._room > 0 and (found := self._at(path)) is not None}

    def _at(self, path: bytes) -> Renewal | None:
        """What stands at a path and its facts; None if that is not what the session began with, or cannot be had."""
        folder, _, name = path.rpartition(b"/")
        try:
            with opened(self._root, folder) as directory:
                if not self._is_unmoved(path, lstat(directory, name)):
                    return None
                node, facts = node_at(directory, name, read=self._file)
        except (Unusable, OSError):
            return None
        return Renewal(facts, node) if self._is_unmoved(path, facts) and not isinstance(node, Directory) else None

    def agreed(self, path: bytes, digest: str) -> Renewal | None:
        """The file at a path, if the user wrote just this there since the manifest knew it."""
        folder, _, name = path.rpartition(b"/")
        try:
            with opened(self._root, folder) as directory:
                if self._is_unmoved(path, lstat(directory, name)):
                    return None
                node, facts = node_at(directory, name, read=self._file)
        except (Unusable, OSError):
            return None
        return Renewal(facts, node) if isinstance(node, File) and node.digest == digest else None

    def _is_unmoved(self, path: bytes, facts: os.stat_result | None) -> bool:
        return facts is not None and self._manifest.matches(path, facts)

    def _file(self, descriptor: int) -> File | None:
        found = self._blobs.put_fd(descriptor, min(LARGEST, self._room))
        self._room -= found.size if found is not None else 0
        return found
