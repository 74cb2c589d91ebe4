"""What cannot be applied by itself: a folder does not go while something in it stays."""

from sandbox.changes import Change, Directory, File, Link
from sandbox.gate.held import held_with, independent

OLD = File("0" * 64, 1)
NEW = File("1" * 64, 1)
FOLDER = Directory()


def test_a_folder_waits_for_what_is_in_it_at_any_depth():
    changes = [
        Change(b"a", FOLDER, None),
        Change(b"a/b", FOLDER, None),
        Change(b"a/b/c", OLD, None),
        Change(b"x", OLD, None),
    ]
    assert held_with(changes, {b"a/b/c"}) == {b"a", b"a/b"}
    assert held_with(changes, {b"x"}) == set()
    assert held_with(changes, ()) == set()


def test_a_folder_that_something_else_replaces_waits_too():
    for after in (NEW, Link(b"x")):
        changes = [Change(b"a", FOLDER, after), Change(b"a/b", OLD, None)]
        assert held_with(changes, {b"a/b"}) == {b"a"}


def test_what_comes_into_a_new_folder_waits_for_what_stands_in_its_place():
    changes = [
        Change(b"a", OLD, FOLDER),
        Change(b"a/b", None, NEW),
        Change(b"a/b2/c", None, NEW),
        Change(b"ab", None, NEW),
    ]
    assert held_with(changes, {b"a"}) == {b"a/b", b"a/b2/c"}
    assert held_with(changes, {b"a/b"}) == set()


def test_what_stays_out_holds_no_folder():
    changes = [Change(b"a/new", None, NEW), Change(b"a/old", OLD, None)]
    assert held_with(changes, {b"a/new"}) == set()
    assert held_with(changes, {b"a/old"}) == set()


def test_what_is_wanted_goes_unless_it_waits_for_something_that_is_not():
    folder, inside, other = Change(b"a", FOLDER, None), Change(b"a/b", OLD, None), Change(b"x", OLD, None)
    every = [folder, inside, other]
    assert independent([folder, other], every) == [other]
    assert independent([inside, folder, other], every) == [inside, folder, other]
    assert independent([folder], [folder]) == [folder]
