"""Names that the checkout's file system takes for one another: found by looking, before anything is written.

Linux' own file systems compare bytes, and there nothing is to be done. Others fold case or Unicode forms (folders with
ext4's casefold flag, FAT, NTFS, what a Mac or Windows shares with a virtual machine), and two names of the sandbox, or
one of its own and one of the checkout's, can be one file there.
"""

import contextlib
import fcntl
import struct
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sandbox.escape import escape
from sandbox.gate.host import lstat
from sandbox.gate.names import folded
from sandbox.gate.syscalls import file_system, names_now
from sandbox.gate.upper import Level

_GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS
_FOLDS_CASE = 0x40000000  # FS_CASEFOLD_FL, a flag of a folder

_EXT, _XFS, _BTRFS, _TMPFS, _F2FS = 0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0xF2F52010
_BY_FLAG = frozenset((_EXT, _BTRFS, _TMPFS, _F2FS))
"""File systems that compare bytes, but for folders that carry the flag."""

_TRIED = 256  # entries of a folder that are looked at for one that can tell

Key = Callable[[bytes], object]
"""What is left of a name once all is folded that a folder folds: two names with one key are one there."""


@dataclass(frozen=True)
class Comparison:
    """What is known of how a folder compares names; None: nothing, which counts as the worst."""

    folds_case: bool | None = None
    folds_form: bool | None = None

    @property
    def key(self) -> Key | None:
        """How names are to be held against each other; None: by their bytes, so that none collide."""
        if self.folds_case is not False:
            return lambda name: folded(name) or name
        return None if self.folds_form is False else _composed

    def or_else(self, other: "Comparison") -> "Comparison":
        """This, and what the other one knows where this does not."""
        return Comparison(
            other.folds_case if self.folds_case is None else self.folds_case,
            other.folds_form if self.folds_form is None else self.folds_form,
        )


BY_BYTES = Comparison(folds_case=False, folds_form=False)
LOOSELY = Comparison(folds_case=True, folds_form=True)


class Collisions:
    """How the folders of one checkout compare names, learned folder by folder, the upper ones first."""

    def __init__(self, root: int) -> None:
        self._system = file_system(root)
        # XFS can be made to fold ASCII case, but only as a whole: the top tells for all of it.
        self._whole = compared(root).or_else(BY_BYTES) if self._system == _XFS else None
        self._learned: dict[bytes, Comparison] = {}

    def among(self, level: Level, host: int | None) -> Mapping[bytes, str]:
        """Which names of a folder cannot be told from others there, in the sandbox or the checkout, with the reason.

        `host` is the checkout's folder of the same path, None if there is none: a new folder compares like its parent.
        """
        comparison = self._compares(level.path, host)
        if comparison != BY_BYTES:
            self._learned[level.path] = comparison
        if comparison.key is None:
            return {}
        held = frozenset() if host is None else frozenset(names_now(host))
        names = [entry.name for entry in level.entries]
        return {**dict(_aliases(names, held, host)), **_clashes(names, held, comparison.key)}

    def _compares(self, path: bytes, host: int | None) -> Comparison:
        if self._whole is not None:
            return self._whole
        by_default = BY_BYTES if self._system in _BY_FLAG else Comparison()
        parent = self._learned.get(path.rpartition(b"/")[0], by_default) if path else by_default
        if host is None:
            return parent
        if self._system in _BY_FLAG:
            return LOOSELY if _has_casefold_flag(host) else BY_BYTES
        return compared(host).or_else(parent)


def compares_bytes(directory: int) -> bool:
    """Whether an open folder is known to hold any name, apart from every other: as Linux' own file systems do."""
    system = file_system(directory)
    return system == _XFS or (system in _BY_FLAG and not _has_casefold_flag(directory))


def compared(directory: int) -> Comparison:
    """How an open folder compares names, tried with other spellings of those it holds; nothing is written."""
    listed = names_now(directory)
    held = frozenset(listed)
    found = Comparison()
    for name in islice(listed, _TRIED):
        if None not in (found.folds_case, found.folds_form):
            break
        found = found.or_else(
            Comparison(
                _finds(directory, name, _swapped(name), held),
                _finds(directory, name, _recomposed(name), held),
            )
        )
    return found


def _finds(directory: int, name: bytes, other: bytes, held: Collection[bytes]) -> bool | None:
    """Whether another spelling leads to the same entry; None if it is the same spelling, or an entry of its own."""
    if other in held:
        return None
    first, second = lstat(directory, name), lstat(directory, other)
    if first is None:
        return None
    return second is not None and (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _swapped(name: bytes) -> bytes:
    """The name with the case of its ASCII letters swapped; the same for one that has none."""
    return name.swapcase()


def _recomposed(name: bytes) -> bytes:
    """The name in another Unicode form; the same for one that has only one."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return name
    forms = (unicodedata.normalize(form, text).encode() for form in ("NFC", "NFD"))
    return next((form for form in forms if form != name), name)


def _composed(name: bytes) -> object:
    try:
        return unicodedata.normalize("NFC", name.decode())
    except UnicodeDecodeError:
        return name


def _clashes(names: Iterable[bytes], held: Iterable[bytes], key: Key) -> dict[bytes, str]:
    """The names that are one with another, of the sandbox or of the checkout."""
    alike: dict[object, set[bytes]] = defaultdict(set)
    for name in (*names, *held):
        alike[key(name)].add(name)
    return {
        name: f"is one name with {_listed(group - {name})} for the checkout's file system, which can hold one of them"
        for group in alike.values()
        if len(group) > 1
        for name in group
    }


def _aliases(names: Iterable[bytes], held: Collection[bytes], host: int | None) -> Iterator[tuple[bytes, str]]:
    """The names that lead to an entry which the checkout lists under another one, such as the short names of FAT."""
    for name in names:
        if host is not None and name not in held and lstat(host, name) is not None:
            yield name, "is another name of something in the checkout, whose file system takes the two for one"


def _listed(names: Iterable[bytes]) -> str:
    return " and ".join(escape(name) for name in sorted(names))


def _has_casefold_flag(directory: int) -> bool:
    with contextlib.suppress(OSError):
        (flags,) = struct.unpack_from("=I", fcntl.ioctl(directory, _GET_FLAGS, bytes(8)))
        return bool(flags & _FOLDS_CASE)
    return False  # there are no such flags here
