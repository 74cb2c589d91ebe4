"""Putting a stream together: whole, in part, and never wrongly."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runtime.answer import Answer
from runtime.errors import BadAnswer

START = {
    "type": "message_start",
    "message": {"id": "m", "role": "assistant", "model": "x", "usage": {"input_tokens": 5}},
}


def block(index: int, kind: str = "text", **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def answered(*events: dict[str, Any]) -> Answer:
    answer = Answer()
    for event in events:
        answer.add(event)
    return answer


def test_a_partial_answer_keeps_its_text_and_asks_for_nothing() -> None:
    answer = answered(
        START,
        block(0, "thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="hm"),
        stop(0),
        block(1, text=""),
        delta(1, "text_delta", text="I will"),
        stop(1),
        block(2, "tool_use", id="t", name="Bash", input={}),
        delta(2, "input_json_delta", partial_json='{"command": "ls"}'),
        stop(2),
    )
    assert not answer.complete
    assert answer.partial["content"] == [{"type": "text", "text": "I will"}]


def test_usage_of_the_end_completes_that_of_the_beginning() -> None:
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 7, "input_tokens": None},
    }
    answer = answered(START, end, {"type": "message_stop"})
    assert (answer.usage, answer.stop_reason, answer.complete) == (
        {"input_tokens": 5, "output_tokens": 7},
        "end_turn",
        True,
    )


def test_an_answer_after_its_end_is_none() -> None:
    answer = answered(START, {"type": "message_stop"})
    with pytest.raises(BadAnswer):
        answer.add(block(0))


def test_a_call_without_input_has_an_empty_one() -> None:
    (call,) = answered(START, block(0, "tool_use", id="t", name="LS", input={}), stop(0)).calls()
    assert (call.input, call.fault) == ({}, "")


def test_a_text_without_text_is_an_empty_one() -> None:
    answer = answered(START, block(0), stop(0))
    assert answer.message["content"] == [{"type": "text", "text": ""}]
    assert answer.partial["content"] == []


@pytest.mark.parametrize("text", ["[1]", '"x"', "null", "{", '{"a": }', "[" * 100_000])
def test_an_input_that_is_no_object_is_a_fault(text: str) -> None:
    start = block(0, "tool_use", id="t", name="LS", input={})
    (call,) = answered(START, start, delta(0, "input_json_delta", partial_json=text), stop(0)).calls()
    assert call.fault


anything = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-2, 3)
    | some.sampled_from(["text", "text_delta", "message_start", ""]),
    lambda inner: (
        some.lists(inner, max_size=2) | some.dictionaries(some.sampled_from(["type", "index", "text"]), inner)
    ),
    max_leaves=6,
)
event = some.dictionaries(some.sampled_from(["index", "delta", "message", "content_block", "usage"]), anything).flatmap(
    lambda fields: some.builds(
        lambda kind: {**fields, "type": kind},
        some.sampled_from(
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
                "other",
            ]
        ),
    )
)


@given(some.lists(event, max_size=8))
def test_whatever_comes_is_put_together_or_refused(events: list[dict[str, Any]]) -> None:
    answer = Answer()
    try:
        for one in (START, *events):
            answer.add(one)
    except BadAnswer:
        return
    assert isinstance(answer.message["content"], list)
    assert isinstance(answer.partial["content"], list)
    assert all(isinstance(call.input, dict) for call in answer.calls())
