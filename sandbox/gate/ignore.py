"""Which paths the user's own ignore rules match: read from the checkout, never from the sandbox's copy.

Nothing here runs git. What the sandbox writes into its `.gitignore` changes nothing for the review at hand.
"""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from sandbox.gate.syscalls import DIRECTORY, FILE, open_beneath
from sandbox.gate.tracked import tracked

_LARGEST = 4 * 1024 * 1024  # bytes of one ignore file; more is not written by people

_SECTION = re.compile(r'^\s*\[\s*([A-Za-z0-9.-]+)\s*(?:"[^"]*"\s*)?\]')
_EXCLUDES = re.compile(r'^\s*excludesfile\s*=\s*"?(.*?)"?\s*$', re.IGNORECASE)


@dataclass(frozen=True)
class _Folder:
    """A folder on the way down: whether it is ignored, and what has a say below it.

    `rules` go from the nearest file to the farthest, each with the offset at which a path begins for it.
    """

    is_ignored: bool
    exists: bool
    rules: tuple[tuple[int, GitIgnoreSpec], ...]


class Ignored:
    """Git's ignore rules over one checkout: per-folder `.gitignore`, `.git/info/exclude`, the user's own excludes.

    Only the files above the asked paths are read, once each. `excludes` is the user's own file (see
    `user_excludes`), None for none.
    """

    def __init__(self, checkout: Path, excludes: Path | None = None) -> None:
        self._root = checkout
        self._excludes = excludes
        self._folders: dict[bytes, _Folder] = {}
        self._tracked: frozenset[bytes] | None = None

    def leaves_out(self, path: bytes, is_dir: bool) -> bool:
        """Whether git would leave this path out: the rules match it, and it is not tracked."""
        if not self.matches(path, is_dir):
            return False
        if self._tracked is None:
            self._tracked = tracked(self._root)
        return path not in self._tracked

    def matches(self, path: bytes, is_dir: bool) -> bool:
        """Whether the rules match this path. Nothing under an ignored folder comes back."""
        folder = self._nearest(path.rpartition(b"/")[0])
        return folder.is_ignored or _decide(folder.rules, path, is_dir)

    def _nearest(self, path: bytes) -> _Folder:
        """A folder, or the ignored one above it; only what is not known yet is looked at, from the top down."""
        unknown: list[bytes] = []
        while path and path not in self._folders:
            unknown.append(path)
            path = path.rpartition(b"/")[0]
        folder = self._folder(path, None)
        while unknown and not folder.is_ignored:
            folder = self._folder(unknown.pop(), folder)
        return folder

    def _folder(self, path: bytes, above: _Folder | None) -> _Folder:
        if path not in self._folders:
            self._folders[path] = self._below(path, above) if above else self._top()
        return self._folders[path]

    def _top(self) -> _Folder:
        sources = [self._read(b"", b".gitignore"), self._read(b".git/info", b"exclude"), _read_own(self._excludes)]
        specs = [_compile(source) for source in sources if source is not None]
        return _Folder(False, True, tuple((0, spec) for spec in specs if spec is not None))

    def _below(self, path: bytes, above: _Folder) -> _Folder:
        if _decide(above.rules, path, True):
            return _Folder(True, above.exists, ())
        own = self._read(path, b".gitignore") if above.exists else None
        spec = _compile(own) if own else None
        rules = ((len(path) + 1, spec), *above.rules) if spec else above.rules
        return _Folder(False, own is not None, rules)

    def _read(self, folder: bytes, name: bytes) -> bytes | None:
        """An ignore file of the checkout; empty if there is none, None if there is not even the folder.

        Read through no link, like git, which refuses `.gitignore` links.
        """
        try:
            root = os.open(self._root, DIRECTORY)
        except OSError:
            return None
        try:
            descriptor = open_beneath(root, folder)
        except OSError:
            return None
        finally:
            os.close(root)
        try:
            return _read_regular(name, descriptor)
        finally:
            os.close(descriptor)


def _decide(rules: Sequence[tuple[int, GitIgnoreSpec]], path: bytes, is_dir: bool) -> bool:
    """The nearest file that says something wins; in it, the last pattern that matches."""
    for offset, spec in rules:
        subject = os.fsdecode(path[offset:]) + ("/" if is_dir else "")
        for pattern in reversed(spec.patterns):
            if pattern.include is not None and _is_match(pattern, subject):
                return pattern.include
    return False


def _is_match(pattern: GitIgnoreSpecPattern, subject: str) -> bool:
    """Whether a pattern means this very path. For pathspec one that means a folder also means all that is in it; for
    us the folder has had its own turn, and may have been taken back in by another file.
    """
    if pattern.regex is None:
        return False
    if pattern.regex.groupindex:  # the group is the end of a path
        return pattern.regex.fullmatch(subject) is not None
    found = pattern.regex.match(subject)  # `*` and `folder/**`: everything, or everything below
    return found is not None and (found.end() < len(subject) or not found[0].endswith("/"))


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
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a folder of this name: `fdopen` would not take it
        os.close(descriptor)
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LARGEST)
