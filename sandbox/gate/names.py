"""Which names and link targets may never leave a sandbox, whatever file system they would land on."""

import functools
import re
import unicodedata

RESERVED = b".paddock-txn."
"""What the names of our own journals begin with."""

# Code points that file systems or people do not see: HFS+ drops some when it compares names, and all draw nothing.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SHORT_GIT = re.compile(r"git~[0-9]+")


def is_reserved(name: bytes) -> bool:
    """Whether a name looks like one of our journals, in any case: nobody else may make those."""
    return name[: len(RESERVED)].lower() == RESERVED


def is_git(name: bytes) -> bool:
    """Whether some file system takes this name for `.git`.

    Covers case, compatibility forms (full-width), ignorable code points, trailing dots and blanks, NTFS streams
    (`.git::$INDEX_ALLOCATION`), 8.3 names (`GIT~1`) and backslashes that another system reads as separators.
    """
    if name.isascii() and b"git" not in name.lower():
        return False
    return _is_git(name)


@functools.lru_cache(maxsize=4096)
def _is_git(name: bytes) -> bool:
    return any(_is_plain_git(part) for part in _plain(name).split("\\"))


def _is_plain_git(part: str) -> bool:
    part = "".join(character for character in part.partition(":")[0] if ord(character) >= ord(" "))
    part = part.strip(" ").rstrip(" .")
    return part == ".git" or _SHORT_GIT.fullmatch(part) is not None


@functools.lru_cache(maxsize=65536)
def folded(name: bytes) -> str:
    """A name as the most forgiving file system compares it: case, compatibility forms, and what nobody sees, left out.

    What stands behind a colon is an NTFS stream of the same file, and dots and blanks at the end are dropped there.
    """
    text = name.decode().lower() if name.isascii() else _plain(name)
    return text.partition(":")[0].strip(" ").rstrip(" .") or text


def _plain(name: bytes) -> str:
    text = _UNSEEN.sub("", name.decode("utf-8", "ignore"))
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).casefold()


def path_problem(path: bytes) -> str | None:
    """Why nothing may ever be written at this path of a checkout, or None if it may."""
    parts = path.split(b"/")
    if b"\0" in path or any(part in (b"", b".", b"..") for part in parts):
        return "is not a plain relative path"
    if any(is_git(part) for part in parts):
        return "belongs to git's own data, which never leaves the sandbox as files"
    if any(is_reserved(part) for part in parts):
        return "has a name that is reserved for paddock's own journal"
    return None


def link_problem(path: bytes, target: bytes) -> str | None:
    """Why the link at `path` may not leave the sandbox, or None if it may.

    `..` is only taken at the front, where it climbs real directories: behind a name it may climb out of whatever
    that name is a link to.
    """
    if target.startswith(b"/"):
        return "is a link to an absolute path"
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    climbs = len(parts)
    for index, part in enumerate(parts):
        if part != b"..":
            climbs = index
            break
    if b".." in parts[climbs:]:
        return "is a link whose target climbs with `..` behind a name"
    if climbs > path.count(b"/"):
        return "is a link that leaves the tree"
    if any(is_git(part) for part in parts):
        return "is a link into git's own data"
    if any(is_reserved(part) for part in parts):
        return "is a link into paddock's own journal"
    return None
