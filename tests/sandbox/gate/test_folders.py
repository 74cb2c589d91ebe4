"""Which new folders have to be listed."""

from sandbox.gate.folders import above, empty_folders


def test_the_folders_above_a_path_are_its_parents():
    assert list(above(b"a/b/c")) == [b"a/b", b"a"]
    assert list(above(b"a")) == []


def test_a_new_folder_is_listed_if_nothing_else_brings_it():
    new = [b"a", b"a/b", b"a/c", b"full", b"full/deep", b"alone"]
    assert empty_folders(new, [b"full/deep/file", b"x"]) == [b"alone", b"a/c", b"a/b"]
