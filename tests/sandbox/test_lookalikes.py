"""Words that look like others are told; what people write in their own alphabets is not."""

import time

import pytest

from sandbox.escape import alarms
from sandbox.lookalikes import lookalikes, spelled


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\u0440\u0430ypal", ["\\u0440\\u0430ypal"]),
        ("def sc\u043epe(x): return sc\u043epe", ["sc\\u043epe"]),
        ("https://\u0430\u0440\u0440\u04cf\u0435.com/x", ["\\u0430\\u0440\\u0440\\u04cf\\u0435"]),
        ("os.\u043eren()", ["\\u043eren"]),
        ("is_\u0455\u0430f\u0435", ["is_\\u0455\\u0430f\\u0435"]),
        ("\u0391dmin and \u0578ame", ["\\u0391dmin", "\\u0578ame"]),
        ("fo\u217e()", ["fo\\u217e"]),
        ("\U0001d41e\U0001d42f\U0001d41a\U0001d425(1)", ["\\U0001d41e\\U0001d42f\\U0001d41a\\U0001d425"]),
    ],
)
def test_v07_words_that_look_like_others_are_found(text, words):
    assert [spelled(word) for word in lookalikes(text)] == words


@pytest.mark.parametrize(
    "text",
    [
        "plain ASCII, na\u00efve \u00e9\u00fc\u00f1, \ufb01nal, \u0131\u015f\u0131k",
        "Привет, мир: сор, оса, еж и рак",
        "SQL-запрос на 10кг, Git'ом, commitить, файл.txt",
        "Ελληνικά: Α Β Γ, Δx = λ·y, π_r, kΩ, μs",
        "Հայերեն ᏣᎳᎩ 日本語 한국어 עברית عربى हिन्दी",
        "Kapitel Ⅳ, 🎉 → ∑ x²",
    ],
)
def test_v07_ordinary_text_of_any_alphabet_stays_quiet(text):
    assert lookalikes(text) == ()
    assert alarms(text) == ()


def test_the_alarm_names_the_first_words_and_counts_the_rest():
    (alarm,) = alarms(" ".join(f"\u0430b{number}" for number in range(5)))
    assert alarm.endswith(": \\u0430b0, \\u0430b1, \\u0430b2 and 2 more")


def test_a_word_that_was_there_before_hides_no_new_one():
    (alarm,) = alarms("\u0430b \u043ek", before="\u0430b")
    assert alarm.endswith(": \\u043ek")


def test_a_hostile_text_is_read_in_a_moment():
    began = time.perf_counter()
    lookalikes("a" * 2_000_000 + "\u0430")
    lookalikes("\u0430." * 200_000)
    assert time.perf_counter() - began < 5
