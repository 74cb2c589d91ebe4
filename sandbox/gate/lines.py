"""Files of records, one a line: whole lines only, whoever writes at the same time and whenever somebody dies."""

import errno
import fcntl
import os
from pathlib import Path

from sandbox.errors import OutOfSpace, StateError
from sandbox.gate.blobs import sync_directory


def append_line(path: Path, line: bytes, *, wait: bool = True) -> None:
    """Put a line on the end of a private file; one that a crash tore is dropped first.

    `wait` until it is on the disk, with the name of a file that has to be made. Raises OutOfSpace, StateError.
    """
    try:
        _append(path, line, wait)
        if wait:
            sync_directory(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutOfSpace(f"no space left for {path}: free some and try again") from error
        raise StateError(f"{path} cannot be written: {error.strerror}") from error


def _append(path: Path, line: bytes, wait: bool) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = _end_of_last_line(descriptor)
        os.ftruncate(descriptor, end)
        data = memoryview(line + b"\n")
        while data:
            written = os.pwrite(descriptor, data, end)
            data, end = data[written:], end + written
        if wait:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_of_last_line(descriptor: int) -> int:
    """Behind the last newline."""
    size = os.fstat(descriptor).st_size
    while size > 0:
        start = max(0, size - 65536)
        found = os.pread(descriptor, size - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        size = start
    return 0
