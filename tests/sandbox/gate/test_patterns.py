"""Which paths a pattern means: as pathspec, which follows git, reads it; and without its ways to hang."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from sandbox.gate.patterns import BadPattern, Pattern

PARTS = st.sampled_from(["a", "b", "*", "**", "a*", "?", "[ab]", "[!a]", "*.b", "a.b", "a*b*", r"\a", r"\*"])
NAMES = st.sampled_from(["a", "b", "ab", "a.b", "c", "abb", "*", "\n"])
PATTERNS = st.builds(
    lambda parts, front, end: front + "/".join(parts) + end,
    st.lists(PARTS, min_size=1, max_size=4),
    st.sampled_from(["", "", "/"]),
    st.sampled_from(["", "", "/"]),
).filter(lambda text: not text.endswith("**/") and text != "//")


@given(PATTERNS, st.lists(NAMES, min_size=1, max_size=5), st.booleans())
def test_every_answer_is_pathspecs(text, names, is_folder):
    subject = "/".join(names).replace("\n", "x") + "/" * is_folder  # a line break is a letter like any other
    expected = GitIgnoreSpecPattern(text).match_file(subject) is not None
    assert Pattern.parse(text).matches(names, is_folder=is_folder) == expected


@pytest.mark.parametrize(
    ("text", "means", "does_not_mean"),
    [
        ("Makefile", ["Makefile", "sub/Makefile", "Makefile/x"], ["makefile", "Makefile.am"]),
        ("*.lock", ["a.lock", "x/a.lock", ".lock"], ["a.lock.txt"]),
        ("/a.txt", ["a.txt"], ["x/a.txt"]),
        ("src/*.py", ["src/a.py"], ["src/x/a.py", "x/src/a.py"]),
        ("src/**", ["src/a", "src/x/a"], ["x/src/a", "srcs/a", "src"]),
        ("**/src/**", ["src/a", "x/y/src/a"], ["src"]),
        ("a/**/b", ["a/b", "a/x/y/b", "a/b/c"], ["a/xb", "x/a/b"]),
        ("docs/", ["docs/a", "x/docs/a"], ["docs"]),
        ("[!a]x", ["bx"], ["ax"]),
        (r"\#x", ["#x"], ["x"]),
        (r"a\*", ["a*"], ["ab"]),
    ],
)
def test_gitignores_rules(text, means, does_not_mean):
    pattern = Pattern.parse(text)
    assert [path for path in means if not pattern.matches(path.split("/"), is_folder=False)] == []
    assert [path for path in does_not_mean if pattern.matches(path.split("/"), is_folder=False)] == []


def test_a_line_break_in_a_name_hides_nothing():
    assert Pattern.parse("**/src/**").matches(["a\nb", "src", "x"], is_folder=False)
    assert Pattern.parse("**").matches(["\n"], is_folder=False)
    assert not Pattern.parse("*.lock").matches(["x.lock\n"], is_folder=False)


def test_a_pattern_and_a_name_that_were_made_for_it_do_not_keep_it_busy():
    name = "a" * 255
    assert not Pattern.parse("*a" * 40 + "b").matches([name] * 2000, is_folder=False)
    assert not Pattern.parse("**/a/" * 40 + "b").matches(["a"] * 2000, is_folder=False)


@pytest.mark.parametrize(
    "text", ["", "/", "//", "a//b", "#a", "!a", " a", "a ", "a\n", "a\x1b", "\u202ea", "../a", "a/../b", "a\\"]
)
def test_what_could_never_match_or_not_as_meant_is_refused(text):
    with pytest.raises(BadPattern):
        Pattern.parse(text)


@pytest.mark.parametrize(
    ("text", "literal"),
    [("a/b", "a/b"), ("/a", "a"), ("a", "a"), ("a*", ""), ("a?", ""), ("[a]", ""), (r"\a", ""), ("a/", "")],
)
def test_only_a_plain_path_is_spelled_out(text, literal):
    assert Pattern.parse(text).literal == literal
