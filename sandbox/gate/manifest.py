"""What every path of the checkout looked like when the session began: enough to notice that the user moved on.

The facts are lstat's. They cannot say what a file held, so the content of a path is remembered, as its *base*, once
the gate has read it while the facts still matched. Updates are appended to `<file>.updates`.
"""

import fcntl
import hashlib
import json
import os
import stat
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.changes import Link, Node, Settled, describe, described, settlement
from sandbox.errors import StateError
from sandbox.gate.scan import FACTS, INODE, INODE_AT, pack, scan_tree
from sandbox.gate.syscalls import DIRECTORY, FILE

_MAGIC = b"paddock manifest 1\n"
_FOR_EVER = 2**63
_HEADER = struct.Struct("<QQ")  # entries, bytes of names


@dataclass(frozen=True)
class Renewal:
    """What is known of one path after an apply or a read: its new facts, and its content.

    Both None: nothing stands there. `facts` None with a `base`: the content is known, the facts are not, so that only
    reading it can tell whether the user moved on. `settled`: the content of the sandbox that `base` was made of or
    chosen over, when that is another one; as long as the sandbox holds it, nothing is pending here.
    """

    facts: os.stat_result | None
    base: Node | None = None
    settled: Settled | None = None


_Known = tuple[bytes | None, Node | None, Settled | None]
"""A renewal as it is kept: packed facts, base, settled."""


class Manifest:
    """The facts of a checkout at one moment, and what was learned since. `take` and `load` make it."""

    def __init__(self, index: dict[bytes, int], facts: bytes) -> None:
        self._index = index
        self._facts = facts
        self._renewed: dict[bytes, _Known] = {}
        self._updates: Path | None = None
        self._read = 0  # bytes of the updates that are in `_renewed`

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, path: bytes) -> bool:
        return self._known(path) is not None or self.base(path) is not None

    @classmethod
    def take(cls, checkout: Path, *, before: int = _FOR_EVER) -> "Manifest":
        """Look at every path of a checkout, `.git` folders left out: nothing of those is ever applied.

        A folder that cannot be read has no entries below it: what the sandbox changes there counts as moved. So does
        what changed at or after `before` (nanoseconds, as ctime has them): the look may last longer than a sandbox
        needs to start, and what the user saves meanwhile is not what the session began with.
        """
        index: dict[bytes, int] = {}
        facts: list[bytes] = []
        root = os.open(checkout, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            scan_tree(root, index, facts, before)
        finally:
            os.close(root)
        return cls(index, b"".join(facts))

    @classmethod
    def unknown(cls) -> "Manifest":
        """One that knows nothing: whatever stands in the checkout counts as moved."""
        return cls({}, b"")

    def save(self, path: Path) -> None:
        """Write the facts, private and at once or not at all; from now on updates are appended beside them."""
        names = b"\0".join(self._index)
        body = _HEADER.pack(len(self._index), len(names)) + names + self._facts
        partial = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(body).digest() + body)
            file.flush()
            os.fsync(file.fileno())
        self._updates = _updates_of(path)
        self._updates.unlink(missing_ok=True)
        partial.rename(path)
        if self._renewed:
            self._append(self._renewed)

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read what `save` wrote. Raises StateError if the file is missing, damaged or from another version."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StateError(f"{path} cannot be read: {error.strerror}") from error
        body = memoryview(data)[len(_MAGIC) + 32 :]
        if not data.startswith(_MAGIC) or hashlib.sha256(body).digest() != data[len(_MAGIC) : len(_MAGIC) + 32]:
            raise StateError(f"{path} is damaged or from another version: start a new session")
        count, length = _HEADER.unpack(body[: _HEADER.size])
        names = bytes(body[_HEADER.size : _HEADER.size + length]).split(b"\0") if count else []
        manifest = cls(dict(zip(names, range(count), strict=True)), bytes(body[_HEADER.size + length :]))
        manifest._updates = _updates_of(path)
        manifest.refresh()
        return manifest

    @classmethod
    def remembered(cls, path: Path) -> "Manifest":
        """One that begins with nothing and holds what it is told, also the next time it is asked for by this path."""
        manifest = cls({}, b"")
        manifest._updates = _updates_of(path)
        manifest.refresh()
        return manifest

    def refresh(self) -> None:
        """Take in what others have told this manifest's file since."""
        if self._updates is not None:
            fresh, self._read = _read_updates(self._updates, self._read)
            self._renewed.update(fresh)

    def matches(self, path: bytes, facts: os.stat_result | None) -> bool:
        """Whether the checkout's entry at `path` is still the one the session began with; None: there is none now."""
        known = self._known(path)
        if facts is None:
            return known is None and self.base(path) is None
        return known == pack(facts)

    def is_in_place(self, path: bytes, facts: os.stat_result) -> bool:
        """Whether the entry at `path` is still the same inode, whatever was written to it."""
        known = self._known(path)
        return known is not None and FACTS.unpack(known)[1:3] == (facts.st_dev, facts.st_ino)

    def is_unread(self, path: bytes) -> bool:
        """Whether something stood at `path` of which only the facts are known."""
        return path in self._index and path not in self._renewed

    def names_of(self, facts: os.stat_result) -> Sequence[bytes]:
        """The paths that were this file (the same device and inode), when each of them was looked at last."""
        wanted = INODE.pack(facts.st_dev, facts.st_ino)
        found = [path for path, (known, *_) in self._renewed.items() if known is not None and wanted in known]
        names: list[bytes] = []
        place = self._facts.find(wanted)
        while place >= 0:
            names = names or list(self._index)
            path = names[place // FACTS.size]
            if place % FACTS.size == INODE_AT and path not in self._renewed:
                found.append(path)
            place = self._facts.find(wanted, place + 1)
        return found

    def links(self) -> Sequence[bytes]:
        """The paths that were symbolic links when the session began or came since, or that nobody looked at in time."""
        kinds = self._facts[1 :: FACTS.size]  # of every mode the byte that says what it is
        found = [path for path, kind in zip(self._index, kinds, strict=True) if kind == 0 or stat.S_ISLNK(kind << 8)]
        came = [path for path, (_, base, _) in self._renewed.items() if isinstance(base, Link)]
        return list(dict.fromkeys([*found, *came]))

    def base(self, path: bytes) -> Node | None:
        """What `path` held when the session began or at the last apply; None if nobody read it in time."""
        return self._renewed.get(path, (None, None, None))[1]

    def settled(self, path: bytes) -> Settled | None:
        """The content of the sandbox that the base was made of or chosen over; None if there is no other one."""
        return self._renewed.get(path, (None, None, None))[2]

    def forget_settled(self, paths: Iterable[bytes]) -> None:
        """Decisions about what the sandbox held at these paths, and below them, are void: it holds that no more."""
        gone = tuple(path.rstrip(b"/") for path in paths)
        void = {
            path: (facts, base, None)
            for path, (facts, base, settled) in self._renewed.items()
            if settled is not None and any(one in (b"", path) or path.startswith(one + b"/") for one in gone)
        }
        self._renewed.update(void)
        if void:
            self._append(void)

    def renew(self, renewals: Mapping[bytes, Renewal]) -> None:
        """Remember these facts and contents from now on, also on disk if the manifest has a place there."""
        fresh = {
            path: (
                None if new.facts is None else pack(new.facts),
                new.base,
                None if new.settled == new.base else new.settled,
            )
            for path, new in renewals.items()
        }
        fresh = {path: entry for path, entry in fresh.items() if self._renewed.get(path, ()) != entry}
        self._renewed.update(fresh)
        if fresh:
            self._append(fresh)

    def _known(self, path: bytes) -> bytes | None:
        if path in self._renewed:
            return self._renewed[path][0]
        position = self._index.get(path)
        return None if position is None else self._facts[position * FACTS.size : (position + 1) * FACTS.size]

    def flush(self) -> None:
        """Make what it was told survive a power loss. Raises OSError."""
        if self._updates is None or not self._updates.exists():
            return
        for path, flags in ((self._updates, FILE), (self._updates.parent, DIRECTORY)):
            descriptor = os.open(path, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _append(self, entries: Mapping[bytes, _Known]) -> None:
        if self._updates is None:
            return
        lines = [
            json.dumps([path.hex(), None if facts is None else facts.hex(), describe(base), describe(settled)])
            for path, (facts, base, settled) in entries.items()
        ]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._updates, flags, 0o600), "ab") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)  # `paddock apply --watch` may be telling it something, too
            # A newline first: a line that a crash tore must not swallow the next one.
            file.write(("\n" + "\n".join(lines) + "\n").encode())


