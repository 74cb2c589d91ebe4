"""Lines keep their owner through any number of versions."""

import random

from sandbox.changes import Change
from sandbox.gate.blame import blame
from sandbox.gate.diff import file_diff


def owners(gate, *texts: str) -> list[set[int]]:
    """Who is behind each hunk between the first text and the last one."""
    first, *versions = (text.encode() for text in texts)
    change = Change(b"f", gate.blobs.put(first), gate.blobs.put(versions[-1]))
    return blame(first, versions, versions[-1], file_diff(change, gate.blobs).hunks)


def test_a_line_brought_and_a_line_removed_have_their_versions(gate) -> None:
    assert owners(gate, "a\nb\n", "a\nb\nc\n") == [{1}]
    assert owners(gate, "a\nb\n", "a\n", "a\nc\n") == [{1, 2}]
    assert owners(gate, "", "a\n") == [{1}]
    assert owners(gate, "a\n", "") == [{1}]


def test_what_a_version_did_and_a_later_one_undid_is_nobodys(gate) -> None:
    assert owners(gate, "a\nb\n", "a\nx\nb\n", "a\nb\nc\n") == [{2}]


def test_every_hunk_has_an_owner_whatever_the_versions(gate) -> None:
    chance = random.Random(1)
    for _ in range(200):
        texts = ["".join(f"{chance.randrange(9)}\n" for _ in range(chance.randrange(30))) for _ in range(4)]
        for found in owners(gate, *texts):
            assert found <= {1, 2, 3, 4}
