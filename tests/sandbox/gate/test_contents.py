"""How much one look takes in, and that none of its limits hides anything."""

import os

import pytest

from sandbox.gate.contents import Contents, Stays
from sandbox.gate.host import Unusable
from sandbox.gate.ignore import Ignored
from sandbox.gate.standing import Standings


@pytest.fixture
def take(gate, lay_out):
    """Takes a file of the upper folder in; all that are not ignored may have 20 bytes, and all that are, too."""
    lay_out({".gitignore": "build/\n"})
    contents = Contents(gate.blobs, 100, Ignored(gate.checkout), None, room=20)

    def taken(path: str):
        folder = os.open((gate.upper / path).parent, os.O_RDONLY)
        try:
            return contents.changed(path.encode(), directory=folder, host=None)
        finally:
            os.close(folder)

    return taken


def test_s40_what_goes_over_the_limit_of_a_look_is_refused_with_its_size(gate, take):
    for name in ("a", "b", "c"):
        gate.put(name, name * 9)
    assert [take(name).size for name in ("a", "b")] == [9, 9]
    with pytest.raises(Stays, match="has 9 bytes, which bring all changes over"):
        take("c")


def test_s40_ignored_files_do_not_crowd_out_what_is_not_ignored(gate, take):
    gate.put("build/x", "x" * 20)
    gate.put("source", "y" * 20)
    assert take("build/x").size == take("source").size == 20
    gate.put("build/more", "x")
    with pytest.raises(Stays):
        take("build/more")


def test_s40_what_cannot_be_kept_of_the_checkout_is_not_taken_for_unchanged(gate, lay_out):
    lay_out({"one": "1" * 15, "two": "2" * 15})
    root = os.open(gate.checkout, os.O_RDONLY)
    standings = Standings(root, gate.manifest, gate.blobs, room=20)
    assert standings.at(root, b"one").node.size == standings.at(root, b"one").node.size == 15
    with pytest.raises(Unusable, match="over what can be kept"):
        standings.at(root, b"two")
    os.close(root)
