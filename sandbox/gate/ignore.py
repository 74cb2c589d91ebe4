"""Which paths the user's own ignore rules match: read from the checkout, never from the sandbox's copy.

Nothing here runs git. What the sandbox writes into its `.gitignore` changes nothing for the review at hand.
"""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.gate.patterns import BadPattern, Pattern
from sandbox.gate.syscalls import DIRECTORY, FILE, open_beneath
from sandbox.gate.tracked import tracked

_LARGEST = 1024 * 1024  # bytes of one ignore file; more is not written by people
_MOST = 10_000  # patterns of one

_SECTION = re.compile(r'^\s*\[\s*([A-Za-z0-9.-]+)\s*(?:"[^"]*"\s*)?\]')
_EXCLUDES = re.compile(r'^\s*excludesfile\s*=\s*"?(.*?)"?\s*$', re.IGNORECASE)


@dataclass(frozen=True)
class _Lines:
    """The patterns of one ignore file, the last one first, each with what it says: left out, or taken back in.

    Those that spell out a name can only mean what ends in it, so they are looked up; `others` have to be tried.
    """

    by_name: Mapping[str, Sequence[tuple[int, Pattern, bool]]]
    others: Sequence[tuple[int, Pattern, bool]]

    def decide(self, names: Sequence[str], *, is_folder: bool) -> bool | None:
        """What the last pattern that means this path says; None if there is none."""
        found = next((one for one in self.by_name.get(names[-1], ()) if one[1].means(names, is_folder=is_folder)), None)
        for place, pattern, leaves_out in self.others:
            if found is not None and found[0] > place:
                break
            if pattern.means(names, is_folder=is_folder):
                return leaves_out
        return None if found is None else found[2]


@dataclass(frozen=True)
class _Folder:
    """A folder on the way down: whether it is ignored, and what has a say below it.

    `rules` go from the nearest file to the farthest, each with the offset at which a path begins for it.
    """

    is_ignored: bool
    exists: bool
    rules: tuple[tuple[int, _Lines], ...]


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


def _decide(rules: Sequence[tuple[int, _Lines]], path: bytes, is_dir: bool) -> bool:
    """The nearest file that says something wins; in it, the last pattern that matches."""
    for offset, lines in rules:
        said = lines.decide(os.fsdecode(path[offset:]).split("/"), is_folder=is_dir)
        if said is not None:
            return said
    return False


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


def _compile(data: bytes) -> _Lines | None:
    by_name: dict[str, list[tuple[int, Pattern, bool]]] = {}
    others: list[tuple[int, Pattern, bool]] = []
    lines = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).split("\n")
    wanted = [line for line in (_stripped(line) for line in lines) if line and not line.startswith("#")]
    for place, line in reversed(list(enumerate(wanted[:_MOST]))):
        try:
            pattern = Pattern.read(line.removeprefix("!"))
        except BadPattern:
            continue  # git skips a pattern it cannot read and goes on; so do we
        name = pattern.name
        (others if name is None else by_name.setdefault(name, [])).append((place, pattern, not line.startswith("!")))
    return _Lines(by_name, others) if by_name or others else None


def _stripped(line: str) -> str:
    """A line without its end, and without the blanks there that no backslash keeps."""
    text = line.removesuffix("\r").rstrip(" ")
    slashes = len(text) - len(text.rstrip("\\"))
    return text + " " if slashes % 2 and len(text) < len(line.removesuffix("\r")) else text


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
