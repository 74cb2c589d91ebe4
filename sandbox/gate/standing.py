"""What stands in the checkout where the sandbox changed something: the `before` of every change."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.changes import Change, Directory, File, Gone, Node, Refused, Settled
from sandbox.gate.blobs import Blobs
from sandbox.gate.host import Unusable, facts_at, lstat, node_at
from sandbox.gate.manifest import Manifest, Renewal
from sandbox.gate.names import is_git, is_reserved
from sandbox.gate.origin import Origin
from sandbox.gate.pulse import Pulse
from sandbox.gate.upper import Entry, Level, levels
from sandbox.hiding.hidden import NOTHING, Hidden

GIT_STAYS = "stays in the sandbox: git's own data never leaves as files"
HIDDEN_STAYS = "stays: it is hidden from the sandbox, which cannot have meant to delete it"
RESERVED = "has a name that is reserved for paddock's own journal"


@dataclass(frozen=True)
class Standing:
    """One entry of the checkout; `moved`: it is not what it was when the session began, as far as we can tell.

    `unseen`: the sandbox has never had a look at it.
    """

    node: Node
    moved: bool = False
    unseen: bool = False


class Standings:
    """The checkout's side of a comparison. Contents go into `blobs`, and what is learned into the manifest.

    `room` is how many bytes the files may have that the sandbox replaced or deleted, all together: a copy of each is
    kept, so that it can be shown and brought back. There is no limit for one of them: a deletion is not to be hidden.
    `origin` is what the sandbox began with, if that lies in a copy of ours.
    """

    def __init__(
        self,
        root: int,
        manifest: Manifest,
        blobs: Blobs,
        *,
        room: int,
        pulse: Pulse | None = None,
        hidden: Hidden = NOTHING,
        origin: Origin | None = None,
    ) -> None:
        self.root = root
        self._origin = origin
        self._pulse = pulse or Pulse()
        self._manifest = manifest
        self._blobs = blobs
        self._room = room
        self._hidden = hidden
        self._charged = b""
        self._learned: dict[bytes, Renewal] = {}

    def at(self, directory: int | None, path: bytes) -> Standing | None:
        """What stands at `path`, whose folder is open as `directory` (None: there is no such folder).

        Raises Unusable with the reason if it is nothing we can take or give back.
        """
        name = path.rpartition(b"/")[2]
        facts = None if directory is None else lstat(directory, name)
        if directory is None or facts is None:
            return None
        if stat.S_ISREG(facts.st_mode):
            self._make_room(path, facts.st_size)
        known = self._manifest.base(path)
        if isinstance(known, File) and self._manifest.matches(path, facts) and self._blobs.holds(known):
            return Standing(known)
        node, facts = node_at(directory, name, read=self._store)
        if node is None or facts is None:
            return None
        if known is None and self._hidden.was_unseen(path):
            return Standing(node, moved=True, unseen=True)
        moved = not self._manifest.matches(path, facts) and self._began_with(path) != node
        if not moved:
            self._learned[path] = Renewal(facts, node, self._manifest.settled(path))
        return Standing(node, moved)

    def settled(self, path: bytes) -> Settled | None:
        """The content of the sandbox that was decided upon before; None if none was."""
        return self._manifest.settled(path)

    def ancestor(self, path: bytes) -> Node | None:
        """What both the user and the sandbox began with, for a merge; None if that is not known, or was nothing."""
        settled = self._manifest.settled(path)
        if isinstance(settled, Gone):
            return None
        return settled or self._began_with(path)

    def _began_with(self, path: bytes) -> Node | None:
        """What is known of the content that the session began with, or the last apply left."""
        known = self._manifest.base(path)
        if known is None and self._origin is not None and path in self._manifest:
            return self._origin.node(path)
        return known

    def was_there(self, path: bytes) -> bool:
        """Whether something stood at `path` when the session began."""
        return path in self._manifest

    def is_hidden(self, path: bytes) -> bool:
        """Whether the sandbox does not see what stands at `path`."""
        return self._hidden.covers(path)

    def exists(self, path: bytes) -> bool:
        """Whether something stands at `path` now."""
        return facts_at(self.root, path) is not None

    def remember(self) -> None:
        """Put what was learned into the manifest: later edits by the user can then be told from touches."""
        self._manifest.renew(self._learned)
        self._learned = {}

    def removal(self, path: bytes) -> "Removal":
        """What it means that the sandbox deleted the whole folder at `path`."""
        removal = Removal(path)
        for level in levels(self.root, removal.unreadable, start=path):
            for entry in level.entries:
                self._pulse.beat()
                self._remove_entry(level, entry, removal)
        return removal

    def _remove_entry(self, level: Level, entry: Entry, removal: "Removal") -> None:
        path = level.below(entry.name)
        if is_git(entry.name):
            removal.refuse(path, GIT_STAYS, count_below(self.root, path))
        elif is_reserved(entry.name):
            removal.refuse(path, RESERVED)
        elif self.is_hidden(path):
            removal.refuse(path, HIDDEN_STAYS)
        elif entry.kind == "directory":
            removal.folders[path] = not self._manifest.matches(path, level.facts(entry.name))
            level.descend.append(entry.name)
        else:
            try:
                standing = self.at(level.descriptor, path)
            except Unusable as problem:
                removal.refuse(path, f"in the checkout, {problem}: it stays")
                return
            settled = self.settled(path)
            if settled == Gone():
                removal.keep(path)
            elif standing is not None:
                moved = standing.moved or settled is not None
                base = self.ancestor(path) if moved else None
                removal.files.append(Change(path, standing.node, None, moved=moved, base=base, unseen=standing.unseen))

    def _make_room(self, path: bytes, size: int) -> None:
        if path == self._charged:
            return  # asked for twice in a row
        if size > self._room:
            raise Unusable(f"has {size:,} bytes, which bring all that is replaced or deleted over what can be kept")
        self._room -= size
        self._charged = path

    def _store(self, descriptor: int) -> File | None:
        return self._blobs.put_fd(descriptor, os.fstat(descriptor).st_size)


class Removal:
    """A deleted folder, taken apart: what goes, and what has to stay with the folders around it."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.files: list[Change] = []
        self.folders: dict[bytes, bool] = {}
        self.refused: list[Refused] = []
        self._kept: set[bytes] = set()

    @property
    def is_whole(self) -> bool:
        """Whether nothing has to stay."""
        return not self.refused and not self._kept

    def refuse(self, path: bytes, reason: str, count: int = 1) -> None:
        """Something here stays, and so do the folders that lead to it."""
        self.refused.append(Refused(path, reason, count))
        self.keep(path)

    def keep(self, path: bytes) -> None:
        """The user keeps something here, and with it the folders that lead to it."""
        while path != self.path:
            path = path.rpartition(b"/")[0]
            self._kept.add(path)

    def unreadable(self, path: bytes, error: OSError) -> None:
        """A folder that cannot be opened stays."""
        self.refuse(path, f"in the checkout, {cannot(error)}; it stays")
        self._kept.add(path)

    def below(self) -> Iterator[Change]:
        """The deletions under the folder, not that of the folder itself."""
        yield from self.files
        for path, moved in self.folders.items():
            if path not in self._kept:
                yield Change(path, Directory(), None, moved=moved)


def cannot(error: OSError) -> str:
    """What keeps us from something in a tree, in words that follow its path."""
    if error.errno == errno.EXDEV:
        return "lies on another file system than the checkout"
    return f"cannot be read: {error.strerror}"


def count_below(root: int, path: bytes) -> int:
    """How many entries a folder holds at any depth; at least 1, for itself."""
    count = 0
    for level in levels(root, lambda _path, _error: None, start=path):
        count += len(level.entries)
        level.descend += [entry.name for entry in level.entries if entry.kind == "directory"]
    return max(count, 1)
