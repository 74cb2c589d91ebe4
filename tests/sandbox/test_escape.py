"""Nothing that acts on a terminal, or hides from a reader, comes out; and everything can be read back."""

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.escape import alarms, escape, unescape

# What turns up in hostile text: controls, both spellings of escapes, backslashes before anything.
TRICKY = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\\xuU0123456789abcdefn\x1b\x9b\u202e\udcff")))


@given(TRICKY)
def test_v20_text_can_be_read_back(text):
    assert unescape(escape(text)) == text


@given(TRICKY)
def test_v20_text_with_tabs_can_be_read_back(text):
    assert unescape(escape(text, tabs=True)) == text


@given(st.binary())
def test_v20_bytes_can_be_read_back(data):
    assert unescape(escape(data)).encode("utf-8", "surrogateescape") == data


@given(st.one_of(TRICKY, st.binary()))
def test_v20_only_printable_characters_come_out(text):
    assert escape(text).isprintable()


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b\x9b[]0123456789;mJHAP\\\x07\r\n\t\b"))))
def test_v03_a_terminal_only_draws_what_comes_out(text):
    screen, reference = pyte.Screen(200, 5), pyte.Screen(200, 5)
    pyte.Stream(screen).feed(escape(text[:20]))
    assert (screen.mode, screen.title, screen.icon_name) == (reference.mode, reference.title, reference.icon_name)
    assert screen.cursor.attrs == reference.cursor.attrs
    assert screen.cursor.y == 0


@pytest.mark.parametrize(
    "attack",
    [
        "ok()\x1b[1A\x1b[2Kevil()",
        "\x1b[8mhidden",
        "\x9b31mred",
        "\x1bP1$r0m\x1b\\",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
        "\x1b]0;title\x07",
        "\x1b[6n",
        "\x1bc",
        "\x1b[?1049h",
    ],
)
def test_v03_control_sequences_are_drawn_letter_by_letter(attack):
    screen = pyte.Screen(120, 3)
    pyte.Stream(screen).feed(escape(attack))
    assert screen.display[0].rstrip() == escape(attack).rstrip()
    assert screen.display[1:] == [" " * 120] * 2
    assert (screen.title, screen.cursor.attrs) == ("", pyte.Screen(1, 1).cursor.attrs)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[1A", "a\\x1b[1A"),
        ("x = 1\r# hidden", "x = 1\\x0d# hidden"),
        ("\x00\x08\x0b\x0c\x1c\x7f", "\\x00\\x08\\x0b\\x0c\\x1c\\x7f"),
        ("\x85\x9b", "\\u0085\\u009b"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("a\u200bb\u200d\ufeff", "a\\u200bb\\u200d\\ufeff"),
        ("\U000e0041\ufe0f\U000e0100", "\\U000e0041\\ufe0f\\U000e0100"),
        ("\u3164\u115f\uffa0\u2800", "\\u3164\\u115f\\uffa0\\u2800"),
        ("two\nlines\t", "two\\x0alines\\x09"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"caf\xe9", "caf\\xe9"),
        ("\udcff", "\\xff"),
    ],
)
def test_v05_v06_what_hides_is_spelled_out(text, shown):
    assert escape(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "plain ASCII, with 'quotes' and \"more\"",
        'print("a\\n\\tb")',
        "C:\\users\\new",
        "\\\\server\\share",
        "regex \\d+\\.\\w",
        "é ü ñ ÅÅ",
        "e\u0301 n\u0303",
        "日本語 한국어 Ελληνικά Русский עברית عربى हिन्दी",
        "🎉 🚀 →",
        "[link=file:///etc]x[/link] {0} %s <script>",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    assert escape(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\\x1b", "\\\\x1b"),
        ("\x1b", "\\x1b"),
        ("\\\x1b", "\\\\\\x1b"),
        ("\\\\x1b", "\\\\\\\\x1b"),
        ("\\u202e is text", "\\\\u202e is text"),
        ("\\xZZ", "\\xZZ"),
        ("\\X1B", "\\X1B"),
    ],
)
def test_text_that_looks_like_an_escape_is_told_from_one(text, shown):
    assert escape(text) == shown
    assert unescape(shown) == text


def test_tabs_stay_only_where_they_are_asked_for():
    assert escape("a\tb", tabs=True) == "a\tb"


def test_a_combining_mark_cannot_change_what_stands_before_the_text():
    assert escape("\u0338x") == "\\u0338x"


def test_a_tower_of_combining_marks_is_cut_short():
    assert escape("e" + "\u0301" * 6) == "e" + "\u0301" * 4 + "\\u0301" * 2


def test_alarms_name_what_deserves_a_warning():
    assert alarms("plain\tand\nlines é 日本 🎉") == ()
    assert len(alarms("\u202e")) == 1
    assert len(alarms("a\u200bb")) == 1
    assert len(alarms(b"\x1b[2J")) == 1
    assert len(alarms("\u2066\u200b\x9b")) == 3


def test_alarms_are_about_what_is_new():
    assert alarms("\u202e", before="\u202e") == ()
    assert len(alarms("\u202e\u202e", before="\u202e")) == 1
    assert len(alarms("\u202e\u2066", before="\u202e\u202e")) == 1


def test_a_carriage_return_is_an_alarm_only_where_it_hides_something():
    assert alarms("one\r\ntwo\r\n") == ()
    assert len(alarms("x = 1\r# hidden\n")) == 1
