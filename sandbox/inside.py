"""Paths inside a sandbox: absolute, and names that a file can have."""

import os
from pathlib import PurePosixPath

from sandbox.errors import FileError


def absolute(path: PurePosixPath) -> str:
    """The path as it travels. Raises FileError("outside") for what is none."""
    text = str(path)
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise FileError("outside", ascii(text), "not a name a file can have") from error
    if not path.is_absolute() or "\0" in text:
        raise FileError("outside", ascii(text), "a path inside the sandbox is absolute")
    return text
