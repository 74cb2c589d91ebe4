"""Git's index as rows: what it holds, and what a commit of some files makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.commits.hostgit import Git

SUBMODULE = b"160000"


@dataclass(frozen=True)
class Entry:
    """What stands at one path: a mode and an object, as git writes them."""

    mode: bytes
    object_id: bytes


@dataclass(frozen=True)
class Index:
    """An index: entries by path; the paths in conflict; those that git was told not to look at."""

    entries: Mapping[bytes, Entry]
    unmerged: frozenset[bytes]
    unwatched: frozenset[bytes]

    def below(self, path: bytes) -> tuple[bytes, ...]:
        """The paths in the folder `path`."""
        return tuple(one for one in self.entries if one.startswith(path + b"/"))


def read_index(git: Git) -> Index:
    """The index that `git` works with; one that is split or sparse is read whole. Raises CommitRefused."""
    entries: dict[bytes, Entry] = {}
    unmerged: set[bytes] = set()
    unwatched: set[bytes] = set()
    for row in git.read("ls-files", "-v", "-z", "--stage").split(b"\0"):
        facts, _, path = row.partition(b"\t")
        if not path:
            continue
        tag, mode, object_id, stage = facts.split(b" ")
        if stage != b"0":
            unmerged.add(path)
        if tag.islower() or tag == b"S":  # assume-unchanged, skip-worktree
            unwatched.add(path)
        entries[path] = Entry(mode, object_id)
    return Index(entries, frozenset(unmerged), frozenset(unwatched))


def update(git: Git, rows: Mapping[bytes, Entry | None], nothing: str) -> None:
    """Put entries into the index, and take others (None) out of it; the work tree is not looked at.

    `nothing` is the name of no object, in the repository's own length. Raises CommitRefused: then the index is as it
    was.
    """
    ordered = sorted(rows.items(), key=lambda row: (row[1] is not None, row[0]))  # a file can become a folder
    absent = Entry(b"0", nothing.encode())
    listed = ((entry or absent, path) for path, entry in ordered)
    text = b"".join(b"%s %s\t%s\0" % (entry.mode, entry.object_id, path) for entry, path in listed)
    git.read("update-index", "--replace", "-z", "--index-info", stdin=text)
