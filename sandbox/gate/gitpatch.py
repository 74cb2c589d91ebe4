"""The outer form of a git patch: headers, quoted names, binary literals."""

import base64
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_NOTHING = "0" * 40
_LINE = 52  # bytes in a line of a binary literal

_LETTERS = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}


@dataclass(frozen=True)
class Side:
    """One side of a change as git stores it: the mode in octal digits, and the content."""

    mode: str
    content: bytes


def patch(path: bytes, old: Side | None, new: Side | None, body: bytes | None) -> bytes:
    """One file's part of a patch. `body`: its hunks; None to write both contents as binary literals."""
    a, b = quoted(b"a/" + path), quoted(b"b/" + path)
    pieces = [b"diff --git ", a, b" ", b, b"\n", *_mode_lines(old, new)]
    if old is not None and new is not None and old.content == new.content:
        return b"".join(pieces)
    shared = f" {new.mode}" if old is not None and new is not None and old.mode == new.mode else ""
    pieces.append(f"index {_object_id(old)}..{_object_id(new)}{shared}\n".encode())
    if body is None:
        pieces += [b"GIT binary patch\n", *_literal(new), *_literal(old)]
    elif body:
        pieces += [b"--- ", _name_line(a, old), b"+++ ", _name_line(b, new), body]
    return b"".join(pieces)


def quoted(name: bytes) -> bytes:
    """A name as git writes it: as it is, or in double quotes with C escapes if any byte asks for it."""
    if not any(byte < 0x20 or byte >= 0x7F or byte in b'"\\' for byte in name):
        return name
    return b'"' + b"".join(_quoted_byte(byte) for byte in name) + b'"'


def _quoted_byte(byte: int) -> bytes:
    if byte in _LETTERS:
        return b"\\" + _LETTERS[byte]
    return f"\\{byte:03o}".encode() if byte < 0x20 or byte >= 0x7F else bytes((byte,))


def _name_line(name: bytes, side: Side | None) -> bytes:
    if side is None:
        return b"/dev/null\n"
    # A tab tells where a name with blanks ends; a quoted one needs none.
    return name + (b"\t\n" if b" " in name and not name.startswith(b'"') else b"\n")


def _mode_lines(old: Side | None, new: Side | None) -> Iterator[bytes]:
    if old is None and new is not None:
        yield f"new file mode {new.mode}\n".encode()
    elif old is not None and new is None:
        yield f"deleted file mode {old.mode}\n".encode()
    elif old is not None and new is not None and old.mode != new.mode:
        yield f"old mode {old.mode}\nnew mode {new.mode}\n".encode()


def _object_id(side: Side | None) -> str:
    if side is None:
        return _NOTHING
    return hashlib.sha1(b"blob %d\0" % len(side.content) + side.content, usedforsecurity=False).hexdigest()


def _literal(side: Side | None) -> Iterator[bytes]:
    content = side.content if side else b""
    yield b"literal %d\n" % len(content)
    packed = zlib.compress(content)
    for start in range(0, len(packed), _LINE):
        chunk = packed[start : start + _LINE]
        length = len(chunk)
        letter = ord("A") + length - 1 if length <= 26 else ord("a") + length - 27
        yield bytes((letter,)) + base64.b85encode(chunk, pad=True) + b"\n"
    yield b"\n"
