"""Files of records, one a line: whole lines only, whoever writes at the same time and whenever somebody dies."""

import fcntl
import os
from pathlib import Path


def append_line(path: Path, line: bytes, *, wait: bool = True) -> None:
    """Put a line on the end of a private file; one that a crash tore is dropped first.

    `wait` until it is on the disk. The file may have to be made: its name is then on the disk with its folder.
    Raises OSError.
    """
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
