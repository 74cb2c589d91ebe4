"""What a filter says of requests to devices: two are closed, and no other."""

from sandbox.seccomp import ATTRIBUTES, _others


def test_every_request_but_those_is_let_through() -> None:
    rules = list(_others(ATTRIBUTES))
    closed = [number for number in range(2**16) if all(number & mask != value for mask, value in rules)]
    assert closed == sorted(ATTRIBUTES)
