"""A history the API accepts, out of whatever a transcript holds."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runtime.history import LOST, OPENING, history
from runtime.transcript import Entry

MODEL = "claude-sonnet-5-5"


def entry(role: str, *content: Any, **message: Any) -> Entry:
    blocks = [{"type": "text", "text": block} if isinstance(block, str) else block for block in content]
    return Entry("u", None, role, {"message": {"role": role, "content": blocks, "model": MODEL, **message}})


def use(identity: str, name: str = "LS") -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": name, "input": {}}


def answer(identity: str, text: str = "ok") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": identity, "content": text}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def lost(identity: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": identity, "content": LOST, "is_error": True}


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    assert history(
        [entry("user", "go"), entry("assistant", use("1"), use("2")), entry("user", answer("1"))], model=MODEL
    )[-1]["content"] == [answer("1"), lost("2")]


def test_a_call_at_the_very_end_gets_one_too() -> None:
    assert history([entry("user", "go"), entry("assistant", use("1"))], model=MODEL)[-1]["content"] == [lost("1")]


def test_a_result_without_a_call_is_dropped() -> None:
    messages = history([entry("user", "go"), entry("assistant", "hm"), entry("user", answer("x"), "more")], model=MODEL)
    assert messages[-1] == {"role": "user", "content": [text("more")]}


def test_results_in_records_of_their_own_become_one_message_in_the_order_of_the_calls() -> None:
    chain = [
        entry("user", "go"),
        entry("assistant", use("1"), use("2")),
        entry("user", answer("2")),
        entry("user", answer("1")),
    ]
    assert history(chain, model=MODEL)[-1]["content"] == [answer("1"), answer("2")]


def test_a_second_call_or_result_of_one_id_is_dropped() -> None:
    chain = [
        entry("user", "go"),
        entry("assistant", use("1"), use("1", "Bash")),
        entry("user", answer("1", "first"), answer("1", "second")),
        entry("assistant", use("1"), "text"),
    ]
    messages = history(chain, model=MODEL)
    assert messages[1]["content"] == [use("1")]
    assert messages[2]["content"] == [answer("1", "first")]
    assert messages[3]["content"] == [text("text")]


def test_a_conversation_begins_with_the_user() -> None:
    assert history([entry("assistant", "hi")], model=MODEL)[0] == {"role": "user", "content": [text(OPENING)]}


def test_empty_text_and_broken_blocks_are_dropped() -> None:
    odd = [{"type": "text", "text": " \n"}, {"no": "type"}, {"type": "tool_use", "id": "1", "name": "LS", "input": "x"}]
    assert history([entry("user", "go"), entry("assistant", *odd)], model=MODEL) == [
        {"role": "user", "content": [text("go")]}
    ]


def test_another_models_thinking_is_not_sent_to_this_one() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    chain = [entry("user", "go"), entry("assistant", thought, "hi", model="claude-opus-5-5"), entry("user", "and")]
    assert history(chain, model=MODEL)[1]["content"] == [text("hi")]
    assert history(chain, model="claude-opus-5-5")[1]["content"] == [thought, text("hi")]
    assert history(chain, model="claude-opus-5-5-20260901")[1]["content"] == [thought, text("hi")]


def test_an_answer_that_was_refused_is_not_sent_again() -> None:
    chain = [entry("user", "go"), entry("assistant", "I can", stop_reason="refusal")]
    assert [message["role"] for message in history(chain, model=MODEL)] == ["user"]


def test_lone_surrogates_are_replaced() -> None:
    (message,) = history([entry("user", "a\ud800b"), entry("user", {"type": "image", "x": ["\udfff"]})], model=MODEL)
    assert message["content"] == [text("a\ufffdb"), {"type": "image", "x": ["\ufffd"]}]


blocks = some.one_of(
    some.builds(text, some.sampled_from(["", " ", "x", "\ud800"])),
    some.builds(use, some.sampled_from("123")),
    some.builds(answer, some.sampled_from("123")),
    some.sampled_from([{}, {"type": None}, {"type": "thinking", "thinking": "", "signature": ""}, 7, None]),
)
entries = some.builds(
    lambda role, content, model: Entry(
        "u", None, role, {"message": {"role": role, "content": content, "model": model}}
    ),
    some.sampled_from(["user", "assistant"]),
    some.one_of(some.lists(blocks, max_size=4), some.text(max_size=3), some.none()),
    some.sampled_from([MODEL, "other", None]),
)


@given(some.lists(entries, max_size=12))
def test_whatever_the_transcript_holds_the_history_follows_the_rules_of_the_api(chain: list[Entry]) -> None:
    messages = history(chain, model=MODEL)
    assert all(one["role"] != other["role"] for one, other in pairwise(messages))
    assert not messages or messages[0]["role"] == "user"
    asked: list[str] = []
    used: set[str] = set()
    for message in messages:
        assert message["content"]
        kinds = [block["type"] for block in message["content"]]
        results = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        assert results == asked
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        asked = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        assert not asked or message["role"] == "assistant"
        assert len(set(asked)) == len(asked)
        assert not used & set(asked)
        used.update(asked)
    assert not asked


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_a_message_that_is_no_message_is_no_part_of_it(role: str) -> None:
    assert history([Entry("u", None, role, {"message": {"content": 7}})], model=MODEL) == []
