"""One change on a screen: numbered hunks, every row under a sign of ours, nothing hidden and nothing cut in silence."""

import io

import pyte
import pytest

from cli.screen.changes import MOST, show_rows
from cli.screen.commits import show_commits
from cli.screen.diffs import Origins, show_diff, show_item
from cli.screen.items import items
from cli.screen.terminal import Terminal
from sandbox.changes import Change, File, Link
from sandbox.commits.look import Brought, Commit
from sandbox.escape import escape
from sandbox.gate.blobs import Blobs


class Tty(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def blobs(tmp_path):
    (tmp_path / "blobs").mkdir()
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def drawn(blobs, monkeypatch):
    """Draws changes, in a pipe or on a terminal of 80 columns; the rows."""
    monkeypatch.setenv("COLUMNS", "80")

    def draw(*changes, tty=False, listed=False, **more):
        stream = Tty() if tty else io.StringIO()
        terminal = Terminal(stream, color=False)
        found = items(changes, blobs)
        if listed:
            show_rows(found, blobs, terminal, most=MOST)
        else:
            for item in found:
                show_item(item, blobs, terminal, **more)
        return stream.getvalue().splitlines()

    return draw


def numbers(*, but=()):
    return b"".join(b"line %d%s\n" % (number, b"!" if number in but else b"") for number in range(1, 41))


def test_hunks_have_the_numbers_that_apply_takes(drawn, blobs):
    rows = drawn(Change(b"a.py", blobs.put(numbers()), blobs.put(numbers(but=(5, 30)))))
    assert rows[0] == "── a.py  (modified, +2 -2)"
    assert [row for row in rows if "@@" in row] == [
        "   hunk 1 of 2  @@ -2,7 +2,7 @@",
        "   hunk 2 of 2  @@ -27,7 +27,7 @@",
    ]


def test_what_cannot_be_chosen_from_has_no_numbers(drawn):
    assert not [row for row in drawn(Change(b"l", None, Link(b"a"))) if row.startswith("   hunk")]


def test_each_hunk_is_headed_by_the_calls_behind_it(drawn, blobs):
    change = Change(b"a.py", blobs.put(numbers()), blobs.put(numbers(but=(5, 30))))
    rows = drawn(change, origins=Origins(hunks=[["↳ Bash one"], ["↳ Edit two", "↳ Bash three"]]))
    heads = [row for row in rows if row.startswith("   ")]
    assert [head.split("  ")[0].strip() or head.strip() for head in heads] == [
        "↳ Bash one", "hunk 1 of 2  @@ -2,7 +2,7 @@", "↳ Edit two", "↳ Bash three", "hunk 2 of 2  @@ -27,7 +27,7 @@",
    ]  # fmt: skip


def test_a_rename_is_drawn_as_the_edit_of_the_old_file(drawn, blobs):
    rows = drawn(Change(b"new.py", None, blobs.put(numbers(but=(5,)))), Change(b"old.py", blobs.put(numbers()), None))
    assert rows[0].startswith("── old.py → new.py (9")
    assert [row for row in rows if row[0] in "+-"] == ["-line 5", "+line 5!"]


def test_a_missing_line_feed_at_the_end_is_shown(drawn, blobs):
    rows = drawn(Change(b"a", blobs.put(b"a"), blobs.put(b"a\n")))
    assert rows[2:] == ["-a", "\\  no line feed at the end", "+a"]


def test_v11_what_is_cut_says_how_much_is_missing(blobs):
    stream = io.StringIO()
    change = Change(b"a", None, blobs.put(b"x\n" * 50_000))
    assert show_diff(change, blobs, Terminal(stream), longest=400) is False
    rows = stream.getvalue().splitlines()
    assert len(rows) == 403
    assert rows[-1] == "   … cut here, 49,600 lines are not shown: `paddock diff` shows them all"
    assert show_diff(change, blobs, Terminal(io.StringIO())) is True


def test_v16_a_long_line_cannot_begin_a_row_of_its_own(drawn, blobs):
    spoof = b"x" * 79 + b"\xe2\x94\x80\xe2\x94\x80 README.md  (deleted)" + b" " * 56 + b"apply all? [y]es [n]o"
    rows = drawn(Change(b"a", None, blobs.put(spoof + b"\n")), tty=True)
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed("\r\n".join(rows))
    assert [row[:2] for row in screen.display if row.strip()] == ["──", "  ", "+x", "+⏎", "+⏎"]
    assert "".join(row[2 if row.startswith("+⏎") else 1 :] for row in rows[2:]) == spoof.decode()


def test_v16_a_long_name_cannot_begin_a_row_of_its_own(drawn, blobs):
    name = b"n" * 74 + b"  M README.md  +1"
    rows = drawn(Change(name, None, blobs.put(b"x\n")), tty=True, listed=True)
    assert all(row.startswith(("  A ", "      ")) for row in rows)
    assert len(rows) > 1


@pytest.mark.parametrize("name", [b"a  +1 -1  deletes", b" a", b"a ", "a → b (100 %)".encode()])
def test_v04_a_name_that_could_pass_for_a_row_is_in_quotes(drawn, blobs, name):
    rows = drawn(Change(name, None, blobs.put(b"x\n")), listed=True)
    assert f"“{name.decode()}”" in rows[0]


HOSTILE = [
    "\x1b[1A\x1b[2Kevil()", "\x1b[8m", "\x9b31m", "\x1bP1$r0m\x1b\\", "\x1b]52;c;aGk=\x07", "\x1b]8;;http://x\x07",
    "a\rb", "\x08\x08", "\u202eevil", "\u2066x", "zero\u200b", "\U000e0041", "\u3164", "\x0b\x0c\x1c\x85\u2028",
    "[link=file:///etc]x[/link] [/] {0} %s <script>",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("tty", [False, True])
def test_v03_v04_v15_no_name_content_or_target_reaches_the_stream_raw(drawn, blobs, text, tty):
    raw = text.encode("utf-8", "surrogateescape")
    old, new = blobs.put(raw + b"\n"), blobs.put(raw + b"2\n")
    changes = (
        Change(raw, old, new),
        Change(b"link-" + raw, None, Link(raw)),
        Change(b"x" + raw, blobs.put(b"\0" + raw), None),
        Change(b"y" + raw, None, File(new.digest, new.size, executable=True)),
    )
    for listed in (False, True):
        shown = "\n".join(drawn(*changes, tty=tty, listed=listed))
        assert [letter for letter in shown if not letter.isprintable() and letter != "\n"] == []
        assert escape(text) in shown


def test_v15_markup_in_a_file_stays_text(drawn, blobs):
    assert "+[bold]x[/bold] {0} %s" in drawn(Change(b"a", None, blobs.put(b"[bold]x[/bold] {0} %s\n")))


def test_v07_a_lookalike_in_an_identifier_is_a_note(drawn, blobs):
    rows = drawn(Change(b"a.py", None, blobs.put("def sc\u043epe(): ...\n".encode())))
    assert "   holds letters that look like Latin ones and are not: sc\\u043epe" in rows
    russian = "# \u043e\u0431\u043b\u0430\u0441\u0442\u044c \u0432\u0438\u0434\u0438\u043c\u043e\u0441\u0442\u0438\n"
    assert not [row for row in drawn(Change(b"b.py", None, blobs.put(russian.encode()))) if "holds" in row]


def test_v07_a_lookalike_in_a_name_is_a_note(drawn, blobs):
    rows = drawn(Change("c\u043enfig.py".encode(), None, blobs.put(b"x\n")))
    assert "   its name holds letters that look like Latin ones and are not: c\\u043enfig" in rows


def test_v12_attributes_in_the_tree_change_nothing_of_what_is_shown(drawn, blobs):
    attributes = Change(b".gitattributes", None, blobs.put(b"*.py -diff linguist-generated diff=evil\n"))
    assert "+evil()" in drawn(attributes, Change(b"a.py", None, blobs.put(b"evil()\n")))


def test_of_very_many_plain_changes_the_rest_is_counted_and_no_deletion_is_cut(drawn, blobs):
    file = blobs.put(b"x\n")
    many = [Change(b"a%04d" % number, None, file) for number in range(1000)]
    gone = [Change(b"gone%03d" % number, blobs.put(b"%d\n" % number), None) for number in range(300)]
    rows = drawn(*many, *gone, listed=True)
    assert sum(row.startswith("  D gone") for row in rows) == 300
    assert sum(row.startswith("  A a") for row in rows) == 200
    assert rows[-1] == "  … and 800 more like these: `paddock diff --stat` has every one"


def test_v04_a_commits_subject_and_author_cannot_act_on_the_terminal(blobs):
    hostile = b"fix\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\r"
    commit = Commit("a" * 40, "b" * 40, (), hostile, None, hostile)
    stream = io.StringIO()
    change = Change(hostile, None, blobs.put(hostile))
    brought = Brought(commit.id, (commit,), (change,), (change,), frozenset({hostile}))
    show_commits(brought, lambda path: (), blobs, Terminal(stream, color=False))
    shown = stream.getvalue()
    assert shown.count(escape(hostile)) == 3
    assert [letter for letter in shown if not letter.isprintable() and letter != "\n"] == []
