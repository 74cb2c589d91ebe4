"""Which new folders have to be listed: those that no other change brings along. Pure functions on paths."""

from collections.abc import Iterable, Iterator


def above(path: bytes) -> Iterator[bytes]:
    """The folders above a path, the nearest first, without the root."""
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def empty_folders(new: Iterable[bytes], changed: Iterable[bytes]) -> list[bytes]:
    """Of the new folders those with no changed path below them, and no deeper new folder."""
    ordered = sorted(new, reverse=True)
    occupied: set[bytes] = set()
    for path in changed if ordered else ():
        if path.rpartition(b"/")[0] not in occupied:
            _occupy(occupied, above(path))
    empty: list[bytes] = []
    for path in ordered:
        if path not in occupied:
            empty.append(path)
            _occupy(occupied, above(path))
    return empty


def _occupy(occupied: set[bytes], folders: Iterable[bytes]) -> None:
    for folder in folders:
        if folder in occupied:
            return
        occupied.add(folder)
