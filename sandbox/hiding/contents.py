"""Whether a file's content is a secret: asked of files whose name leaves that open. In doubt it is one."""

import os
import re
import stat
from typing import Final

from sandbox.gate.secrets import secret_in
from sandbox.gate.syscalls import FILE

LARGEST: Final = 1024 * 1024
"""Bytes of a file that is looked into; a larger one counts as a secret where its name speaks for it."""

PASSWORD_IN_ADDRESS: Final = re.compile(
    rb"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/@:\"'<>]*):[^\s/@\"'<>]+@"
)
_KEY: Final = (
    rb"[\w.:/-]*(pass(word|wd|phrase)?|secret|token|auth|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key"
    rb"|presharedkey|privatekey|storekey|client[_-]?key[_-]?data|identity)\w*"
)
_ASSIGNED: Final = re.compile(
    rb"(?im)(?:^|[\s{,;(\"'/<])"
    + _KEY
    + rb"[\"']?\s*(?:[:=>]|value\s*=|\s(?=\S))\s*[\"']?(?P<value>[^\s\"'<>,;{}\[\]]{4,})"
)
_NO_VALUES: Final = re.compile(
    rb"(?i)(true|false|null|none|nil|yes|no|always|never|required|optional|string|[$%<*].*|var\..*)"
)


def is_public(data: bytes) -> bool:
    """Whether a file under a key's name holds none: certificates and public keys only, nothing, or a Keynote file."""
    if data.startswith(b"PK\x03\x04") or not data.strip():
        return True
    return b"-----BEGIN " in data and b"PRIVATE KEY" not in data


def holds_secret(data: bytes) -> bool:
    """Whether settings hold what looks like a password, a token or a private key, and not only a place for one."""
    if secret_in(data, bytes) or _has_password(data):
        return True
    return any(not _NO_VALUES.fullmatch(found["value"]) for found in _ASSIGNED.finditer(data))


def _has_password(data: bytes) -> bool:
    return b"://" in data and PASSWORD_IN_ADDRESS.search(data) is not None


def read(directory: int, name: bytes, largest: int = LARGEST) -> bytes | None:
    """What a regular file holds; None if it is none, cannot be read, or is larger than `largest` bytes."""
    try:
        descriptor = os.open(name, FILE, dir_fd=directory)
    except OSError:
        return None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > largest:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(largest + 1)
        return data if len(data) <= largest else None
    except OSError:
        return None
    finally:
        os.close(descriptor)
