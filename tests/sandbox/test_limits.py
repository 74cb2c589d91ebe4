"""A limit that was reached, as a sentence; and what the guest says of it, which is hostile."""

import json

import pytest

from sandbox.errors import SandboxLost
from sandbox.frames import Frame, Kind
from sandbox.limits import LimitReached, size, told
from sandbox.running import done_of


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (LimitReached("memory", 4 * 1024**3), "memory limit 4 GiB reached"),
        (LimitReached("processes", 512), "process limit 512 reached"),
        (LimitReached("disk", 10 * 1024**3), "disk limit 10 GiB reached"),
        (LimitReached("files", 1_000_000), "limit of 1,000,000 files reached"),
        (LimitReached("/tmp", 1024**3), "/tmp is full (1 GiB)"),
        (LimitReached("machine", 0), "the machine ran out of memory"),
        (LimitReached("disk", 1536, "delete something"), "disk limit 1.5 KiB reached: delete something"),
    ],
)
def test_a_limit_is_named_with_its_number(limit: LimitReached, sentence: str) -> None:
    assert str(limit) == sentence


def test_sizes_are_written_as_people_write_them() -> None:
    assert [size(amount) for amount in (0, 1023, 1024, 1600, 10 * 1024**3, 3 * 1024**5)] == [
        "0 bytes", "1023 bytes", "1 KiB", "1.6 KiB", "10 GiB", "3072 TiB",
    ]  # fmt: skip


def test_a_limit_is_told_once_and_with_what_there_is_to_know() -> None:
    limits = told(
        ["memory", "memory", "processes"], {"memory": 1024**3}, ended=7, scratch={"/tmp": 1024**2, "/dev/shm": 5}
    )
    assert [str(limit) for limit in limits] == [
        "memory limit 1 GiB reached: of it lie 1 MiB in /tmp, where files are memory too",
        "process limit 0 reached: 7 that earlier commands had left running were ended to make room",
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        {"limits": ["the moon"]},
        {"limits": ["memory"] * 9},
        {"limits": "memory"},
        {"ended": -1},
        {"scratch": {"/etc": 1}},
        {"scratch": {"/tmp": -1}},
        {"scratch": {"/tmp": "much"}},
    ],
)
def test_a_guest_that_names_what_is_no_limit_has_broken_the_protocol(hostile: dict[str, object]) -> None:
    with pytest.raises(SandboxLost):
        done_of(Frame(1, Kind.DONE, json.dumps({"exit": 0, **hostile}).encode()))
