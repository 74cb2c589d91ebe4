"""Files as the editing tools see them: text with its line ends and BOM, exact replacements, and what they changed."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from runtime.tools.text import clean
from runtime.tools.tool import Context, ToolFailed
from sandbox.errors import FileError

BOM = "\ufeff"
MOST_COMPARED = 4_000
"""Lines up to which a structured patch is worked out: comparing takes quadratic time."""


@dataclass(frozen=True)
class Edit:
    """One replacement of exact text."""

    old: str
    new: str
    everywhere: bool = False


async def read_bytes(path: str, context: Context) -> bytes:
    """A file's content. Raises ToolFailed with a hint that helps to find the right one."""
    try:
        return await context.sandbox.read(PurePosixPath(path))
    except FileError as error:
        raise ToolFailed(await explained(error, path, context)) from error


async def explained(error: FileError, path: str, context: Context) -> str:
    """Why a file could not be read, and what to try instead."""
    match error.kind:
        case "not-found":
            near = await similar(PurePosixPath(path), context)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"The working directory is {context.bench.cwd}."
            return f"{path} does not exist. {hint}"
        case "hidden":
            return f"{clean(str(error))}. It is not missing: if the task needs it, tell the user, who can include it"
        case "is-directory":
            return f"{path} is a directory: list it with LS"
        case "not-a-file":
            return f"{path} is a device, a pipe or a socket, not a file"
        case "too-large":
            return f"{path} is too large to read whole: use Grep, or Bash with head, tail or sed"
        case _:
            return clean(str(error))


async def similar(path: PurePosixPath, context: Context) -> Sequence[str]:
    """Existing paths that look like one that does not exist."""
    try:
        names = [entry.name for entry in await context.sandbox.list(path.parent)]
    except FileError:
        return []
    return [str(path.parent / clean(name)) for name in difflib.get_close_matches(path.name, names[:5_000], n=2)]


def as_text(path: str, data: bytes) -> str:
    """A text file's content, BOM included. Raises ToolFailed that says why it is not text."""
    reason = why_not_text(data)
    if reason:
        raise ToolFailed(f"{path} is not a text file ({reason}): inspect it with Bash, for example `file` or `xxd`")
    return data.decode("utf-8")


def why_not_text(data: bytes) -> str:
    """What makes bytes no UTF-8 text, empty if nothing does."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16"
    magic = {b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"%PDF": "a PDF", b"GIF8": "a GIF image"}
    for start, name in magic.items():
        if data.startswith(start):
            return f"it is {name}"
    if b"\0" in data:
        return f"it has a NUL byte at offset {data.index(0)}"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {data[error.start]:#04x} at offset {error.start} is not UTF-8"
    return ""


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text after all edits in order; its line ends and BOM stay. Raises ToolFailed for the first that cannot be."""
    for number, edit in enumerate(edits, start=1):
        which = f"edit {number}: " if len(edits) > 1 else ""
        text = replaced(text, edit, which)
    return text


def replaced(text: str, edit: Edit, which: str) -> str:
    """The text after one edit. In a file that ends its lines with CRLF, the edit's plain newlines mean those."""
    old, new = edit.old, edit.new
    if not old:
        raise ToolFailed(f"{which}old_string is empty: give the text to replace, or use Write for a whole file")
    if old == new:
        raise ToolFailed(f"{which}old_string and new_string are the same: there is nothing to change")
    if ends_in_crlf(text):
        old, new = with_crlf(old), with_crlf(new)
    count = text.count(old)
    if count == 0:
        raise ToolFailed(
            f"{which}old_string is not in the file, to the letter and to the blank: Read it again and copy"
        )
    if count > 1 and not edit.everywhere:
        raise ToolFailed(
            f"{which}old_string is in the file {count} times: give more of its surroundings, or set replace_all"
        )
    return text.replace(old, new)


def ends_in_crlf(text: str) -> bool:
    """Whether every line of the text ends with CRLF."""
    return "\r\n" in text and text.count("\n") == text.count("\r\n")


def with_crlf(text: str) -> str:
    """The text with every newline as CRLF."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def structured_patch(before: str, after: str) -> list[Mapping[str, Any]]:
    """The difference as hunks, three lines of context around each; empty for texts too long to compare."""
    old, new = before.removesuffix("\n").split("\n"), after.removesuffix("\n").split("\n")
    if before == after or len(old) + len(new) > 2 * MOST_COMPARED:
        return []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [hunk(group, old, new) for group in matcher.get_grouped_opcodes(3)]


def hunk(group: Sequence[tuple[str, int, int, int, int]], old: Sequence[str], new: Sequence[str]) -> Mapping[str, Any]:
    """One hunk in the shape readers of tool results know."""
    lines: list[str] = []
    for tag, old_start, old_end, new_start, new_end in group:
        if tag == "equal":
            lines += [" " + line for line in old[old_start:old_end]]
        else:
            lines += ["-" + line for line in old[old_start:old_end]]
            lines += ["+" + line for line in new[new_start:new_end]]
    first, last = group[0], group[-1]
    return {
        "oldStart": first[1] + 1,
        "oldLines": last[2] - first[1],
        "newStart": first[3] + 1,
        "newLines": last[4] - first[3],
        "lines": lines,
    }
