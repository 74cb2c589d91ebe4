"""The full output of a call that is too long to tell: kept in the session, up to a limit."""

import os
import re
from pathlib import Path

MOST = 64 * 1024 * 1024


class Spool:
    """Takes chunks; only from `threshold` bytes on is there a file. A full disk ends the keeping, not the call."""

    def __init__(self, folder: Path, call_id: str, threshold: int) -> None:
        name = call_id if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", call_id) else "call-" + os.urandom(8).hex()
        self.path = folder / f"{name}.txt"
        self.complete = True
        self._threshold = threshold
        self._held = bytearray()
        self._size = 0
        self._file: int | None = None

    @property
    def is_kept(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    def add(self, data: bytes) -> None:
        """Take the next chunk."""
        room = MOST - self._size
        self._size += len(data)
        if not self.complete:
            return
        self.complete = len(data) <= room
        self._held += data[:room]
        if self._size > self._threshold:
            self._flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _flush(self) -> None:
        try:
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(self.path, flags, 0o600)
            os.write(self._file, self._held)
        except OSError:
            self.complete = False
        self._held.clear()
