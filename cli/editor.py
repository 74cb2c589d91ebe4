"""A text in the user's own editor: written to a private file, and read back when the editor is closed."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from cli.ask import has_person, line_by_line

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,60}")
_LARGEST = 64 * 1024 * 1024  # bytes that are read back


def edited(text: bytes, path: bytes, command: str, within: Path | None = None) -> bytes | None:
    """The text as the user leaves it; None if the editor failed or could not be started, so that nothing is decided.

    `path` is whose text it is: the file is called alike where its name is plain, so that editors know the language.
    `within` is the folder in which the file gets one of its own; None: where the system keeps such files.
    """
    name = os.fsdecode(path.rpartition(b"/")[2])
    with tempfile.TemporaryDirectory(prefix="paddock-", dir=within) as folder:  # 0700, and never in the checkout
        file = Path(folder) / (name if _PLAIN.fullmatch(name) else "text")
        file.touch(0o600)
        file.write_bytes(text)
        try:
            with line_by_line() if has_person() else contextlib.nullcontext():
                done = subprocess.run([*_wary(shlex.split(command)), os.fspath(file)], check=False)
            if done.returncode != 0 or file.stat().st_size > _LARGEST:
                return None
            return file.read_bytes()
        except (OSError, ValueError):
            return None


def _wary(argv: list[str]) -> list[str]:
    """A text from a sandbox may hold a modeline, which vim would obey before anybody has read it."""
    program = os.path.realpath(shutil.which(argv[0]) or argv[0]) if argv else ""
    is_vim = os.path.basename(program).startswith(("vim", "nvim", "gvim"))
    return [*argv, "--cmd", "set nomodeline"] if is_vim else argv
