"""Which paths git tracks, read from the checkout's own index file: git is never run on a checkout.

Ignore rules do not hold for a tracked file. The index is data to us: nothing that it names is opened, and one that we
cannot read counts as empty, so that an ignored file is at worst listed apart.
"""

import os
import stat
from pathlib import Path

from sandbox.gate import gitindex
from sandbox.gate.host import opened_checkout
from sandbox.gate.splitindex import whole
from sandbox.gate.syscalls import FILE, open_beneath


def tracked(checkout: Path) -> frozenset[bytes]:
    """The paths in a checkout's index; empty if there is none that can be read."""
    try:
        data = _index_of(checkout)
        return frozenset(path for _, path, _ in gitindex.entries(data))
    except gitindex.DAMAGED:
        return frozenset()


def _index_of(checkout: Path) -> bytes:
    """The index of a plain repository, or of a linked worktree, whose `.git` is a file that says where to look."""
    try:
        with opened_checkout(checkout) as root:
            if stat.S_ISREG(os.stat(b".git", dir_fd=root, follow_symlinks=False).st_mode):
                return _linked(root, checkout)
            descriptor = open_beneath(root, b".git")
    except OSError:
        return b""
    try:
        return _whole(descriptor)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _linked(root: int, checkout: Path) -> bytes:
    text = _read(b".git", root)
    if not text.startswith(b"gitdir: "):
        return b""
    folder = os.path.join(os.fsencode(checkout), text[len(b"gitdir: ") :].rstrip(b"\n"))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _whole(descriptor)
    finally:
        os.close(descriptor)


def _whole(folder: int) -> bytes:
    """The index in a repository's folder, with what it shares. Raises OSError, and what says that it is damaged."""
    return whole(_read(b"index", folder), lambda name: _read(name, folder))


def _read(name: bytes, directory: int) -> bytes:
    with os.fdopen(os.open(name, FILE, dir_fd=directory), "rb") as file:
        facts = os.fstat(file.fileno())
        return file.read() if stat.S_ISREG(facts.st_mode) and facts.st_size <= gitindex.LARGEST else b""
