"""Which lines two texts share."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.gate.matching import lines, matches

TEXT = st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"]), max_size=25)


@given(st.binary())
def test_lines_lose_nothing(data):
    assert b"".join(lines(data)) == data


@given(st.binary())
def test_only_the_last_line_can_be_without_a_line_feed(data):
    assert all(line.endswith(b"\n") for line in lines(data)[:-1])
    assert all(line.count(b"\n") <= 1 and line for line in lines(data))


@given(TEXT, TEXT)
def test_matches_are_equal_lines_in_order(old, new):
    at_old = at_new = 0
    for old_start, new_start, length in matches(old, new):
        assert old_start >= at_old
        assert new_start >= at_new
        assert length > 0
        assert old[old_start : old_start + length] == new[new_start : new_start + length]
        at_old, at_new = old_start + length, new_start + length
    assert at_old <= len(old)
    assert at_new <= len(new)


@given(TEXT)
def test_equal_texts_match_whole(text):
    assert matches(text, text) == ([(0, 0, len(text))] if text else [])


def test_a_moved_block_keeps_what_stayed_in_order():
    old, new = list(b"abcdefgh"), list(b"efghabcd")
    found = matches([bytes([x]) for x in old], [bytes([x]) for x in new])
    assert sum(length for _, _, length in found) == 4


def test_one_inserted_line_is_one_inserted_line():
    old = [b"%d" % number for number in range(1000)]
    assert matches(old, [*old[:500], b"new", *old[500:]]) == [(0, 0, 500), (500, 501, 500)]
