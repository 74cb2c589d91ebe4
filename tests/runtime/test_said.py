"""The model's last words, from the end of a transcript that may hold anything."""

import json

from runtime.said import LOOKED_AT, last_words


def answer(*content, **fields):
    message = {"role": "assistant", "content": list(content)}
    return {"type": "assistant", "uuid": "u", "parentUuid": None, "message": message, **fields}


def written(path, *records, end=b""):
    path.write_bytes(b"".join(json.dumps(record).encode() + b"\n" for record in records) + end)
    return path


def test_the_newest_answer_with_text_is_taken(tmp_path):
    path = written(
        tmp_path / "t",
        answer({"type": "text", "text": "first"}),
        answer(
            {"type": "text", "text": " one "}, {"type": "tool_use", "name": "Bash"}, {"type": "text", "text": "two"}
        ),
        answer({"type": "tool_use", "name": "Bash"}),
        {"type": "user", "message": {"role": "user", "content": "not the model"}},
    )
    assert last_words(path) == "one \ntwo"


def test_what_was_given_up_or_said_aside_is_not(tmp_path):
    path = written(
        tmp_path / "t",
        answer({"type": "text", "text": "kept"}),
        answer({"type": "text", "text": "given up"}, abandoned=True),
        answer({"type": "text", "text": "aside"}, isSidechain=True),
    )
    assert last_words(path) == "kept"


def test_damage_is_passed_over(tmp_path):
    path = written(tmp_path / "t", answer({"type": "text", "text": "whole"}), end=b'\xff{"type": "assist\n[1]\n"x')
    assert last_words(path) == "whole"


def test_a_flood_before_the_end_costs_nothing(tmp_path):
    path = written(tmp_path / "t", answer({"type": "text", "text": "x" * 2 * LOOKED_AT}), answer("no block", 7, None))
    assert last_words(path) == ""


def test_without_a_transcript_nothing_was_said(tmp_path):
    assert last_words(tmp_path / "none") == ""
