"""Rows and trees as values: every line once, in place, as wide as asked, whatever is in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.screen.lexing import pieces
from cli.screen.review.lines import MOST_ROWS, Kind, Row, middle, side_by_side, unified
from cli.screen.review.listing import Section, listing
from cli.screen.review.paint import Extra, Look, paint, shown
from cli.screen.review.state import Item
from cli.screen.review.tree import shortened
from sandbox.changes import Change, File
from sandbox.gate.blobs import Blobs
from sandbox.gate.diff import FileDiff, Hunk, file_diff
from tests.cli.test_screen import HOSTILE

A, B = File("a" * 64, 1), File("b" * 64, 2)
texts = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"\n", b"end"]), max_size=20).map(b"".join)


@pytest.fixture(scope="module")
def diff_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blobs")

    def make(old, new):
        blobs = Blobs(folder)
        return file_diff(Change(b"x", blobs.put(old), blobs.put(new)), blobs)

    return make


@settings(max_examples=40, deadline=None)
@given(old=texts, new=texts)
def test_both_views_hold_every_line_of_the_diff_once_and_under_its_number(diff_of, old, new):
    diff = diff_of(old, new)
    one, two = unified(diff), side_by_side(diff)
    assert (one.is_whole, two.is_whole) == (True, True)
    gone = [row.left for row in one.rows if row.kind is Kind.GONE]
    come = [row.left for row in one.rows if row.kind is Kind.COME]
    assert gone == [line for hunk in diff.hunks for tag, line in hunk.lines if tag == "-"]
    assert come == [line for hunk in diff.hunks for tag, line in hunk.lines if tag == "+"]
    assert gone == [row.left for row in two.rows if row.kind in (Kind.GONE, Kind.PAIR)]
    assert come == [row.right for row in two.rows if row.kind in (Kind.COME, Kind.PAIR)]
    old_lines, new_lines = old.split(b"\n"), new.split(b"\n")
    for row in one.rows:
        if row.kind is not Kind.HUNK:
            assert not row.old or old_lines[row.old - 1] == row.left.rstrip(b"\n")
            assert not row.new or new_lines[row.new - 1] == row.left.rstrip(b"\n")
    for row in two.rows:
        if row.kind is not Kind.HUNK:
            assert not row.old or old_lines[row.old - 1] == row.left.rstrip(b"\n")
            assert not row.new or new_lines[row.new - 1] == row.right.rstrip(b"\n")
    assert [one.rows[start].hunk for start in one.starts] == list(range(1, len(diff.hunks) + 1))


def test_v11_what_is_too_long_is_cut_and_says_so():
    lines = tuple(("+", b"x\n") for _ in range(MOST_ROWS + 5))
    found = unified(FileDiff(b"x", (Hunk(0, 0, 1, len(lines), lines),), len(lines), 0, False, ()))
    assert not found.is_whole
    assert (len(found.rows), found.rows[-1].kind) == (MOST_ROWS + 1, Kind.CUT)


def test_v11_a_line_too_long_to_scroll_through_is_not_the_whole():
    for length, is_whole in ((10_000, True), (10_001, False)):
        lines = (("+", b"x" * length),)
        assert unified(FileDiff(b"x", (Hunk(0, 0, 1, 1, lines),), 1, 0, False, ())).is_whole is is_whole


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("return a+b", "return a + b", ((8, 9), (8, 11))),
        ("same", "same", ((4, 4), (4, 4))),
        ("abc", "xyz", ((0, 0), (0, 0))),
    ],
)
def test_what_differs_in_a_line_is_marked_if_most_of_it_is_the_same(old, new, found):
    assert middle(old, new) == found


rows = st.builds(
    Row,
    st.sampled_from([Kind.SAME, Kind.GONE, Kind.COME, Kind.PAIR]),
    st.just(1),
    st.integers(0, 9999),
    st.integers(0, 9999),
    st.binary(max_size=60) | st.sampled_from(HOSTILE).map(lambda text: text.encode("utf-8", "surrogateescape")),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@settings(max_examples=40, deadline=None)
@given(row=rows, width=st.integers(30, 200), column=st.integers(0, 80), is_split=st.booleans())
def test_v03_v20_a_line_is_printable_and_exactly_as_wide_as_asked(row, width, column, is_split):
    found = paint(row, Look(width, 4, column, is_split or row.kind is Kind.PAIR, "a"), Extra(True))
    text = "".join(piece.text for piece in found)
    assert text.isprintable()
    assert cell_len(text) == width


def test_a_line_that_goes_on_is_marked_at_both_ends():
    row = Row(Kind.COME, 1, 0, 1, b"0123456789" * 20)
    plain = "".join(piece.text for piece in paint(row, Look(60, 2), Extra()))
    moved = "".join(piece.text for piece in paint(row, Look(60, 2, 16), Extra()))
    assert plain.endswith("…")
    assert "01234" in plain
    assert moved.count("…") == 2


def test_v05_lines_end_at_newlines_only_and_tabs_keep_their_place():
    assert shown(b"a\tb\n") == "a       b"
    assert shown(b"x = 1\r# hidden\n") == "x = 1\\x0d# hidden"


@pytest.mark.parametrize("name", ["x", "a" * 50, "long-name-with-an-end.py", "日本語" * 10])
@pytest.mark.parametrize("room", [0, 1, 3, 8, 20])
def test_names_are_cut_to_the_column(name, room):
    assert cell_len(shortened(name, room)) == room


def item(path, **more):
    return Item(Change(path, A, B), **more)


def drawn(found):
    return [(row.depth, row.label, row.item is not None) for row in found.rows]


def test_the_tree_shares_rows_where_nothing_branches():
    found = listing([item(b"a/b/c/1"), item(b"a/b/c/2"), item(b"a/d/3"), item(b"z")], "name", ())
    assert drawn(found) == [
        (0, b"changes", False),
        (0, b"a", False),
        (1, b"b/c", False),
        (2, b"1", True),
        (2, b"2", True),
        (1, b"d", False),
        (2, b"3", True),
        (0, b"z", True),
    ]
    assert [(row.first, row.last) for row in found.rows if row.item is None] == [(0, 4), (0, 3), (0, 2), (2, 3)]


def test_names_that_begin_alike_are_not_folders_of_each_other():
    found = listing([item(b"ab/1"), item(b"a/1"), item(b"abc")], "name", ())
    assert [row.path for row in found.rows] == [b"", b"a", b"a/1", b"ab", b"ab/1", b"abc"]


def test_a_closed_folder_hides_what_is_below_and_nothing_else():
    items = [item(b"a/b/1"), item(b"a/c/2"), item(b"z/3")]
    found = listing(items, "name", {(Section.ALL, b"a")})
    assert [row.path for row in found.rows] == [b"", b"a", b"z", b"z/3"]
    assert len(found.leaves) == 3


def test_what_needs_a_look_has_a_section_of_its_own():
    found = listing([item(b"a"), item(b"b", needs_look=True)], "look", ())
    assert [row.label for row in found.rows] == [b"needs a look", b"b", b"ordinary", b"a"]


paths = st.lists(st.lists(st.sampled_from([b"a", b"b", b"ab", b"c"]), min_size=1, max_size=6), max_size=30)


@settings(max_examples=40, deadline=None)
@given(paths=paths)
def test_every_change_has_one_row_below_its_own_folders(paths):
    names = {b"/".join(parts) for parts in paths}
    names = {name for name in names if not any(other.startswith(name + b"/") for other in names)}
    found = listing([item(name) for name in names], "name", ())
    assert sorted(row.path for row in found.rows if row.item is not None) == sorted(names)
    above = []
    for row in found.rows[1:]:
        above = above[: row.depth]
        assert row.depth == len(above)
        assert b"/".join([*above, row.label]) == row.path
        if row.item is None:
            above.append(row.label)


def test_three_thousand_levels_are_a_row():
    deep = b"/".join([b"d"] * 3000)
    found = listing([item(deep + b"/1"), item(deep + b"/2")], "name", ())
    assert len(found.rows) == 4


def test_colours_are_told_by_the_files_name_and_stay_in_their_lines():
    found = pieces("x.py", 'def f():\n    """a\n    b"""\n    return 1')
    assert [bool(line) for line in found] == [True, True, True, True]
    assert all(0 <= first < last <= 12 for line in found for first, last, _, _ in line)
    assert pieces("x.unknown", "def f(): ...") == [[]]
