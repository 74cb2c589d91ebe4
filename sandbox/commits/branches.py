"""The name of the branch that commits leave as: one that git takes, that is new, and that nobody can misread."""

import re
import unicodedata
from collections.abc import Collection

from sandbox.escape import alarms

HEADS = "refs/heads/"
LONGEST = 200  # bytes: a file of this name, with `.lock` at its end, has to be possible
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_OBJECT = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")


def name_problem(name: str) -> str | None:
    """Why this cannot be a branch's name (the rules of `git check-ref-format`, and ours), or None if it can."""
    if not name or len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        return f"a branch's name has 1 to {LONGEST} bytes"
    if name.startswith("-"):
        return "it would be taken for an option"
    if name in ("@", "HEAD") or _OBJECT.fullmatch(name) or name.startswith("refs/"):
        return "it would be taken for something else than a branch"
    if _FORBIDDEN.search(name) or name.startswith("/") or name.endswith(("/", ".")):
        return "git takes no such name"
    if any(part.startswith((".", "-")) or part.lower().endswith(".lock") for part in name.split("/")):
        return "git takes no such name"
    if not name.isprintable() or alarms(name):
        return "it holds characters that are not seen, or that change how others are seen"
    return None


def taken(name: str, branches: Collection[str]) -> str | None:
    """The branch that is in the way of a new one, on any file system; None if there is none.

    Where two names differ in nothing but case or Unicode form, macOS and Windows have one file for both; and a branch
    is a file, so that `a` and `a/b` cannot both be.
    """
    wanted = _folded(name)
    for branch in branches:
        there = _folded(branch)
        if there == wanted or there.startswith(f"{wanted}/") or wanted.startswith(f"{there}/"):
            return branch
    return None


def first_free(name: str, branches: Collection[str]) -> str:
    """The name, if need be with the first number from 2 on that makes it new; without folders if one is a branch."""
    folder = name.rpartition("/")[0]
    if any(_folded(folder) == _folded(branch) for branch in branches):
        name = name.replace("/", "-")
    number, found = 1, name
    while taken(found, branches) is not None:
        number += 1
        found = f"{name}-{number}"
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
