"""How much changed: bars that fit, sums that add up, and words for what has no lines."""

import io

import pytest

from cli.screen.items import items
from cli.screen.stat import names, show_stat
from cli.screen.terminal import Terminal
from sandbox.changes import Change, Directory, File, Link
from sandbox.gate.blobs import Blobs


@pytest.fixture
def blobs(tmp_path):
    (tmp_path / "blobs").mkdir()
    return Blobs(tmp_path / "blobs")


def shown(changes, blobs):
    stream = io.StringIO()
    show_stat(items(changes, blobs), blobs, Terminal(stream))
    return stream.getvalue().splitlines()


def text(number, word=b"x"):
    return b"".join(b"%s %d\n" % (word, line) for line in range(number))


def test_lines_are_drawn_as_bars_and_summed_up(blobs):
    changes = [Change(b"a.py", blobs.put(text(3)), blobs.put(text(5))), Change(b"new.py", None, blobs.put(text(4)))]
    assert shown(changes, blobs) == [
        " a.py   | 2 ++",
        " new.py | 4 ++++",
        " 2 files changed, 6 insertions(+)",
    ]


def test_a_deletion_is_counted_as_one(blobs):
    assert shown([Change(b"a", blobs.put(text(2)), None)], blobs) == [
        " a | 2 --",
        " 1 file changed, 2 deletions(-), 1 deleted",
    ]


def test_bars_are_scaled_to_the_width_and_one_line_stays_visible(blobs):
    big = Change(b"big", blobs.put(text(5000)), blobs.put(text(9000, b"y")))
    small = Change(b"small", None, blobs.put(b"x\n"))
    rows = shown([big, small], blobs)
    assert max(map(len, rows)) <= 80
    assert rows[0].count("+") > rows[0].count("-") > 20
    assert rows[1] == " small |     1 +"


def test_what_has_no_lines_is_said_in_words(blobs):
    plain = blobs.put(b"x\n")
    rows = shown(
        [
            Change(b"empty", None, Directory()),
            Change(b"gone", Directory(), None),
            Change(b"link", None, Link(b"a")),
            Change(b"logo", blobs.put(b"\0"), blobs.put(b"\0\1")),
            Change(b"run", plain, File(plain.digest, plain.size, executable=True)),
            Change(b"type", blobs.put(b"y\n"), Link(b"a")),
        ],
        blobs,
    )
    assert rows == [
        " empty/ | new empty folder",
        " gone/  | folder deleted",
        " link   | link to a",
        " logo   | binary, 1 byte → 2 bytes",
        " run    | now executable",
        " type   | 2 +-  was a file, becomes a link",
        " 6 files changed, 1 insertion(+), 1 deletion(-), 1 deleted, 5 without lines to count",
    ]


def test_a_rename_is_one_row_with_both_names(blobs):
    old, new = blobs.put(text(50)), blobs.put(text(50) + b"more\n")
    assert shown([Change(b"a.py", old, None), Change(b"b.py", None, new)], blobs) == [
        " a.py → b.py (97 %) | 1 +",
        " 1 file changed, 1 insertion(+), 1 renamed",
    ]


def test_a_name_too_long_for_the_width_is_whole_and_no_bar_is_lost(blobs):
    rows = shown([Change(b"n" * 100, None, blobs.put(b"x\n")), Change(b"s", None, blobs.put(b"y\n"))], blobs)
    assert rows == [f" {'n' * 100}", "   | 1 +", " s | 1 +", " 2 files changed, 2 insertions(+)"]


def test_names_are_quoted_as_git_does_or_raw(blobs):
    file = blobs.put(b"x")
    changes = [
        Change(b"a\n\xff", None, file),
        Change(b"b", file, None),
        Change(b"c", file, File(file.digest, file.size, executable=True)),
        Change(b"d", file, Link(b"b")),
        Change(b"e", None, Directory()),
    ]
    assert b"".join(names(changes, raw=False)) == b'A\t"a\\n\\377"\nD\tb\nM\tc\nT\td\nA\te/\n'
    assert b"".join(names(changes, raw=True)) == b"A\0a\n\xff\0D\0b\0M\0c\0T\0d\0A\0e/\0"
