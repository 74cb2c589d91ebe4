"""Two edits of one file: both in the result, or a conflict; nothing of the user's is ever dropped without a word."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.changes import Change, Directory, Link
from sandbox.gate.blobs import Blobs
from sandbox.gate.matching import lines
from sandbox.gate.merge import LARGEST, Patience, merged, three_way, two_way

BASE = b"one\ntwo\nthree\nfour\nfive\n"


@pytest.fixture
def blobs(tmp_path):
    (tmp_path / "blobs").mkdir()
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def merge(blobs):
    """Merges three contents; the text, or None for a conflict."""

    def run(base, ours, theirs):
        change = Change(b"f", blobs.put(ours), blobs.put(theirs), moved=True, base=blobs.put(base))
        found = merged(change, blobs)
        return None if found.moved else blobs.read(found.after.digest)

    return run


def test_edits_in_different_places_are_both_in_the_merge(merge):
    assert merge(BASE, b"ONE\ntwo\nthree\nfour\nfive\n", b"one\ntwo\nthree\nfour\nFIVE\n") == (
        b"ONE\ntwo\nthree\nfour\nFIVE\n"
    )


def test_edits_in_one_place_are_a_conflict(merge):
    assert merge(BASE, BASE.replace(b"three", b"mine"), BASE.replace(b"three", b"theirs")) is None


def test_identical_edits_and_one_more_are_no_conflict(merge):
    both = BASE.replace(b"one", b"1")
    assert merge(BASE, both, both.replace(b"five", b"5")) == b"1\ntwo\nthree\nfour\n5\n"


def test_a_merge_tells_what_of_the_sandbox_it_settles(blobs):
    theirs = blobs.put(b"one\ntwo\nthree\nfour\nFIVE\n")
    change = Change(b"f", blobs.put(b"ONE\ntwo\nthree\nfour\nfive\n"), theirs, moved=True, base=blobs.put(BASE))
    found = merged(change, blobs)
    assert (found.moved, found.settles, found.before, found.base) == (False, theirs, change.before, change.base)


def test_where_the_users_edit_is_in_the_sandboxs_too_its_version_is_the_merge_and_settles_nothing(blobs):
    base, ours, theirs = blobs.put(BASE), blobs.put(b"0\n" + BASE), blobs.put(b"0\n" + BASE + b"six\n")
    found = merged(Change(b"f", ours, theirs, moved=True, base=base), blobs)
    assert (found.after, found.moved, found.settles) == (theirs, False, None)


def test_without_a_base_there_is_a_conflict(blobs):
    change = Change(b"f", blobs.put(b"mine\n"), blobs.put(b"theirs\n"), moved=True)
    assert merged(change, blobs) == change


def test_where_only_the_user_edited_nothing_is_asked_for(blobs):
    base, ours = blobs.put(BASE), blobs.put(b"mine\n")
    found = merged(Change(b"f", ours, base, moved=True, base=base), blobs)
    assert found.after == found.before == ours


def test_where_the_user_went_back_to_the_base_the_change_is_an_ordinary_one(blobs):
    base, theirs = blobs.put(BASE), blobs.put(b"theirs\n")
    assert merged(Change(b"f", base, theirs, moved=True, base=base), blobs) == Change(b"f", base, theirs)
    assert merged(Change(b"f", base, None, moved=True, base=base), blobs) == Change(b"f", base, None)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        (b"a\r\nb\r\nc\r\nd\r\n", b"A\r\nb\r\nc\r\nd\r\n", b"a\r\nb\r\nc\r\nD\r\n", b"A\r\nb\r\nc\r\nD\r\n"),
        (b"a\nb\nc\nd", b"A\nb\nc\nd", b"a\nb\nc\nD", b"A\nb\nc\nD"),
        (b"a\nb\nc\nd", b"A\nb\nc\nd", b"a\nb\nc\nd\n", b"A\nb\nc\nd\n"),
        (b"", b"", b"a\n", b"a\n"),
        (b"\xff\n2\n3\n4\n\xfe\n", b"\xff!\n2\n3\n4\n\xfe\n", b"\xff\n2\n3\n4\n\xfe!\n", b"\xff!\n2\n3\n4\n\xfe!\n"),
        (b"<<<<<<< x\n2\n3\n4\n>>>>>>>\n", b"0\n<<<<<<< x\n2\n3\n4\n>>>>>>>\n", b"<<<<<<< x\n2\n3\n4\n>>>>>>> y\n",
         b"0\n<<<<<<< x\n2\n3\n4\n>>>>>>> y\n"),
    ],
    ids=["crlf", "no newline at the end", "newline added at the end", "empty base", "not utf-8", "markers in the text"],
)  # fmt: skip
def test_bytes_are_merged_as_they_are(merge, base, ours, theirs, expected):
    assert merge(base, ours, theirs) == expected


def test_crlf_on_one_side_and_lf_on_the_other_is_a_conflict_and_no_mixture(merge):
    assert merge(BASE, BASE.replace(b"\n", b"\r\n"), BASE.replace(b"three", b"3")) is None


def test_a_binary_file_that_both_edited_is_a_conflict(merge):
    assert merge(b"\0a\n", b"\0b\n", b"\0c\n") is None


def test_a_huge_file_that_both_edited_is_a_conflict(merge):
    long = b"x" * LARGEST
    assert merge(long, b"a\n" + long, long + b"\nb") is None


@pytest.mark.parametrize(("ours", "theirs"), [(b"\0edited", b"\0"), (b"\0", b"\0edited"), (b"\0same", b"\0same")])
def test_a_mode_that_one_side_changed_is_kept_beside_the_content_of_the_other(blobs, ours, theirs):
    base = blobs.put(b"\0")
    change = Change(b"f", replace(blobs.put(ours), executable=True), blobs.put(theirs), moved=True, base=base)
    found = merged(change, blobs)
    assert (blobs.read(found.after.digest), found.after.executable) == (max(ours, theirs), True)


@pytest.mark.parametrize(
    ("was", "mine", "its", "expected"),
    [
        (False, False, True, True),
        (False, True, False, True),
        (False, True, True, True),
        (True, False, True, False),
        (True, True, False, False),
        (True, False, False, False),
    ],
)
def test_the_execute_bit_is_whatever_somebody_made_of_it(blobs, was, mine, its, expected):
    base = replace(blobs.put(BASE), executable=was)
    ours = replace(blobs.put(b"0\n" + BASE), executable=mine)
    theirs = replace(blobs.put(BASE + b"6\n"), executable=its)
    found = merged(Change(b"f", ours, theirs, moved=True, base=base), blobs)
    assert (blobs.read(found.after.digest), found.after.executable) == (b"0\n" + BASE + b"6\n", expected)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(None, b"theirs\n"), (b"mine\n", None), (Link(b"x"), b"theirs\n"), (b"mine\n", Link(b"x")), (Directory(), b"t\n")],
)
def test_a_deletion_or_another_type_against_an_edit_is_a_conflict(blobs, ours, theirs):
    nodes = [blobs.put(node) if isinstance(node, bytes) else node for node in (ours, theirs)]
    change = Change(b"f", *nodes, moved=True, base=blobs.put(BASE))
    assert merged(change, blobs) == change


def test_two_links_are_never_merged(blobs):
    change = Change(b"l", Link(b"mine"), Link(b"theirs"), moved=True, base=Link(b"base"))
    assert merged(change, blobs) == change


@pytest.mark.parametrize("lost", ["base", "ours", "theirs"])
def test_a_missing_or_damaged_content_is_a_conflict_and_no_crash(blobs, lost):
    sides = {"base": blobs.put(BASE), "ours": blobs.put(b"0\n" + BASE), "theirs": blobs.put(BASE + b"6\n")}
    change = Change(b"f", sides["ours"], sides["theirs"], moved=True, base=sides["base"])
    (blobs.folder / sides[lost].digest).write_bytes(b"damaged")
    assert merged(change, blobs) == change
    (blobs.folder / sides[lost].digest).unlink()
    assert merged(change, blobs) == change


def test_texts_that_are_made_to_take_for_ever_are_conflicts_and_do_not_add_up(blobs):
    patience = Patience(0.2)
    sides = [b"".join(b"%d\n" % (number * step % 7919 % 3) for number in range(200_000)) for step in (1, 31, 57)]
    base, ours, theirs = (blobs.put(text) for text in sides)
    hard = Change(b"f", ours, theirs, moved=True, base=base)
    assert merged(hard, blobs, patience) == hard
    assert patience.seconds <= 0
    easy = Change(b"f", blobs.put(b"0\n" + BASE), blobs.put(BASE + b"6\n"), moved=True, base=blobs.put(BASE))
    assert merged(easy, blobs, patience) == easy
    assert not merged(easy, blobs).moved


def merge_in_its_own_process(folder: Path, **environment: str) -> str:
    """Merge three contents in a process with this environment: the text, or `conflict`."""
    program = (
        "import sys; from pathlib import Path;"
        "from sandbox.changes import Change; from sandbox.gate.blobs import Blobs;"
        "from sandbox.gate.merge import merged; blobs = Blobs(Path(sys.argv[1]));"
        "texts = (b'1\\n2\\n3\\n', b'0\\n1\\n2\\n3\\n', b'1\\n2\\n3\\n4\\n');"
        "base, ours, theirs = (blobs.put(text) for text in texts);"
        "found = merged(Change(b'f', ours, theirs, moved=True, base=base), blobs);"
        "print('conflict' if found.moved else blobs.read(found.after.digest))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program, folder],
        env={"PYTHONPATH": str(root), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_machine_without_git_has_conflicts_instead_of_merges(blobs, tmp_path):
    assert merge_in_its_own_process(blobs.folder, PATH=os.environ["PATH"]) == repr(b"0\n1\n2\n3\n4\n")
    assert merge_in_its_own_process(blobs.folder, PATH=str(tmp_path)) == "conflict"


def test_no_repository_no_settings_and_no_attributes_take_part(blobs, tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "config", "merge.conflictStyle", "merge"], check=True)
    subprocess.run(["git", "-C", tmp_path, "config", "core.autocrlf", "true"], check=True)
    (tmp_path / ".git" / "info" / "attributes").write_text("* -merge -text binary\n")
    (tmp_path / ".gitconfig").write_text("[core]\n\teol = crlf\n[broken\n")
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "GIT_CONFIG_COUNT": "broken"}
    assert merge_in_its_own_process(blobs.folder, **home) == repr(b"0\n1\n2\n3\n4\n")


def test_a_git_that_lies_where_we_stand_is_not_run(blobs):
    program = blobs.folder / "git"
    program.write_text("#!/bin/sh\ntouch ran\n")
    program.chmod(0o755)
    assert merge_in_its_own_process(blobs.folder, PATH=".") == "conflict"
    assert not (blobs.folder / "ran").exists()


TEXT = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"a\r\n", b"d"]), max_size=8).map(b"".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=TEXT, ours=TEXT, theirs=TEXT)
def test_a_merge_without_conflict_is_the_same_from_both_sides(blobs, base, ours, theirs):
    sides = [blobs.put(text) for text in (base, ours, theirs)]
    one, other = three_way(*sides, blobs), three_way(sides[0], sides[2], sides[1], blobs)
    assert one is not None
    assert other is not None
    assert bool(one.conflicts) == bool(other.conflicts)
    assert one.conflicts or one.text == other.text


@settings(max_examples=200, deadline=None)
@given(ours=TEXT, theirs=TEXT)
def test_both_texts_can_be_read_out_of_the_one_with_markers(ours, theirs):
    found = two_way(ours, theirs)
    assert sided(found.text, 0) == ended(ours)
    assert sided(found.text, 1) == ended(theirs)
    assert (found.conflicts == 0) == (ours == theirs)


def sided(text, side):
    """The lines of one side: outside the markers, and on its side of the `=======`."""
    kept, current = [], None
    for line in lines(text):
        match line.split(b" ")[0].rstrip(b"\n"):
            case b"<<<<<<<":
                current = 0
            case b"=======":
                current = 1
            case b">>>>>>>":
                current = None
            case _ if current in (None, side):
                kept.append(line)
    return ended(b"".join(kept))


def ended(text):
    return text.rstrip(b"\n")
