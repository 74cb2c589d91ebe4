"""Which paths the user's own ignore rules match: read from the checkout, never from the sandbox's copy.

Nothing here runs git. What the sandbox writes into its `.gitignore` changes nothing for the review at hand.
"""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from sandbox.syscalls import FILE, open_beneath

_LARGEST = 4 * 1024 * 1024  # bytes of one ignore file; more is not written by people

_SECTION = re.compile(r'^\s*\[\s*([A-Za-z0-9.-]+)\s*(?:"[^"]*"\s*)?\]')
_EXCLUDES = re.compile(r'^\s*excludesfile\s*=\s*"?(.*?)"?\s*$', re.IGNORECASE)


class Ignored:
    """Git's ignore rules over one checkout: per-folder `.gitignore`, `.git/info/exclude`, the user's own excludes.

    Only the files above the asked paths are read, once each. `excludes` is the user's own file (see
    `user_excludes`), None for none.
    """

    def __init__(self, checkout: Path, excludes: Path | None = None) -> None:
        self._root = checkout
        self._excludes = excludes
        self._specs: dict[bytes, GitIgnoreSpec | None] = {}
        self._everywhere: list[GitIgnoreSpec] | None = None
        self._folders: dict[bytes, bool] = {b"": False}

    def matches(self, path: bytes, is_dir: bool) -> bool:
        """Whether git would leave this path out, were it not tracked. Nothing under an ignored folder comes back."""
        parents = path.split(b"/")[:-1]
        for depth in range(1, len(parents) + 1):
            folder = b"/".join(parents[:depth])
            if folder not in self._folders:
                self._folders[folder] = self._decide(folder, True)
            if self._folders[folder]:
                return True
        return self._decide(path, is_dir)

    def _decide(self, path: bytes, is_dir: bool) -> bool:
        """The nearest file that says something wins; in it, the last pattern that matches."""
        parts = path.split(b"/")
        for depth in range(len(parts) - 1, -1, -1):
            spec = self._spec(b"/".join(parts[:depth]))
            verdict = _verdict(spec, b"/".join(parts[depth:]), is_dir)
            if verdict is not None:
                return verdict
        for spec in self._outside():
            verdict = _verdict(spec, path, is_dir)
            if verdict is not None:
                return verdict
        return False

    def _spec(self, folder: bytes) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            self._specs[folder] = _compile(self._read(folder, b".gitignore"))
        return self._specs[folder]

    def _outside(self) -> Sequence[GitIgnoreSpec]:
        if self._everywhere is None:
            found = [_compile(self._read(b".git/info", b"exclude")), _compile(_read_own(self._excludes))]
            self._everywhere = [spec for spec in found if spec is not None]
        return self._everywhere

    def _read(self, folder: bytes, name: bytes) -> bytes:
        """An ignore file of the checkout, through no link: like git, which refuses `.gitignore` links."""
        try:
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            descriptor = open_beneath(root, folder)
        except OSError:
            return b""
        finally:
            os.close(root)
        try:
            return _read_regular(name, descriptor)
        finally:
            os.close(descriptor)


def user_excludes(home: Path) -> Path:
    """The user's own excludes file: `core.excludesFile` of `~/.gitconfig`, else git's default place.

    Files that `~/.gitconfig` includes are not followed.
    """
    default = home / ".config" / "git" / "ignore"
    try:
        text = (home / ".gitconfig").read_text(errors="surrogateescape")
    except OSError:
        return default
    section = ""
    for line in text.splitlines():
        header = _SECTION.match(line)
        if header:
            section = header[1].lower()
        if section == "core" and (value := _EXCLUDES.match(line[header.end() :] if header else line)):
            default = home / value[1].removeprefix("~/")
    return default


def _verdict(spec: GitIgnoreSpec | None, path: bytes, is_dir: bool) -> bool | None:
    if spec is None:
        return None
    return spec.check_file(os.fsdecode(path) + ("/" if is_dir else "")).include


def _compile(data: bytes) -> GitIgnoreSpec | None:
    lines = [line.removesuffix("\r") for line in os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).split("\n")]
    usable = [line for line in lines if _compiles(line)]
    return GitIgnoreSpec.from_lines(usable) if any(usable) else None


def _compiles(line: str) -> bool:
    """Git skips a pattern it cannot read and goes on; so do we."""
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _read_own(path: Path | None) -> bytes:
    try:
        return b"" if path is None else path.read_bytes()
    except OSError:
        return b""


def _read_regular(name: bytes, directory: int) -> bytes:
    try:
        descriptor = os.open(name, FILE, dir_fd=directory)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LARGEST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
