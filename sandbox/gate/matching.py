"""Which lines two texts share: fast on what people write, bounded on what somebody wrote to stall a review."""

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

_SMALL = 200_000  # old lines times new lines of a gap that is worth a close look: about 50 ms

Match = tuple[int, int, int]
"""Where a run of equal lines begins in the old text, in the new text, and how long it is."""


def lines(data: bytes) -> list[bytes]:
    """The lines, each with its `\\n`; the last one has none if the text does not end in one.

    Nothing else ends a line: `str.splitlines` would split at six more characters and let a text show lines that no
    other program sees.
    """
    parts = data.split(b"\n")
    last = parts.pop()
    return [part + b"\n" for part in parts] + ([last] if last else [])


def matches(old: Sequence[bytes], new: Sequence[bytes]) -> list[Match]:
    """Runs of equal lines, in order, none overlapping: always right, and the longest possible where that is cheap.

    Common ends are cut off, lines that occur once on each side are anchors (patience), and gaps between anchors are
    compared closely if they are small.
    """
    start = 0
    shortest = min(len(old), len(new))
    while start < shortest and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < shortest - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    found: list[Match] = [(0, 0, start)]
    found += _between(old, new, (start, len(old) - tail), (start, len(new) - tail))
    found.append((len(old) - tail, len(new) - tail, tail))
    return _joined(found)


def _between(
    old: Sequence[bytes], new: Sequence[bytes], old_range: tuple[int, int], new_range: tuple[int, int]
) -> Iterator[Match]:
    """The matches in the middle part, gap by gap between anchors."""
    at_old, at_new = old_range[0], new_range[0]
    for old_anchor, new_anchor in [*_anchors(old, new, old_range, new_range), (old_range[1], new_range[1])]:
        if old_anchor < at_old or new_anchor < at_new:
            continue  # an anchor that the run before it has covered
        yield from _gap(old, new, (at_old, old_anchor), (at_new, new_anchor))
        length = 0
        while (
            old_anchor + length < old_range[1]
            and new_anchor + length < new_range[1]
            and old[old_anchor + length] == new[new_anchor + length]
        ):
            length += 1
        yield old_anchor, new_anchor, length
        at_old, at_new = old_anchor + length, new_anchor + length


def _anchors(
    old: Sequence[bytes], new: Sequence[bytes], old_range: tuple[int, int], new_range: tuple[int, int]
) -> list[tuple[int, int]]:
    """Lines that occur once on each side, as far as they stand in the same order on both."""
    in_old = Counter(old[slice(*old_range)])
    in_new = Counter(new[slice(*new_range)])
    places = {line: place for place in range(*new_range) if in_new[line := new[place]] == 1}
    pairs = [(place, places[line]) for place in range(*old_range) if in_old[line := old[place]] == 1 and line in places]
    return _longest_increasing(pairs)


def _longest_increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest chain in which the second numbers rise as the first do (patience sorting)."""
    tops: list[int] = []
    chain: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        before.append(chain[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(place)
            chain.append(index)
        else:
            tops[pile] = place
            chain[pile] = index
    found: list[tuple[int, int]] = []
    index = chain[-1] if chain else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]


def _gap(
    old: Sequence[bytes], new: Sequence[bytes], old_range: tuple[int, int], new_range: tuple[int, int]
) -> Iterator[Match]:
    size = (old_range[1] - old_range[0]) * (new_range[1] - new_range[0])
    if not 0 < size <= _SMALL:
        return
    matcher = difflib.SequenceMatcher(None, old[slice(*old_range)], new[slice(*new_range)], autojunk=False)
    for block in matcher.get_matching_blocks():
        if block.size:
            yield old_range[0] + block.a, new_range[0] + block.b, block.size


def _joined(found: Sequence[Match]) -> list[Match]:
    joined: list[Match] = []
    for old, new, length in found:
        if not length:
            continue
        if joined and (old, new) == (joined[-1][0] + joined[-1][2], joined[-1][1] + joined[-1][2]):
            joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + length)
        else:
            joined.append((old, new, length))
    return joined
