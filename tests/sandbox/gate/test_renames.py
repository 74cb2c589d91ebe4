"""Which files are shown as one that moved: a guess that is bounded, and that nothing but the screen depends on."""

import random

import pytest

from sandbox.changes import Change, Directory, Link
from sandbox.gate.renames import LEAST, Rename, renames


@pytest.fixture
def put(gate):
    """A file's content in the blob store."""
    return lambda data: gate.blobs.put(data if isinstance(data, bytes) else data.encode())


def gone(path, node):
    return Change(path, node, None)


def come(path, node):
    return Change(path, None, node)


def test_equal_content_is_a_rename_whatever_the_name(gate, put):
    moved = put("body\n")
    assert renames([gone(b"a/old.py", moved), come(b"b/new.py", moved)], gate.blobs) == (
        Rename(b"a/old.py", b"b/new.py", 100),
    )


def test_a_moved_folder_pairs_every_file_with_its_own_name(gate, put):
    same = put("# the same everywhere\n")
    names = [b"x/__init__.py", b"y/__init__.py", b"x/a.py"]
    changes = [gone(b"old/" + name, same) for name in names] + [come(b"new/" + name, same) for name in names]
    found = {(one.before_path, one.after_path) for one in renames(changes, gate.blobs)}
    assert (b"old/x/a.py", b"new/x/a.py") in found
    assert len(found) == 3


def test_an_edited_file_is_found_by_its_lines_and_the_best_match_wins(gate, put):
    text = "".join(f"line {number}\n" for number in range(50))
    changes = [
        gone(b"old.py", put(text)),
        gone(b"other.py", put(text[: len(text) // 2] + "x" * (len(text) // 2))),
        come(b"new.py", put(text.replace("line 7\n", "line seven\n"))),
    ]
    (found,) = renames(changes, gate.blobs)
    assert (found.before_path, found.after_path) == (b"old.py", b"new.py")
    assert LEAST <= found.similarity < 100


def test_what_has_little_in_common_is_no_rename(gate, put):
    assert renames([gone(b"a", put("one\ntwo\n")), come(b"b", put("six\nten\n"))], gate.blobs) == ()


def test_empty_files_and_folders_are_nobodys_but_links_move(gate, put):
    changes = [
        gone(b"a", put("")),
        come(b"b", put("")),
        gone(b"d", Directory()),
        come(b"e", Directory()),
        gone(b"l", Link(b"a")),
        come(b"m", Link(b"a")),
    ]
    assert renames(changes, gate.blobs) == (Rename(b"l", b"m", 100),)


def test_a_modified_file_takes_part_in_no_rename(gate, put):
    old, new = put("one\n"), put("two\n")
    assert renames([Change(b"a", old, new), come(b"b", old)], gate.blobs) == ()


def test_each_file_is_in_one_rename_at_most(gate, put):
    text = "shared\n" * 3 + "".join(f"{number}\n" for number in range(30))
    changes = [gone(b"a", put(text)), come(b"b", put(text + "b\n")), come(b"c", put(text + "c\n"))]
    assert [one.before_path for one in renames(changes, gate.blobs)] == [b"a"]


def test_ten_thousand_files_of_one_name_are_not_all_compared(gate, put):
    source = random.Random(0)
    files = [put(source.randbytes(40)) for _ in range(2000)]
    changes = [gone(b"old/%d/same" % number, file) for number, file in enumerate(files[:1000])]
    changes += [come(b"new/%d/same" % number, file) for number, file in enumerate(files[1000:])]
    assert renames(changes, gate.blobs) == ()
