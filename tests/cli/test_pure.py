"""Decisions that need nothing but values: the last line, wrapping, bars, policies."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.order import DIALS
from cli.screen.judged import show_notices
from cli.screen.progress import bar
from cli.screen.prose import Prose
from cli.screen.terminal import Terminal
from cli.truth import Applied, Pending, Unchanged, as_json, sentence
from images.image import Progress
from runtime.permissions.policy import Policy

ID = "3f2a9c1b-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (Unchanged(), "host unchanged"),
        (Pending(1, ID), "1 file pending: paddock review 3f2a9c1b"),
        (Pending(3, ID), "3 files pending: paddock review 3f2a9c1b"),
        (Applied(2, ID), "applied 2 files"),
        (Applied(1, ID, 2), "applied 1 file · 2 files pending: paddock review 3f2a9c1b"),
    ],
)
def test_the_last_line(truth, said):
    assert sentence(truth) == said
    assert as_json(truth)["summary"] == said


def test_only_accept_edits_applies_by_itself_and_plan_never_does():
    assert DIALS == {"plan": "never", "acceptEdits": "auto", "default": "ask", "bypassPermissions": "ask"}


@pytest.mark.parametrize(
    ("progress", "drawn"),
    [
        (Progress("x"), ""),
        (Progress("x", 5), "5"),
        (Progress("x", 50, 100, "%"), f"[{'━' * 12}{'─' * 12}]  50%"),
        (Progress("x", 1_000_000, 2_000_000, "B"), f"[{'━' * 12}{'─' * 12}]  50%  1 of 2 MB"),
        (Progress("x", 9, 3, "%"), f"[{'━' * 24}] 100%"),
    ],
)
def test_a_bar_says_how_far_it_is(progress, drawn):
    assert bar(progress) == drawn


def wrapped(text, width, cuts):
    prose = Prose(width)
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return "".join(prose.add(piece) for piece in pieces) + prose.end()


@given(st.text("ab \n", max_size=200), st.integers(5, 30), st.sets(st.integers(0, 200)))
def test_wrapping_loses_no_word_and_does_not_depend_on_how_the_text_arrived(text, width, cuts):
    inside = sorted(cut for cut in cuts if cut <= len(text))
    result = wrapped(text, width, inside)
    assert result.split() == text.split()
    assert result == wrapped(text, width, [])
    assert all(len(line) <= width or " " not in line.strip() for line in result.split("\n"))


def test_code_fences_are_not_broken():
    code = "```\n" + "word " * 40 + "end\n```\n"
    assert wrapped(code, 20, []) == code


def test_p02_the_settings_of_a_repository_fill_no_screen():
    out = io.StringIO()
    show_notices(Policy("/x", notices=tuple(f"n{number}" for number in range(5_000))), Terminal(out))
    lines = out.getvalue().splitlines()
    assert len(lines) == 9
    assert lines[-1] == "  settings: … and 4,992 more: `paddock policy check` names them all"
