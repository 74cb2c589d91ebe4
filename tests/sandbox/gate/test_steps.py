"""The order in which changes are made."""

from sandbox.changes import Change, Directory, File, Link
from sandbox.gate.steps import MakeFolder, Place, Remove, RemoveFolder, Swap, steps

A, B = File("0" * 64, 1), File("1" * 64, 1)


def test_what_goes_goes_first_and_children_before_their_folder():
    changes = [
        Change(b"d", Directory(), None),
        Change(b"d/e", Directory(), None),
        Change(b"d/e/x", A, None),
        Change(b"d-", A, None),
        Change(b"a", None, B),
    ]
    assert steps(dict(enumerate(changes))) == (
        Remove(b"d/e/x", A, 2),
        RemoveFolder(b"d/e", False),
        Remove(b"d-", A, 3),
        RemoveFolder(b"d", False),
        Place(b"a", B, 4),
    )


def test_a_file_becomes_a_folder_and_a_folder_a_file():
    changes = [
        Change(b"f/new", None, B),
        Change(b"f", A, Directory()),
        Change(b"d", Directory(), B),
        Change(b"d/x", A, None),
    ]
    assert steps(dict(enumerate(changes))) == (
        Remove(b"f", A, 1),
        Remove(b"d/x", A, 3),
        RemoveFolder(b"d", True),
        Place(b"d", B, 2),
        MakeFolder(b"f"),
        Place(b"f/new", B, 0),
    )


def test_files_and_links_are_swapped_and_keep_their_slots():
    changes = {3: Change(b"a", A, B), 7: Change(b"l", Link(b"x"), A), 9: Change(b"m", A, Link(b"x"))}
    assert steps(changes) == (
        Swap(b"a", A, B, 3),
        Swap(b"l", Link(b"x"), A, 7),
        Swap(b"m", A, Link(b"x"), 9),
    )


def test_an_empty_folder_is_made():
    assert steps({0: Change(b"d", None, Directory())}) == (MakeFolder(b"d"),)
