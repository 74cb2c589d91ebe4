"""What a change did, line by line; and the patch, proven by real `git apply`."""

import os
import subprocess
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.changes import Change, Directory, Link
from sandbox.gate.blobs import Blobs
from sandbox.gate.diff import Hunk, counts, file_diff, unified


@pytest.fixture
def blobs(tmp_path):
    (tmp_path / "blobs").mkdir()
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def change(blobs):
    """Makes a change of one file from two contents; None: no file."""

    def make(old, new, path=b"file", was_executable=False, executable=False):
        before = None if old is None else blobs.put(old)
        after = None if new is None else blobs.put(new)
        before = before and type(before)(before.digest, before.size, was_executable)
        after = after and type(after)(after.digest, after.size, executable)
        return Change(path, before, after)

    return make


def test_a_hunk_has_three_lines_of_context(change, blobs):
    old = b"".join(b"%d\n" % number for number in range(1, 21))
    found = file_diff(change(old, old.replace(b"10\n", b"ten\n")), blobs)
    assert found.hunks == (
        Hunk(
            7, 7, 7, 7,
            ((" ", b"7\n"), (" ", b"8\n"), (" ", b"9\n"), ("-", b"10\n"), ("+", b"ten\n"),
             (" ", b"11\n"), (" ", b"12\n"), (" ", b"13\n")),
        ),
    )  # fmt: skip
    assert found.hunks[0].header == "@@ -7,7 +7,7 @@"
    assert (found.added, found.removed, found.binary, found.notes) == (1, 1, False, ())


def test_differences_far_apart_are_hunks_of_their_own(change, blobs):
    old = b"".join(b"%d\n" % number for number in range(1, 41))
    new = old.replace(b"5\n", b"five\n", 1).replace(b"30\n", b"")
    assert [hunk.header for hunk in file_diff(change(old, new), blobs).hunks] == [
        "@@ -2,7 +2,7 @@",
        "@@ -27,7 +27,6 @@",
    ]


def test_a_new_and_a_deleted_file_are_all_lines(change, blobs):
    assert file_diff(change(None, b"a\nb\n"), blobs).hunks[0].header == "@@ -0,0 +1,2 @@"
    assert file_diff(change(b"a\n", None), blobs).hunks[0].header == "@@ -1 +0,0 @@"
    assert counts(change(None, b"a\nb"), blobs) == (2, 0)
    assert counts(change(b"a\n", None), blobs) == (0, 1)
    assert counts(change(b"", b""), blobs) == (0, 0)


def test_v05_lines_end_at_line_feeds_and_nowhere_else(change, blobs):
    text = "x = 1\r# hidden\x0b\x0c\x1c\x85\u2028end\n".encode()
    assert file_diff(change(None, text), blobs).hunks[0].lines == (("+", text),)


def test_a_last_line_without_a_line_feed_differs_from_one_with(change, blobs):
    assert file_diff(change(b"a", b"a\n"), blobs).hunks[0].lines == (("-", b"a"), ("+", b"a\n"))


@pytest.mark.parametrize(
    ("was", "now", "note"),
    [(False, True, "now executable"), (True, False, "no longer executable")],
)
def test_a_mode_change_is_a_note(change, blobs, was, now, note):
    found = change(b"x", b"x", was_executable=was, executable=now)
    assert file_diff(found, blobs).notes == (note,)
    assert counts(found, blobs) == (0, 0)


def test_notes_tell_what_lines_cannot(change, blobs):
    assert file_diff(change(None, b"x", executable=True), blobs).notes == ("new executable file",)
    assert file_diff(Change(b"l", None, Link(b"target")), blobs).notes == ("link to target",)
    assert file_diff(Change(b"l", None, Link(b"to\x1b")), blobs).notes[0] == "link to to\\x1b"
    assert file_diff(Change(b"d", None, Directory()), blobs).notes == ("new empty folder",)
    assert file_diff(Change(b"d", Directory(), None), blobs).notes == ("folder is deleted",)
    assert file_diff(Change(b"d", blobs.put(b""), Directory()), blobs).notes == ("was a file, becomes a folder",)


def test_v06_fresh_alarms_are_notes_and_old_ones_are_not(change, blobs):
    (note,) = file_diff(change(b"a\n", "a\u202e\n".encode()), blobs).notes
    assert "bidirectional" in note
    assert file_diff(change("\u202e".encode(), "b\u202e".encode()), blobs).notes == ()


def test_v10_a_source_with_one_nul_is_still_shown_line_by_line(change, blobs):
    found = file_diff(change(b"import os\n", b"import os\n\0evil()\n"), blobs)
    assert found.binary
    assert ("+", b"\0evil()\n") in found.hunks[0].lines
    assert counts(change(b"a", b"\0"), blobs) is None


def test_v10_a_binary_file_is_told_by_size_digest_and_first_bytes(change, blobs):
    data = bytes(range(256)) * 10
    found = file_diff(change(None, data), blobs)
    assert (found.binary, found.hunks) == (True, ())
    assert "2,560 bytes" in found.notes[0]
    assert "begins 00 01 02" in found.notes[0]


def test_text_that_stopped_being_utf8_is_noted(change, blobs):
    assert file_diff(change(b"a\n", b"\xff\n"), blobs).notes == ("is not valid UTF-8",)


