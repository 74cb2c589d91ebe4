"""Which deleted file an added one probably was: for showing, and only for that. Applying needs no such guess."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from sandbox.changes import Change, File, Link
from sandbox.gate.blobs import Blobs

LEAST = 50
"""Per cent of two files that must be the same for them to be shown as one that moved."""

_PAIRS = 1000  # that are compared line by line: about a second at the very worst, whatever the files hold
_PRODUCT = 250_000  # deleted times added files; beyond that only files of one name are held against each other
_SAMPLE = 128 * 1024  # bytes of a file that are compared


@dataclass(frozen=True)
class Rename:
    """An added file that resembles a deleted one; `similarity` is in per cent, 100 for equal content."""

    before_path: bytes
    after_path: bytes
    similarity: int


@dataclass(frozen=True)
class _Sample:
    """The distinct lines at the start of a file, and how many bytes they are."""

    lines: frozenset[bytes]
    size: int


def renames(changes: Iterable[Change], blobs: Blobs) -> tuple[Rename, ...]:
    """Pair deleted with added files and links, each at most once: equal content first, then the most similar.

    Empty files are nobody's. Sorted by the new path. Raises StateError if a content is missing or damaged.
    """
    listed = list(changes)
    gone = {change.path: change for change in listed if change.after is None and _has_content(change.before)}
    come = {change.path: change for change in listed if change.before is None and _has_content(change.after)}
    found = [Rename(before, after, 100) for before, after in _equal(gone, come)]
    for rename in found:
        del gone[rename.before_path], come[rename.after_path]
    found += _similar(gone, come, blobs)
    return tuple(sorted(found, key=lambda rename: rename.after_path))


def _has_content(node: object) -> bool:
    return isinstance(node, Link) or (isinstance(node, File) and node.size > 0)


def _equal(gone: dict[bytes, Change], come: dict[bytes, Change]) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of equal content: those that kept their name first, the others in order."""
    before: dict[str | bytes, list[bytes]] = defaultdict(list)
    after: dict[str | bytes, list[bytes]] = defaultdict(list)
    for path in sorted(gone):
        before[_content(gone[path].before)].append(path)
    for path in sorted(come):
        after[_content(come[path].after)].append(path)
    for content, sources in before.items():
        targets = after.get(content, [])
        kept = _same_names(sources, targets)
        yield from kept
        taken = {path for pair in kept for path in pair}
        left = ([path for path in paths if path not in taken] for paths in (sources, targets))
        yield from zip(*left, strict=False)


def _content(node: object) -> str | bytes:
    match node:
        case File(digest):
            return digest
        case Link(target):
            return target
        case _:
            return b""


def _same_names(sources: Iterable[bytes], targets: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    by_name: dict[bytes, list[bytes]] = defaultdict(list)
    for path in sources:
        by_name[_name(path)].append(path)
    return [(by_name[_name(path)].pop(0), path) for path in targets if by_name[_name(path)]]


def _similar(gone: dict[bytes, Change], come: dict[bytes, Change], blobs: Blobs) -> Iterator[Rename]:
    """The best pairs among the closest ones; each file in at most one of them."""
    samples: dict[str, _Sample] = {}
    scored: list[tuple[int, int, bytes, bytes]] = []
    for distance, before, after in _closest(gone, come):
        old, new = gone[before].before, come[after].after
        if isinstance(old, File) and isinstance(new, File):
            per_cent = _similarity(*(_sampled(file, blobs, samples) for file in (old, new)))
            scored.append((-per_cent, distance, before, after))
    taken: set[bytes] = set()
    for score, _, before, after in sorted(scored):
        if -score >= LEAST and before not in taken and after not in taken:
            taken |= {before, after}
            yield Rename(before, after, -score)


def _closest(gone: dict[bytes, Change], come: dict[bytes, Change]) -> Collection[tuple[int, bytes, bytes]]:
    """Pairs worth a comparison, with how far apart their names are: 0 the same name, 1 the same ending, 2 neither."""
    by_name: dict[bytes, list[bytes]] = defaultdict(list)
    for path in sorted(gone):
        by_name[_name(path)].append(path)
    named = ((0, before, after) for after in sorted(come) for before in by_name.get(_name(after), ()))
    likely = list(islice((pair for pair in named if _sizes_allow(gone[pair[1]], come[pair[2]])), _PAIRS))
    if len(gone) * len(come) > _PRODUCT:
        return likely
    others = sorted(
        (1 if _ending(before) == _ending(after) else 2, before, after)
        for after in come
        for before in gone
        if _name(before) != _name(after) and _sizes_allow(gone[before], come[after])
    )
    return [*likely, *others][:_PAIRS]


def _sizes_allow(before: Change, after: Change) -> bool:
    """Whether the two could be similar enough, by their sizes alone."""
    match before.before, after.after:
        case File(_, old), File(_, new):
            return min(old, new) * 100 >= max(old, new) * LEAST
        case _:
            return False


def _sampled(file: File, blobs: Blobs, samples: dict[str, _Sample]) -> _Sample:
    if file.digest not in samples:
        lines = frozenset(blobs.read(file.digest, _SAMPLE).split(b"\n"))
        samples[file.digest] = _Sample(lines, sum(map(len, lines)))
    return samples[file.digest]


def _similarity(old: _Sample, new: _Sample) -> int:
    """Per cent of the larger one that both hold; never 100, which means equal."""
    largest = max(old.size, new.size)
    shared = sum(map(len, old.lines & new.lines))
    return min(99, shared * 100 // largest) if largest else 0


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _ending(path: bytes) -> bytes:
    return _name(path).rpartition(b".")[2]
