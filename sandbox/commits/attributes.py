"""Where git would turn a file's bytes into others on their way into a commit.

A filter is a program, so it is never run, and what it would make is not guessed. Line ends and `$Id$` are plain: they
only matter to a file that has something to turn.
"""

from collections.abc import Callable, Mapping, Sequence

from sandbox.commits.hostgit import Git
from sandbox.escape import escape

NAMES = ("filter", "text", "crlf", "eol", "ident", "working-tree-encoding")

Attributes = Mapping[bytes, bytes]


def attributes(git: Git, paths: Sequence[bytes], *options: str) -> Mapping[bytes, Attributes]:
    """What git's attribute files say about these paths, in the work tree or (`--cached`) in the index."""
    asked = b"".join(path + b"\0" for path in paths)
    words = git.read("check-attr", *options, "-z", "--stdin", *NAMES, stdin=asked).split(b"\0")
    found: dict[bytes, dict[bytes, bytes]] = {path: {} for path in paths}
    for path, name, value in zip(words[::3], words[1::3], words[2::3], strict=False):
        found[path][name] = value
    return found


def converts_line_ends(git: Git) -> bool:
    """Whether the settings ask for it where no attribute says anything."""
    answer = git.ask("config", "--get", "core.autocrlf").output.strip().lower()
    return answer not in (b"", b"false", b"no", b"off", b"0")


def conversion(path: bytes, said: Attributes, read: Callable[[], bytes], *, by_default: bool) -> str | None:
    """Why git would not commit this file's bytes as they are, or None if it would; `read` gives the bytes."""
    shown = escape(path)
    if _is_on(said, b"filter"):
        return f"{shown} goes through the filter {escape(said[b'filter'])} of the repository"
    if _is_on(said, b"working-tree-encoding"):
        return f"{shown} is kept in another encoding"
    if _is_on(said, b"ident") and b"$Id" in read():
        return f"{shown} has its $Id$ replaced"
    is_binary = b"unset" in (said.get(b"text"), said.get(b"crlf"))
    is_text = any(_is_on(said, name) for name in (b"text", b"crlf", b"eol"))
    if (is_text or by_default) and not is_binary and b"\r\n" in read():
        return f"{shown} has its line ends replaced"
    return None


def _is_on(said: Attributes, name: bytes) -> bool:
    return said.get(name, b"unset") not in (b"unspecified", b"unset")