class Followed:
    """A session's manifest for as long as a process runs: read when it is there, and kept up with what others tell it.

    On a large tree the first calls are faster than the look at the checkout.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._manifest: Manifest | None = None

    def now(self) -> Manifest | None:
        """What it says by now; None if the checkout has not been looked at yet. Raises StateError."""
        if self._manifest is not None:
            self._manifest.refresh()
        elif self._path.exists():
            self._manifest = Manifest.load(self._path)
        return self._manifest


def _updates_of(path: Path) -> Path:
    return path.with_name(path.name + ".updates")


def _read_updates(path: Path, start: int) -> tuple[dict[bytes, _Known], int]:
    """The updates that can be read from a position on, and where the next ones will begin.

    A lost one is safe: its path counts as moved, and an apply there as a conflict.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            whole, newline, torn = file.read().rpartition(b"\n")
    except FileNotFoundError:
        return {}, 0
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error
    found: dict[bytes, _Known] = {}
    for line in filter(None, [*whole.split(b"\n"), torn]):
        try:
            name, known = _row(json.loads(line))
        except ValueError:
            continue
        found[name] = known
    return found, start + len(whole) + len(newline)


def _row(value: object) -> tuple[bytes, _Known]:
    match value:
        case [str(name), str() | None as facts, list(base), list(settled)]:
            packed = None if facts is None else bytes.fromhex(facts)
            return bytes.fromhex(name), (packed, described(base), settlement(settled))
        case _:
            raise ValueError("not an update")
