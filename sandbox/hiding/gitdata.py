"""Git's own data without the passwords and tokens in it: git needs these files, so a copy stands in for each.

Settings hold them in addresses (`https://user:token@host`), in headers, and in helpers that are programs; reflogs keep
the address of a clone. Only the secret part is replaced. Nothing under `.git` ever leaves a sandbox, so that the copy
cannot come back.
"""

import os
import re
from collections.abc import Iterator
from typing import Final

from sandbox.gate.secrets import without_secrets
from sandbox.gate.upper import Level, levels
from sandbox.hiding.contents import read

LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a file that is looked into; a larger one of these is hidden as a whole."""

_PASSED_BY: Final = frozenset((b"objects", b"refs", b"lfs", b"rr-cache", b"annex", b"sourcetree", b"fsmonitor--daemon"))
"""Folders that hold no text of settings or addresses."""
_KEYS: Final = {b"annex": b"creds", b"git-crypt": b"keys"}
"""Where programs that work with git keep logins and keys of theirs."""
_NO_TEXT: Final = re.compile(rb"(index|sharedindex\..*|packed-refs|shallow|.*\.lock|.*\.sample|.*\.pack)")
_KEPT_LOGINS: Final = re.compile(rb"(\.?git-)?credentials|.*cookies?(\.txt)?")

_WEB: Final = re.compile(rb"(?P<scheme>\b(?:https?|ftps?)://)[^\s/@\"'<>]+@")
_PASSWORD: Final = re.compile(rb"(?P<before>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:\"'<>]*):[^\s/@\"'<>]+@")
_QUERY: Final = re.compile(
    rb"(?P<before>[?&][\w.-]*(?:token|key|secret|password|auth)[\w.-]*=)[^\s&\"'<>]+", re.IGNORECASE
)
_SETTING: Final = re.compile(
    rb"^(?P<before>[ \t]*(?:\[[^\]\n]*\][ \t]*)?"
    rb"(?!askpass)(?:extraheader|cookie|[\w-]*(?:pass|password|passwd|passphrase|token|secret|apikey|auth))[ \t]*=)"
    rb"(?:[^\n\\]|\\.|\\\n)*",
    re.IGNORECASE | re.MULTILINE,
)
_PROGRAM: Final = re.compile(
    rb"^(?P<before>[ \t]*(?:\[[^\]\n]*\][ \t]*)?helper[ \t]*=)[ \t]*\"?!(?:[^\n\\]|\\.|\\\n)*",
    re.IGNORECASE | re.MULTILINE,
)
"""A helper that is a line of shell may have the password in it."""


def redacted(data: bytes) -> bytes:
    """The same without what looks like a secret; equal to `data` if there is none."""
    data = _WEB.sub(rb"\g<scheme>", data)
    data = _PASSWORD.sub(rb"\g<before>@", data)
    data = _QUERY.sub(rb"\g<before>hidden", data)
    return without_secrets(data)


def redacted_settings(data: bytes) -> bytes:
    """The same for a file of settings: the values of keys that are secrets by their name go, too."""
    data = _SETTING.sub(rb"\g<before> hidden", data)
    data = _PROGRAM.sub(rb"\g<before>", data)
    return redacted(data)


def look(root: int, start: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """What is not to be seen of git's data in the folder `start`: a path, and the content in its place (None: nothing).

    Submodules' and linked work trees' own settings lie in there, too.
    """
    for level in levels(root, lambda _path, _error: None, start=start):
        for entry in level.entries:
            path = level.below(entry.name)
            if entry.kind == "directory":
                if entry.name in _KEYS and _is_top(level):
                    yield from _if_there(root, path + b"/" + _KEYS[entry.name])
                if not (entry.name in _PASSED_BY and _is_top(level)):
                    level.descend.append(entry.name)
            elif entry.kind == "file":
                yield from _file(level, entry.name, path)


def _is_top(level: Level) -> bool:
    """Whether a folder is a repository's own: a branch may be called `lfs`."""
    return any(entry.name == b"HEAD" for entry in level.entries)


def _file(level: Level, name: bytes, path: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    if _KEPT_LOGINS.fullmatch(name):
        yield path, None
        return
    if _NO_TEXT.fullmatch(name):
        return
    data = read(level.descriptor, name, LARGEST)
    if data is None:
        if level.facts(name).st_size > LARGEST:
            yield path, None
        return
    if b"\0" in data:
        return
    clean = redacted_settings(data) if name.startswith(b"config") or name.endswith(b"config") else redacted(data)
    if clean != data:
        yield path, clean


def _if_there(root: int, path: bytes) -> Iterator[tuple[bytes, None]]:
    try:
        os.stat(path, dir_fd=root, follow_symlinks=False)
    except OSError:
        return
    yield path, None