@pytest.fixture
def repository(tmp_path):
    """A scratch repository of our own; `git apply` in it is the oracle."""
    folder = tmp_path / "repository"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def lay_out(folder, path, node, blobs):
    place = os.path.join(os.fsencode(folder), path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if isinstance(node, Link):
        os.symlink(node.target, place)
    elif node is not None:
        with open(place, "wb") as file:
            file.write(blobs.read(node.digest))
        os.chmod(place, 0o755 if node.executable else 0o644)


def look(folder, path):
    place = os.path.join(os.fsencode(folder), path)
    if os.path.islink(place):
        return Link(os.readlink(place))
    if not os.path.exists(place):
        return None
    with open(place, "rb") as file:
        return bool(os.stat(place).st_mode & 0o100), file.read()


def expected(node, blobs):
    return (node.executable, blobs.read(node.digest)) if node is not None and not isinstance(node, Link) else node


def git_apply(repository, changes, blobs):
    """Lay out what stood before, apply our patch with git, and compare; then take it back the same way."""
    for change in changes:
        lay_out(repository, change.path, change.before, blobs)
    patch = unified(changes, blobs)
    for options in ([], ["--reverse"]):
        done = subprocess.run(
            ["git", "-c", "core.fileMode=true", "apply", "--whitespace=nowarn", *options, "-"],
            cwd=repository, input=patch, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stderr, patch)
        for change in changes:
            wanted = change.before if options else change.after
            assert look(repository, change.path) == expected(wanted, blobs), (options, change.path)


LONG = b"".join(b"line %d\n" % number for number in range(200))

CONTENTS = {
    "added": (None, b"new\n"),
    "added empty": (None, b""),
    "deleted": (b"old\n", None),
    "deleted empty": (b"", None),
    "modified": (LONG, LONG.replace(b"line 3\n", b"").replace(b"line 100\n", b"x\ny\n")),
    "no line feed added": (b"a\nb", b"a\nb\n"),
    "no line feed removed": (b"a\nb\n", b"a\nb"),
    "no line feed on both": (b"a\nb", b"a\nc"),
    "emptied": (b"a\n", b""),
    "filled": (b"", b"a"),
    "crlf": (b"a\r\nb\r\n", b"a\r\nc\r\n"),
    "to crlf": (b"a\nb\n", b"a\r\nb\r\n"),
    "bare cr": (b"a\rb\n", b"a\rc\n"),
    "not utf-8": (b"\xff\n", b"\xfe\n"),
    "binary": (bytes(range(256)) * 20, bytes(reversed(range(256))) * 20),
    "binary added": (None, b"\0" * 1000),
    "binary deleted": (b"\0\1\2", None),
    "text to binary": (b"text\n", b"te\0xt\n"),
    "headers inside": (b"--- a/x\n+++ b/x\n", b"@@ -1 +1 @@\ndiff --git a/x b/x\n"),
    "trailing blanks": (b"a \n\t\n", b"a\t \n\n\n"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_git_takes_every_kind_of_content(repository, change, blobs, name):
    git_apply(repository, [change(*CONTENTS[name], path=b"dir/file")], blobs)


NAMES = [b"with blank", b'quo"te', b"back\\slash", b"new\nline", b"tab\tb", b"e\x1b[2J", b"\xff\xfe", "é日本".encode(),
         b"-rf", b"a b/c d", b"x\n+++ b/ok.py", b"'", b" lead", b"trail "]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_v09_git_takes_every_name_and_none_forges_a_header(repository, change, blobs, name):
    found = [change(b"old\n", b"new\n", path=name)]
    git_apply(repository, found, blobs)
    (repository / "x").mkdir(exist_ok=True)
    git_apply(repository, [change(None, b"\0", path=b"y/" + name), change(b"m", b"m", name + b"m", False, True)], blobs)
    assert unified(found, blobs).count(b"\n+++ ") == 1


def test_git_takes_modes_links_and_changes_of_type(repository, change, blobs):
    git_apply(
        repository,
        [
            change(b"x\n", b"x\n", b"on", False, True),
            change(b"x\n", b"x\n", b"off", True, False),
            change(b"x\n", b"y\n", b"both", False, True),
            change(None, b"x\n", b"tool", False, True),
            Change(b"link", None, Link(b"on")),
            Change(b"gone", Link(b"on"), None),
            Change(b"turned", Link(b"on"), Link(b"off")),
            Change(b"to link", blobs.put(b"file\n"), Link(b"off")),
            Change(b"to file", Link(b"off"), blobs.put(b"file\n")),
        ],
        blobs,
    )


def test_git_takes_a_folder_that_becomes_a_file_and_back(repository, change, blobs):
    lay_out(repository, b"keep", blobs.put(b""), blobs)
    found = [
        Change(b"d", Directory(), blobs.put(b"file\n")),
        change(b"x\n", None, b"d/x"),
    ]
    lay_out(repository, b"d/x", found[1].before, blobs)
    subprocess.run(["git", "apply", "-"], cwd=repository, input=unified(found, blobs), check=True)
    assert (repository / "d").read_text() == "file\n"


LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"\n", b"a", b"x\r\n", b"\xff\n"]), max_size=30).map(b"".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=LINES, new=LINES)
def test_git_makes_of_any_text_what_we_said(repository, change, blobs, old, new):
    found = change(old, new)
    if old != new:
        git_apply(repository, [found], blobs)
    shown = file_diff(found, blobs)
    assert counts(found, blobs) == (shown.added, shown.removed)


def test_a_hostile_text_does_not_stall_the_review(change, blobs):
    old = b"".join(b"%d\n" % (number % 7) for number in range(30_000))
    new = b"".join(b"%d\n" % (number % 11) for number in range(30_000))
    start = time.monotonic()
    found = file_diff(change(old, new), blobs)
    assert time.monotonic() - start < 20
    assert found.added - found.removed == 0
