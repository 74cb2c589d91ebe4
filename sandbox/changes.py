"""What a sandbox changed: values, each with what stood before and what stands now.

Paths are bytes, relative to the checkout, with `/` between the parts: names are whatever the sandbox chose.
Contents are named by their SHA-256 and lie in the session's blob store (`sandbox.gate.blobs`).
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal


@dataclass(frozen=True, slots=True)
class File:
    """A regular file. Of its mode only the execute bit travels."""

    digest: str
    size: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link that stays inside the tree; `target` is its raw text."""

    target: bytes


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory. Listed as a change only where it is empty, goes away, or takes the place of something else."""


Node = File | Link | Directory


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing, where the sandbox deleted something and a person decided what becomes of that; see `Change.settles`."""


Settled = Node | Gone

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode

Kind = Literal["added", "modified", "deleted", "mode", "type"]


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs: `before` is the base (None: absent), `after` the sandbox (None: deleted).

    `ignored`: the base's ignore rules match this path, so it is listed apart and not applied by default.
    `moved`: the host's own file is no longer what it was when the session began, so applying it is a conflict.
    `base`: what both began with, where the user and the sandbox went apart and it is known.
    `settles`: `after` is not what the sandbox holds, but what a merge or a person made of it; once it is applied, this
    content of the sandbox asks for nothing more, and whatever it makes of that later is merged as an edit of it.
    None: `after` is the sandbox's own.
    `unseen`: `before` is hidden from the sandbox, which therefore did not make `after` of it; it is `moved`, too.
    """

    path: bytes
    before: Node | None
    after: Node | None
    ignored: bool = False
    moved: bool = False
    base: Node | None = None
    settles: Settled | None = None
    unseen: bool = False

    @property
    def kind(self) -> Kind:
        """How the two differ, in one word."""
        match self.before, self.after:
            case None, _:
                return "added"
            case _, None:
                return "deleted"
            case File() as old, File() as new:
                return "mode" if old.digest == new.digest else "modified"
            case Link(), Link():
                return "modified"
            case _:
                return "type"


@dataclass(frozen=True, slots=True)
class Refused:
    """Something in the workspace that can never leave it, with the reason. `count`: that many entries below it."""

    path: bytes
    reason: str
    count: int = 1


@dataclass(frozen=True)
class ChangeSet:
    """Everything that differs, sorted by path; what is approved is a subset of `changes` of exactly this `id`."""

    changes: tuple[Change, ...] = ()
    refused: tuple[Refused, ...] = ()

    @cached_property
    def id(self) -> str:
        """A SHA-256 over every path, digest, mode and target: two sets with one id are the same change."""
        digest, separator = hashlib.sha256(b"["), ""
        for change in self.changes:  # row by row: a million at once would be a gigabyte
            row = [change.path.hex(), *(describe(node) for node in (change.before, change.after, change.settles))]
            digest.update(f"{separator}{_ENCODE(row)}".encode())
            separator = ","
        digest.update(b"]")
        return digest.hexdigest()

    @property
    def pending(self) -> tuple[Change, ...]:
        """What an approval of "everything" covers: all but the ignored paths."""
        return tuple(change for change in self.changes if not change.ignored)

    def only(self, paths: Iterable[bytes]) -> tuple[Change, ...]:
        """The changes at these paths or below them, ignored ones included: naming a path asks for it."""
        found: set[int] = set()
        for path in (path.rstrip(b"/") for path in paths):
            if path in (b"", b"."):
                return self.changes
            for first, end in ((path, path + b"\0"), (path + b"/", path + b"0")):  # `0` comes right after `/`
                found.update(range(bisect_left(self._paths, first), bisect_left(self._paths, end)))
        return tuple(self._ordered[place] for place in sorted(found))

    @cached_property
    def _ordered(self) -> tuple[Change, ...]:
        return tuple(sorted(self.changes, key=lambda change: change.path))

    @cached_property
    def _paths(self) -> list[bytes]:
        return [change.path for change in self._ordered]


def describe(node: Settled | None) -> list[str | int | bool]:
    """A node as JSON holds it; `sandbox.gate.journal` and `ChangeSet.id` agree on this form."""
    match node:
        case None:
            return []
        case Gone():
            return ["gone"]
        case File(digest, size, executable):
            return ["file", digest, size, executable]
        case Link(target):
            return ["link", target.hex()]
        case Directory():
            return ["directory"]


def described(row: Sequence[object]) -> Node | None:
    """The node that `describe` gave this row for. Raises ValueError for anything else: rows come from files."""
    match row:
        case []:
            return None
        case ["file", str(digest), int(size), bool(executable)] if _is_digest(digest) and size >= 0:
            return File(digest, size, executable)
        case ["link", str(target)]:
            return Link(bytes.fromhex(target))
        case ["directory"]:
            return Directory()
        case _:
            raise ValueError("not the description of a file, a link or a directory")


def settlement(row: Sequence[object]) -> Settled | None:
    """The same for what a change settles, which may be that nothing is there any more."""
    return Gone() if list(row) == ["gone"] else described(row)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
