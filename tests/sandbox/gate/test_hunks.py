"""Some hunks of a change: exactly these arrive, and exactly the rest waits."""

import subprocess
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.changes import Change, Directory, Link
from sandbox.errors import StateError
from sandbox.gate.blobs import Blobs
from sandbox.gate.decisions import theirs
from sandbox.gate.hunks import hunks_of, with_hunks
from sandbox.gate.merge import merged

OLD = b"".join(b"line %d\n" % number for number in range(1, 41))
NEW = OLD.replace(b"line 3\n", b"LINE 3\n").replace(b"line 20\n", b"").replace(b"line 38\n", b"line 38\nmore\n")


@pytest.fixture
def blobs(tmp_path):
    (tmp_path / "blobs").mkdir()
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def change(blobs):
    """A change of a text with three hunks."""
    return Change(b"f", blobs.put(OLD), blobs.put(NEW))


def text(change, blobs):
    return blobs.read(change.after.digest)


def test_hunks_are_counted_from_one(change, blobs):
    assert len(hunks_of(change, blobs)) == 3
    assert text(with_hunks(change, [1], blobs), blobs) == OLD.replace(b"line 3\n", b"LINE 3\n")
    assert text(with_hunks(change, [2], blobs), blobs) == OLD.replace(b"line 20\n", b"")
    assert text(with_hunks(change, [3, 1], blobs), blobs) == OLD.replace(b"line 3\n", b"LINE 3\n").replace(
        b"line 38\n", b"line 38\nmore\n"
    )


def test_all_hunks_are_the_change_itself(change, blobs):
    assert with_hunks(change, [3, 1, 2, 2], blobs) is change


@pytest.mark.parametrize("chosen", [[0], [4], [-1], [1, 99]])
def test_a_hunk_that_is_not_there_is_refused(change, blobs, chosen):
    with pytest.raises(StateError, match=r"f has no hunk .*: it has 3, counted from 1"):
        with_hunks(change, chosen, blobs)


def test_no_hunk_at_all_is_refused(change, blobs):
    with pytest.raises(StateError, match="no hunk of f is chosen"):
        with_hunks(change, [], blobs)


def test_links_folders_binaries_and_modes_have_no_hunks(blobs):
    text, binary = blobs.put(OLD), blobs.put(b"\0\1\2")
    for one in (
        Change(b"x", Link(b"a"), Link(b"b")),
        Change(b"x", None, Link(b"b")),
        Change(b"x", text, Link(b"b")),
        Change(b"x", Directory(), None),
        Change(b"x", text, binary),
        Change(b"x", text, replace(text, executable=True)),
    ):
        assert hunks_of(one, blobs) == ()
        with pytest.raises(StateError, match="x has no hunks to choose from"):
            with_hunks(one, [1], blobs)


def test_the_execute_bit_comes_with_any_hunk(change, blobs):
    program = replace(change, after=replace(change.after, executable=True))
    assert with_hunks(program, [2], blobs).after.executable


def test_a_new_and_a_deleted_file_are_one_hunk(blobs):
    for one in (Change(b"f", None, blobs.put(OLD)), Change(b"f", blobs.put(OLD), None)):
        assert with_hunks(one, [1], blobs) == one


def test_files_without_a_newline_at_their_end_keep_it_so(blobs):
    one = Change(b"f", blobs.put(OLD + b"end"), blobs.put(b"0\n" + OLD + b"END"))
    assert text(with_hunks(one, [1], blobs), blobs) == b"0\n" + OLD + b"end"
    assert text(with_hunks(one, [2], blobs), blobs) == OLD + b"END"


def test_what_is_left_out_is_the_rest(change, blobs):
    part = with_hunks(change, [2], blobs)
    rest = Change(b"f", part.after, change.after)
    assert [hunk.lines for hunk in hunks_of(rest, blobs)] == [
        hunk.lines for number, hunk in enumerate(hunks_of(change, blobs), 1) if number != 2
    ]
    assert part.settles is None


def test_part_of_a_merge_keeps_what_both_began_with_so_that_the_rest_is_merged_too(blobs):
    base, ours, its = blobs.put(OLD), blobs.put(b"mine\n" + OLD), blobs.put(NEW)
    whole = merged(Change(b"f", ours, its, moved=True, base=base), blobs)
    part = with_hunks(whole, [1], blobs)
    assert (blobs.read(part.settles.digest), part.before) == (OLD.replace(b"line 3\n", b"LINE 3\n"), ours)
    rest = merged(Change(b"f", part.after, its, moved=True, base=part.settles), blobs)
    assert text(rest, blobs) == b"mine\n" + NEW


def test_hunks_of_a_conflict_decide_it(blobs):
    its = blobs.put(NEW)
    conflict = Change(b"f", blobs.put(OLD), its, moved=True)
    for part in (with_hunks(theirs(conflict), [1], blobs), theirs(with_hunks(conflict, [1], blobs))):
        assert (text(part, blobs), part.moved, part.settles) == (OLD.replace(b"line 3\n", b"LINE 3\n"), False, its)


def test_hunks_alone_do_not_clear_a_conflict(blobs):
    conflict = Change(b"f", blobs.put(OLD), blobs.put(NEW), moved=True)
    assert with_hunks(conflict, [1], blobs).moved
    assert with_hunks(conflict, [1, 2, 3], blobs).moved


LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"\n", b"a\r\n"]), max_size=40).map(b"".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=LINES, new=LINES, torn=st.booleans(), picks=st.sets(st.integers(1, 6)))
def test_some_hunks_and_then_the_rest_make_the_whole(blobs, old, new, torn, picks):
    one = Change(b"f", blobs.put(old), blobs.put(new.rstrip(b"\n") if torn else new))
    hunks = hunks_of(one, blobs)
    chosen = [number for number in picks if number <= len(hunks)]
    if not chosen:
        return
    part = with_hunks(one, chosen, blobs)
    changed = sum(tag != " " for number in chosen for tag, _ in hunks[number - 1].lines)
    assert (
        sum(tag != " " for hunk in hunks_of(replace(one, after=part.after), blobs) for tag, _ in hunk.lines) <= changed
    )
    rest = Change(b"f", part.after, one.after)
    left = hunks_of(rest, blobs)
    assert (with_hunks(rest, range(1, len(left) + 1), blobs) if left else rest).after == one.after


@pytest.mark.parametrize("chosen", [[1], [2], [3], [1, 3], [2, 3]])
def test_git_makes_the_same_of_these_hunks(change, blobs, tmp_path, chosen):
    hunks = hunks_of(change, blobs)
    patch = b"--- a/f\n+++ b/f\n" + b"".join(
        hunks[number - 1].header.encode()
        + b"\n"
        + b"".join(tag.encode() + line for tag, line in hunks[number - 1].lines)
        for number in chosen
    )
    (tmp_path / "f").write_bytes(OLD)
    subprocess.run(["git", "apply", "-"], input=patch, cwd=tmp_path, check=True)
    assert text(with_hunks(change, chosen, blobs), blobs) == (tmp_path / "f").read_bytes()
