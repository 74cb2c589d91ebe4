"""Keeping head and tail."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.output import Collector


@given(st.lists(st.binary(max_size=40)), st.integers(0, 60))
def test_head_and_tail_are_kept_and_the_rest_is_counted(pieces: list[bytes], keep: int) -> None:
    collector = Collector(keep)
    for piece in pieces:
        collector.add(piece)
    whole, output = b"".join(pieces), collector.output()
    assert whole.startswith(output.head)
    assert whole.endswith(output.tail)
    assert len(output.all) + output.omitted == len(whole)
    assert len(output.all) <= max(keep, 0)
    assert output.omitted == 0 or len(output.all) == keep // 2 * 2
