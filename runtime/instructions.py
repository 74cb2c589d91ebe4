"""How an instruction file is read and understood: by descriptors, bounded, without comments, with its `@imports`."""

import contextlib
import errno
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST = 4 * 1024 * 1024
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
IMPORT = re.compile(r"(?:^|(?<=\s))@((?:~/|\.{0,2}/)?[\w.-][\w./-]*)")


class Refused(Exception):
    """A file is there but is not read; the text says why."""


@dataclass(frozen=True)
class Tree:
    """A folder on the host that is read without ever leaving it. `root` is -1 if the folder cannot be opened."""

    path: Path
    root: int

    @staticmethod
    @contextlib.contextmanager
    def opened(path: Path) -> Iterator["Tree"]:
        """Open a folder for reading what is below it; one that is not there holds nothing."""
        try:
            root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            root = -1
        try:
            yield Tree(path, root)
        finally:
            if root >= 0:
                os.close(root)

    def read(self, name: str) -> str | None:
        """A text file below the folder; None if there is none. Raises Refused for what is not a plain file in here."""
        if self.root < 0:
            return None
        *parents, last = name.split("/")
        with contextlib.ExitStack() as stack:
            folder = self.root
            for parent in parents:
                try:
                    folder = os.open(parent, FOLDER, dir_fd=folder)
                except OSError:
                    return None
                stack.callback(os.close, folder)
            return read_in(folder, last)

    def resolve(self, importer: str, wanted: str) -> str | None:
        """The path below the folder that `importer` means by `wanted`; None if it leads outside."""
        if wanted.startswith(("/", "~")):
            return None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(importer), wanted))
        return None if path.startswith("../") or path in ("..", ".") else path


def read_in(folder: int, name: str, *, may_link: bool = True) -> str | None:
    """A file of an open folder. A link is followed once, and only to a name in the same folder."""
    try:
        descriptor = os.open(name, FILE, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            target = os.readlink(name, dir_fd=folder)
            if may_link and "/" not in target and target not in (".", ".."):
                return read_in(folder, target, may_link=False)
            raise Refused("it is a link that leaves its folder") from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise Refused(error.strerror or "it cannot be opened") from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise Refused("it is not a regular file")
        if facts.st_size > MOST:
            raise Refused(f"it is larger than {MOST // 1024 // 1024} MiB")
        return file.read(MOST).decode("utf-8-sig", "replace").replace("\0", "")


def without_comments(text: str) -> str:
    """The text without HTML comments, except where they are a part of code."""
    return "".join(part if fenced else uncommented(part) for fenced, part in passages(text))


def uncommented(text: str) -> str:
    """A passage without HTML comments; one that does not end is text. (A regular expression would be quadratic.)"""
    kept: list[str] = []
    position = 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        kept.append(text[position:start])
        position = end + 3
    return "".join([*kept, text[position:]])


def imports_of(text: str) -> list[str]:
    """The paths a text imports with `@path`, outside code fences and code spans, each once."""
    found: list[str] = []
    for fenced, part in passages(text):
        if not fenced:
            found += IMPORT.findall(without_spans(part))
    return list(dict.fromkeys(path.rstrip(".") for path in found))


def without_spans(text: str) -> str:
    """A passage without its code spans: from a run of backticks to the next run of the same length."""
    runs = [match.span() for match in re.finditer(r"`+", text)]
    partner: dict[int, int] = {}
    nearest: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        length = runs[index][1] - runs[index][0]
        partner[index] = nearest.get(length, -1)
        nearest[length] = index
    kept: list[str] = []
    position = index = 0
    while index < len(runs):
        closing = partner[index]
        if closing >= 0:
            kept.append(text[position : runs[index][0]])
            position, index = runs[closing][1], closing
        index += 1
    return "".join([*kept, text[position:]])


def passages(text: str) -> Iterator[tuple[bool, str]]:
    """The text in pieces, each with whether it is inside a code fence; joined they are the text."""
    piece: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if not fence and mark:
            yield False, "".join(piece)
            piece, fence = [line], mark[1]
        elif fence and mark and mark[1].startswith(fence):
            yield True, "".join([*piece, line])
            piece, fence = [], ""
        else:
            piece.append(line)
    yield bool(fence), "".join(piece)
