"""A text in the user's own editor: written to a private file, and read back when the editor is closed."""

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,60}")
_LARGEST = 64 * 1024 * 1024  # bytes that are read back


def edited(text: bytes, path: bytes, command: str) -> bytes | None:
    """The text as the user leaves it; None if the editor failed or could not be started, so that nothing is decided.

    `path` is whose text it is: the file is called alike where its name is plain, so that editors know the language.
    """
    name = os.fsdecode(path.rpartition(b"/")[2])
    with tempfile.TemporaryDirectory(prefix="paddock-") as folder:  # 0700, and never in the checkout
        file = Path(folder) / (name if _PLAIN.fullmatch(name) else "text")
        file.write_bytes(text)
        try:
            done = subprocess.run([*shlex.split(command), os.fspath(file)], check=False)
            if done.returncode != 0 or file.stat().st_size > _LARGEST:
                return None
            return file.read_bytes()
        except (OSError, ValueError):
            return None
