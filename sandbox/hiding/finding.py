"""Finding what a sandbox must not see: one walk over the names of a checkout, and a look into the few that leave doubt.

A sandbox waits for it, so it reads no file whose name says nothing; and it can be had for any way of filling a
workspace, the live checkout or a copy of it.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import StateError
from sandbox.gate.host import opened, opened_checkout, shut
from sandbox.gate.patterns import BadPattern, Pattern
from sandbox.gate.syscalls import open_beneath
from sandbox.gate.tracked import tracked
from sandbox.hiding import contents, gitdata
from sandbox.hiding.hidden import INDEX, Hidden, Secret
from sandbox.hiding.index import skipping
from sandbox.hiding.names import Group, group_of, group_of_folder, is_telling, is_template

_GIT = ".git"
_BARE = {"HEAD", "objects", "refs"}
"""What a repository without a `.git` folder holds at least."""
_COMING = {".env", ".env.local"}
"""Hidden at the top of every checkout, and beside a template, although they are not there: one that is made during a
run stays hidden."""
_MARKS = _BARE | _COMING
_UNTOLD = "it is git's own, and too large to be looked through for passwords, or made to hold them"


def find(checkout: Path, include: Sequence[str] = ()) -> Hidden:
    """What a sandbox on this checkout must not see.

    `include` are patterns as in an ignore file, relative to the checkout, of what may be seen anyway; one that names a
    folder means all in it. What we cannot look into is hidden: a tool may be able to, by a change of its mode.
    Raises: StateError for a pattern that is none; CheckoutRefused if the checkout is gone.
    """
    patterns = [_pattern(text) for text in include]
    with opened_checkout(checkout) as root:
        walk = _Walk(root, lambda path, is_folder: _is_meant(patterns, path, is_folder))
        walk.run()
    in_git = tracked(checkout) if walk.found else frozenset[bytes]()
    names = _tracked_among([path for path, _ in walk.found], in_git)
    found = (Secret(path, reason, path in names) for path, reason in sorted(walk.found))
    hidden = Hidden(tuple(found), walk.replaced, walk.coming)
    if names and (index := _index_without(checkout, hidden)) is not None:
        walk.replaced[INDEX] = index
    return hidden


@dataclass
class _Walk:
    """One walk: `found` are paths with the reason, `replaced` those with another content; the rest as in `Hidden`."""

    root: int
    is_included: Callable[[str, bool], bool]
    found: list[tuple[bytes, str]] = field(default_factory=list)
    replaced: dict[bytes, bytes] = field(default_factory=dict)
    coming: set[bytes] = field(default_factory=set)
    _waiting: list[str] = field(default_factory=lambda: [""])

    def run(self) -> None:
        while self._waiting:
            path = self._waiting.pop()
            try:
                descriptor = open_beneath(self.root, os.fsencode(path))
            except PermissionError:
                self.found.append((os.fsencode(path), "nobody could look through it: we may not open it"))
                continue
            except OSError:
                continue  # gone, replaced, or another file system begins here, which an overlay does not show
            try:
                self._folder(descriptor, path)
            finally:
                shut(descriptor)

    def _folder(self, descriptor: int, path: str) -> None:
        """Look at every entry of an open folder. This loop is what hiding costs."""
        prefix = f"{path}/" if path else ""
        telling: list[str] = []
        marks: set[str] = set()
        with contextlib.suppress(OSError), os.scandir(descriptor) as entries:
            for entry in entries:
                name = entry.name
                if name in _MARKS:
                    marks.add(name)
                if entry.is_dir(follow_symlinks=False):
                    self._enter(path, prefix, name)
                elif is_telling(name.lower()):
                    telling.append(name)
        if not path or any(name.startswith(".env") and is_template(name) for name in telling):
            self.coming.update(
                os.fsencode(prefix + name) for name in _COMING - marks if not self.is_included(prefix + name, False)
            )
        above = path.rpartition("/")[2].lower()
        for name in telling:
            group = group_of(above, name.lower())
            if group is not None and not self.is_included(prefix + name, False) and _is_secret(group, descriptor, name):
                self.found.append((os.fsencode(prefix + name), group.reason))
        if marks >= _BARE:
            self._git(path)

    def _enter(self, path: str, prefix: str, name: str) -> None:
        if name == _GIT:
            self._git(prefix + name)
            return
        group = group_of_folder(path.rpartition("/")[2].lower(), name.lower())
        if group is not None and not self.is_included(prefix + name, True):
            self.found.append((os.fsencode(prefix + name), group.reason))
        else:
            self._waiting.append(prefix + name)

    def _git(self, path: str) -> None:
        for one, content in gitdata.look(self.root, os.fsencode(path)):
            if self.is_included(os.fsdecode(one), False):
                continue
            if content is None:
                self.found.append((one, _UNTOLD))
            else:
                self.replaced[one] = content


def _is_secret(group: Group, directory: int, text: str) -> bool:
    """Whether the file is what its name says; one that cannot be looked into counts as such."""
    if group.proof == "name":
        return True
    data = contents.read(directory, os.fsencode(text))
    if data is None:
        return True
    return not contents.is_public(data) if group.proof == "not public" else contents.holds_secret(data)


def _index_without(checkout: Path, hidden: Hidden) -> bytes | None:
    """The index, if it lies in the checkout, for a work tree without what is hidden."""
    try:
        with opened_checkout(checkout) as root, opened(root, os.fsencode(_GIT)) as folder:
            return skipping(folder, b"index", hidden.covers)
    except OSError:
        return None


def is_included(include: Sequence[str], path: bytes) -> bool:
    """Whether patterns mean a file. Raises StateError for one that is none."""
    return _is_meant([_pattern(text) for text in include], os.fsdecode(path), False)


def _tracked_among(paths: Sequence[bytes], in_git: frozenset[bytes]) -> set[bytes]:
    """The paths that git has, or of which it has something below."""
    if not in_git:
        return set()
    found = in_git.intersection(paths)
    folders = tuple(path + b"/" for path in paths if path not in found)
    below = [path for path in in_git if path.startswith(folders)] if folders else []
    return set(found) | {folder[:-1] for folder in folders if any(path.startswith(folder) for path in below)}


def _pattern(text: str) -> Pattern:
    try:
        return Pattern.parse(text)
    except BadPattern as bad:
        raise StateError(f"the include pattern {text!r} {bad}: write it as in an ignore file") from bad


def _is_meant(patterns: Sequence[Pattern], path: str, is_folder: bool) -> bool:
    return bool(patterns) and any(pattern.matches(path.split("/"), is_folder=is_folder) for pattern in patterns)
