"""What stood at a path before an apply, besides its content: an undo gives that back as well."""

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sandbox.changes import Change, Directory, Node, Settled, describe, described, settlement
from sandbox.gate.manifest import Manifest

PERMISSIONS = 0o777
"""The bits of a mode that are given back; setuid and its like are not."""


@dataclass(frozen=True)
class Rights:
    """Who could do what with a file or folder of the host."""

    mode: int
    uid: int
    gid: int

    @classmethod
    def of(cls, facts: os.stat_result) -> "Rights":
        """Those of an entry."""
        return cls(stat.S_IMODE(facts.st_mode) & PERMISSIONS, facts.st_uid, facts.st_gid)


@dataclass(frozen=True)
class Past:
    """One path before an apply. `rights`: None where no file or folder stood.

    `base` and `settled` are what the manifest said (`sandbox.gate.manifest.Renewal`): with them, what an undo takes
    back waits again as the very change it was, a merge as a merge.
    """

    rights: Rights | None
    base: Node | None
    settled: Settled | None


NOTHING_KNOWN: Mapping[bytes, Past] = MappingProxyType({})
"""The past of no path."""

PastRow = tuple[int, tuple[int, int, int] | None, list[str | int | bool] | None, list[str | int | bool]]
"""As JSON holds it: the slot, the rights, the base (null: what stood there), what was settled."""


def pasts_of(
    changes: Sequence[Change], manifest: Manifest, facts: Mapping[bytes, os.stat_result]
) -> Mapping[bytes, Past]:
    """The past of every path; `facts` are those of the files and folders that are replaced or go."""
    return {
        change.path: Past(
            Rights.of(facts[change.path]) if change.path in facts and _has_rights(facts[change.path]) else None,
            manifest.base(change.path) or _known_folder(change.path, manifest, facts.get(change.path)),
            manifest.settled(change.path),
        )
        for change in changes
    }


def _known_folder(path: bytes, manifest: Manifest, facts: os.stat_result | None) -> Node | None:
    """A folder that the session began with: the manifest tells it by its facts, and notes no content."""
    is_folder = facts is not None and stat.S_ISDIR(facts.st_mode)
    return Directory() if is_folder and manifest.matches(path, facts) else None


def rows(stood: Sequence[tuple[bytes, Node | None]], pasts: Mapping[bytes, Past]) -> tuple[PastRow, ...]:
    """Pasts for a record; `stood` is, by slot, each path with what stood there."""
    return tuple(_row(slot, node, pasts[path]) for slot, (path, node) in enumerate(stood) if path in pasts)


def pasts_in(found: Sequence[PastRow], stood: Sequence[tuple[bytes, Node | None]]) -> Mapping[bytes, Past]:
    """What `rows` made rows of. Raises ValueError, IndexError: rows come from files."""
    pasts: dict[bytes, Past] = {}
    for slot, rights, base, done in found:
        path, node = stood[slot]
        pasts[path] = Past(
            None if rights is None else Rights(*rights), node if base is None else described(base), settlement(done)
        )
    return pasts


def give(descriptor: int, rights: Rights) -> None:
    """Give a file or folder of ours these rights; only root can give it to another owner."""
    facts = os.fstat(descriptor)
    if (facts.st_uid, facts.st_gid) != (rights.uid, rights.gid):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, rights.uid, rights.gid)
    os.fchmod(descriptor, rights.mode)


def _row(slot: int, node: Node | None, past: Past) -> PastRow:
    rights = None if past.rights is None else (past.rights.mode, past.rights.uid, past.rights.gid)
    return slot, rights, None if past.base == node else describe(past.base), describe(past.settled)


def _has_rights(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)
