"""From what the sandbox wrote to a change set: every difference, with both contents kept, or the reason it stays."""

import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sandbox.changes import Change, ChangeSet, Directory, File, Gone, Link, Node, Refused
from sandbox.escape import escape
from sandbox.gate.blobs import Blobs
from sandbox.gate.collisions import Collisions
from sandbox.gate.contents import TOTAL_LIMIT, Contents, Stays
from sandbox.gate.folders import above, empty_folders
from sandbox.gate.host import Unusable, lstat, opened, opened_checkout
from sandbox.gate.ignore import Ignored
from sandbox.gate.manifest import Manifest
from sandbox.gate.merge import Patience, merged
from sandbox.gate.names import is_git, is_reserved, link_problem
from sandbox.gate.origin import opened_origin
from sandbox.gate.pulse import OnProgress, Pulse
from sandbox.gate.repositories import REASON, inside_bare
from sandbox.gate.standing import GIT_STAYS, HIDDEN_STAYS, RESERVED, Standing, Standings, cannot, count_below
from sandbox.gate.syscalls import names_now, open_beneath, type_word
from sandbox.gate.upper import Entry, Level, is_blocked, is_gone, is_opaque, kind_of, levels, opened_upper
from sandbox.gate.vanished import vanished
from sandbox.hiding.hidden import NOTHING, Hidden

SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes of one file that is taken without being asked for by a higher limit."""


def collect(
    upper: Path,
    checkout: Path,
    *,
    manifest: Manifest,
    blobs: Blobs,
    size_limit: int = SIZE_LIMIT,
    excludes: Path | None = None,
    seen: Manifest | None = None,
    removed: Collection[bytes] = (),
    hidden: Hidden = NOTHING,
    frozen: Path | None = None,
    on_progress: OnProgress | None = None,
) -> ChangeSet:
    """Compare an overlay's upper directory with the checkout as it is now.

    Nothing in `upper` is believed: it is read by directory descriptors, its contents are hashed, and times, git's index
    and ignore files in it decide nothing. What equals the checkout is no change, so nothing is pending after an apply.
    `size_limit`: bytes a file, for both sides; `excludes`: the user's own ignore file; `seen`: ignored files of earlier
    looks, None hashes them all; `removed`: what `vanished` asks of; `hidden`: what the sandbox does not see, and so
    cannot have deleted; `frozen`: the copy of the checkout that the overlay lies on, if any. `on_progress` may end it.
    Raises: OutOfSpace; StateError if `upper` cannot be opened; CheckoutRefused if the checkout is gone.
    """
    with opened_upper(upper) as source, opened_checkout(checkout) as root, opened_origin(frozen, blobs) as origin:
        ignored = Ignored(checkout, excludes)
        pulse = Pulse(on_progress)
        standings = Standings(root, manifest, blobs, room=TOTAL_LIMIT, pulse=pulse, origin=origin, hidden=hidden)
        collector = _Collector(source, standings, Contents(blobs, size_limit, ignored, seen), blobs, pulse=pulse)
        return collector.run(vanished(removed, source, manifest, origin)).result(ignored)


class _Collector:
    """Walks the upper layer once, folder by folder, with the checkout's folder of the same path open beside it."""

    def __init__(self, upper: int, standings: Standings, contents: Contents, blobs: Blobs, *, pulse: Pulse) -> None:
        self._blobs = blobs
        self._pulse = pulse
        self._patience = Patience()
        self._upper = upper
        self._standings = standings
        self._contents = contents
        self._collisions = Collisions(standings.root)
        self._changes: list[Change] = []
        self._refused: list[Refused] = []
        self._new_folders: list[bytes] = []

    def run(self, gone: Sequence[bytes]) -> "_Collector":
        for level in levels(self._upper, lambda path, error: self._refuse(path, cannot(error))):
            try:
                with self._beside(level) as host:
                    self._level(level, host)
            except Stays as reason:
                self._refuse(level.path, str(reason), self._count(level.path))
        for path in gone:
            self._vanished(path)
        self._keep_repositories_back()
        self._standings.remember()
        self._contents.remember()
        return self

    @contextlib.contextmanager
    def _beside(self, level: Level) -> Iterator[int | None]:
        """The checkout's folder of the same path, open; None if there is none, or something else in its place."""
        try:
            host = open_beneath(self._standings.root, level.path)
        except OSError as error:
            if level.entries and not is_gone(error) and not is_blocked(error):
                raise Stays(f"in the checkout, {cannot(error)}: it stays as it is") from error
            yield None
            return
        try:
            yield host
        finally:
            os.close(host)

    def _keep_repositories_back(self) -> None:
        """Refuse what would make or change a repository that has no `.git` folder."""
        found = inside_bare([*self._changes, *self._empty_folders()], self._standings.exists)
        for path, changes in found.items():
            self._refuse(path, REASON, len(changes))
        self._changes = [change for change in self._changes if not _is_in(found, change.path)]
        self._new_folders = [path for path in self._new_folders if not _is_in(found, path)]

    def result(self, ignored: Ignored) -> ChangeSet:
        marked = [
            replace(change, ignored=True) if self._is_ignored(change, ignored) else change
            for change in [*self._changes, *self._empty_folders()]
        ]
        return ChangeSet(
            tuple(sorted(marked, key=lambda change: change.path)),
            tuple(sorted(self._refused, key=lambda refused: refused.path)),
        )

    def _is_ignored(self, change: Change, ignored: Ignored) -> bool:
        if isinstance(change.after, File) and change.settles is None:
            return change.path in self._contents.ignored  # asked for when it was taken
        return ignored.leaves_out(change.path, isinstance(change.after or change.before, Directory))

    def _empty_folders(self) -> list[Change]:
        """New folders that no listed change brings along; folders in which everything was refused are such too."""
        empty = empty_folders(self._new_folders, (change.path for change in self._changes))
        return [Change(path, None, Directory(), moved=self._standings.was_there(path)) for path in empty]

    def _level(self, level: Level, host: int | None) -> None:
        self._contents.make_room_for_names(level)
        collisions = self._collisions.among(level, host)
        for entry in level.entries:
            self._pulse.beat()
            path = level.below(entry.name)
            if entry.name in collisions and not is_git(entry.name):
                self._refuse(path, collisions[entry.name], self._count(path))
                continue
            try:
                self._entry(level, entry, host)
            except Stays as reason:
                self._refuse(path, str(reason), self._count(path) if entry.kind == "directory" else 1)
            except Unusable as problem:
                self._refuse(path, f"in the checkout, {problem}: it stays as it is")
            except OSError as error:
                self._refuse(path, cannot(error))
        if level.opaque and host is not None:
            self._hidden(level, host, collisions)

    def _entry(self, level: Level, entry: Entry, host: int | None) -> None:
        path = level.below(entry.name)
        if is_git(entry.name):
            self._git(level, entry, host)
            return
        if is_reserved(entry.name):
            raise Stays(RESERVED)
        match entry.kind:
            case "whiteout":
                self._deleted(path, host)
            case "directory":
                self._directory(level, entry, host)
            case "file":
                self._file(path, level, host)
            case "link":
                self._link(level, entry, host)
            case "special":
                word = type_word(level.facts(entry.name).st_mode)
                raise Stays(f"is a {word}: only files, folders and links leave the sandbox")

    def _git(self, level: Level, entry: Entry, host: int | None) -> None:
        """One refusal for all of it; none for a folder that was only opened for writing, and hides nothing."""
        path = level.below(entry.name)
        count = self._count(path) if entry.kind == "directory" else 1
        facts = None if host is None else lstat(host, entry.name)
        copied = entry.kind == "directory" and not level.opaque and facts is not None and stat.S_ISDIR(facts.st_mode)
        if not (copied and self._is_empty(path)):
            self._refuse(path, GIT_STAYS, count)

    def _is_empty(self, path: bytes) -> bool:
        with opened(self._upper, path) as descriptor:
            return not names_now(descriptor) and not is_opaque(descriptor)

    def _hidden(self, level: Level, host: int, collisions: Mapping[bytes, str]) -> None:
        """An opaque folder hides all of the checkout's: what stood there at the start and is not here was deleted."""
        present = {entry.name for entry in level.entries}
        for name in sorted(names_now(host)):
            path = level.below(name)
            if name in present:
                continue
            if is_git(name):
                self._refuse(path, GIT_STAYS, count_below(self._standings.root, path))
            elif name in collisions or self._standings.is_hidden(path):
                self._refuse(path, collisions.get(name, HIDDEN_STAYS))
            elif self._standings.was_there(path):
                self._gone(path, host)

    def _vanished(self, path: bytes) -> None:
        try:
            with opened(self._standings.root, path.rpartition(b"/")[0]) as host:
                self._gone(path, host)
        except OSError as error:
            self._refuse(path, f"in the checkout, {cannot(error)}: it stays")

    def _gone(self, path: bytes, host: int) -> None:
        """A deletion that no entry of the upper layer stands for."""
        try:
            self._deleted(path, host)
        except Unusable as problem:
            self._refuse(path, f"in the checkout, {problem}: it stays")
        except OSError as error:
            self._refuse(path, f"in the checkout, {cannot(error)}: it stays")

    def _deleted(self, path: bytes, host: int | None) -> None:
        standing = None if self._standings.is_hidden(path) else self._standings.at(host, path)
        if standing is None:
            return  # or it went before it was hidden: what is there now was never seen
        if isinstance(standing.node, Directory):
            self._deleted_folder(path, standing)
        else:
            self._change(path, standing, None)

    def _deleted_folder(self, path: bytes, standing: Standing) -> bool:
        """List what goes with a folder; False if something in it, and so the folder, has to stay."""
        removal = self._standings.removal(path)
        self._changes += removal.below()
        self._refused += removal.refused
        if removal.is_whole:
            self._change(path, standing, None)
        return removal.is_whole

    def _directory(self, level: Level, entry: Entry, host: int | None) -> None:
        path = level.below(entry.name)
        facts = None if host is None else lstat(host, entry.name)
        standing = None if facts is None or kind_of(facts) != "link" else self._standings.at(host, path)
        if standing is not None and standing.moved:
            raise Stays("the checkout has a link here now: nothing is written through it")
        if facts is None:
            self._new_folders.append(path)
        elif not stat.S_ISDIR(facts.st_mode):
            self._change(path, self._standings.at(host, path), Directory())
        level.descend.append(entry.name)

    def _file(self, path: bytes, level: Level, host: int | None) -> None:
        content = self._contents.changed(path, directory=level.descriptor, host=host)
        if content is not None:
            self._pulse.read(content.size)
            self._replace(path, content, host)

    def _link(self, level: Level, entry: Entry, host: int | None) -> None:
        path = level.below(entry.name)
        target = os.readlink(entry.name, dir_fd=level.descriptor)
        standing = self._standings.at(host, path)
        if standing is not None and standing.node == Link(target):
            return
        problem = link_problem(path, target)
        if problem is not None:
            raise Stays(f"{problem}: {escape(target)}")
        self._replace(path, Link(target), host)

    def _replace(self, path: bytes, after: File | Link, host: int | None) -> None:
        standing = self._standings.at(host, path)
        if standing is not None and isinstance(standing.node, Directory):
            removal = self._standings.removal(path)
            self._changes += removal.below()
            self._refused += removal.refused
            if not removal.is_whole:
                raise Stays("would take the place of a folder in which something stays")
        if standing is None or standing.node != after:
            self._change(path, standing, after)

    def _change(self, path: bytes, standing: Standing | None, after: Node | None) -> None:
        settled = self._standings.settled(path)
        if settled == (after or Gone()):
            return  # decided upon before, and nothing new since
        change = Change(path, None, after, moved=self._standings.was_there(path))
        if standing is not None:
            change = replace(change, before=standing.node, moved=standing.moved, unseen=standing.unseen)
        if change.moved or settled is not None:
            both = replace(change, moved=True, base=self._standings.ancestor(path))
            change = merged(both, self._blobs, self._patience)
        if change.after != change.before:
            self._changes.append(change)

    def _refuse(self, path: bytes, reason: str, count: int = 1) -> None:
        self._refused.append(Refused(path, reason, count))

    def _count(self, path: bytes) -> int:
        return count_below(self._upper, path)


def _is_in(found: Collection[bytes], path: bytes) -> bool:
    return bool(found) and (path in found or any(folder in found for folder in above(path)))
