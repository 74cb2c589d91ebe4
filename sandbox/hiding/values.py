"""The secrets themselves, read on the host from what is hidden: so that one that turns up in a change is recognised.

The sandbox cannot read them there; but it may have them from the history, from an included file, or from what somebody
wrote into the conversation. They are never kept: not in a file, not in a message.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sandbox.gate.host import opened, opened_checkout
from sandbox.gate.upper import levels
from sandbox.hiding import contents
from sandbox.hiding.hidden import Hidden

MOST_FILES: Final = 200
MOST_VALUES: Final = 200
SHORTEST: Final = 8
"""Bytes of a value by a telling key; what is shorter is in many files by chance."""

_LINE: Final = re.compile(
    rb"""^[ \t]*(?:export[ \t]+|-[ \t]+)?["']?(?P<key>[\w.:/-]+)["']?[ \t]*[=:][ \t]*"""
    rb"""(?P<quote>["']?)(?P<value>[^\r\n]*?)(?P=quote)[ \t]*,?[ \t]*\r?$""",
    re.MULTILINE,
)
_TELLING: Final = re.compile(rb"(?i)pass|pwd|secret|token|auth|key|credential|private|salt|dsn|webhook")
_RANDOM: Final = re.compile(rb"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=[^0-9]*[0-9])[A-Za-z0-9+/_.=-]{20,}")
_PASSWORD: Final = re.compile(rb"://[^\s/@:\"']*:(?P<value>[^\s/@\"']{8,})@")
_KEY_LINE: Final = re.compile(rb"^[A-Za-z0-9+/=]{40,}\r?$", re.MULTILINE)
_PLACE: Final = re.compile(rb"[$<{%].*|x+|\*+|change.?me.*|your.*|example.*|placeholder.*|localhost.*", re.IGNORECASE)


def known_values(checkout: Path, hidden: Hidden) -> Mapping[bytes, bytes]:
    """Each secret value with the path of a hidden file that holds it. Raises CheckoutRefused."""
    found: dict[bytes, bytes] = {}
    if not hidden.secrets and not hidden.redacted:
        return found
    with opened_checkout(checkout) as root:
        for number, path in enumerate(_files(root, hidden)):
            if number >= MOST_FILES or len(found) >= MOST_VALUES:
                break
            for value in _values(_content(root, path)):
                found.setdefault(value, path)
    return dict(list(found.items())[:MOST_VALUES])


def _files(root: int, hidden: Hidden) -> Iterator[bytes]:
    """The files, those in hidden folders among them."""
    for path in (*(secret.path for secret in hidden.secrets), *hidden.redacted):
        yield path
        for level in levels(root, lambda _path, _error: None, start=path):  # none for a file
            level.descend += [entry.name for entry in level.entries if entry.kind == "directory"]
            yield from (level.below(entry.name) for entry in level.entries if entry.kind == "file")


def _content(root: int, path: bytes) -> bytes:
    folder, _, name = path.rpartition(b"/")
    try:
        with opened(root, folder) as directory:
            return contents.read(directory, name) or b""
    except OSError:
        return b""


def _values(data: bytes) -> Iterator[bytes]:
    if b"\0" in data:
        return  # a store of keys: nothing of it stands in a text
    for line in _LINE.finditer(data):
        value = line["value"]
        is_told = _TELLING.search(line["key"]) and len(value) >= SHORTEST
        if (is_told or _RANDOM.fullmatch(value)) and not _PLACE.fullmatch(value):
            yield value
    yield from (found["value"] for found in _PASSWORD.finditer(data))
    if b"PRIVATE KEY" in data:
        yield from (line.rstrip() for line in _KEY_LINE.findall(data))
    whole = data.strip()
    if len(whole) >= 2 * SHORTEST and not re.search(rb"\s", whole) and not _LINE.fullmatch(whole):
        yield whole  # a file of one token
