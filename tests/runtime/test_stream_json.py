"""stream-json: the fields and values that readers of such streams rely on."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from runtime.events import (
    AssistantMessage,
    Denied,
    Event,
    Finished,
    LimitsReached,
    Notice,
    Outcome,
    Partial,
    Retrying,
    Started,
    TextDelta,
    ToolOutput,
    Usage,
    UserMessage,
)
from runtime.stream_json import lines
from sandbox.limits import LimitReached
from tests.runtime.stage import play

ID = "11111111-2222-4333-8444-555555555555"


def shown(event: Event) -> list[dict[str, Any]]:
    numbers: Iterator[int] = count(1)
    return list(lines(event, session_id="s", new_id=lambda: f"id-{next(numbers)}"))


def test_init_lists_what_there_is() -> None:
    (line,) = shown(Started("s", "/repo", "m", "plan", ["Bash"]))
    assert line == {
        "type": "system",
        "subtype": "init",
        "session_id": "s",
        "uuid": "id-1",
        "cwd": "/repo",
        "tools": ["Bash"],
        "mcp_servers": [],
        "model": "m",
        "permissionMode": "plan",
        "slash_commands": [],
        "apiKeySource": "none",
        "output_style": "default",
        "agents": [],
        "skills": [],
        "plugins": [],
    }


def test_an_answer_is_one_line_for_each_block_each_with_a_uuid_of_its_own() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "t", "name": "LS", "input": {}}]
    message = {"id": "m", "role": "assistant", "content": blocks, "stop_reason": "tool_use", "stop_sequence": None}
    event = AssistantMessage(ID, message)
    first, second = shown(event)
    assert first == {
        "type": "assistant",
        "message": {**message, "content": [blocks[0]], "stop_reason": None},
        "parent_tool_use_id": None,
        "session_id": "s",
        "uuid": ID,
    }
    assert second["message"]["content"] == [blocks[1]]
    assert second["uuid"] != ID
    assert shown(event)[1]["uuid"] == second["uuid"]


def test_an_answer_that_was_cut_is_marked() -> None:
    (line,) = shown(AssistantMessage(ID, {"content": [{"type": "text", "text": "a"}]}, aborted=True))
    assert line["aborted"] is True


def test_a_result_of_a_tool_carries_its_structure() -> None:
    message = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}
    (line,) = shown(UserMessage(ID, message, {"stdout": "x"}))
    assert line == {
        "type": "user",
        "message": message,
        "parent_tool_use_id": None,
        "session_id": "s",
        "uuid": ID,
        "tool_use_result": {"stdout": "x"},
    }


def test_retries_notices_and_refusals_are_system_lines() -> None:
    assert shown(Retrying(1, 4, 0.5, 529, "busy"))[0] | {"uuid": 0} == {
        "type": "system",
        "subtype": "api_retry",
        "session_id": "s",
        "uuid": 0,
        "attempt": 1,
        "max_retries": 4,
        "retry_delay_ms": 500,
        "error_status": 529,
        "error": "busy",
    }
    assert shown(Notice("hm", "warning"))[0]["subtype"] == "informational"
    assert shown(Denied("t", "Bash", {}, "no"))[0]["tool_use_id"] == "t"


def test_limits_that_were_reached_are_system_lines_and_counted_in_the_result() -> None:
    limits = [LimitReached("memory", 4 * 1024**3), LimitReached("/tmp", 1024**3)]
    assert [line | {"uuid": 0} for line in shown(LimitsReached("t", limits))] == [
        {
            "type": "system",
            "subtype": "limit_reached",
            "session_id": "s",
            "uuid": 0,
            "tool_use_id": "t",
            "name": name,
            "limit": limit,
            "message": message,
        }
        for name, limit, message in (
            ("memory", 4 * 1024**3, "memory limit 4 GiB reached"),
            ("/tmp", 1024**3, "/tmp is full (1 GiB)"),
        )
    ]
    ended = Finished("success", "", 1, 1.0, 1.0, Usage(), "m", limits={"memory": 2})
    assert shown(ended)[0]["limits_reached"] == {"memory": 2}


def test_raw_events_are_passed_on_and_the_rest_is_for_people() -> None:
    assert shown(Partial({"type": "ping"}))[0]["event"] == {"type": "ping"}
    assert shown(TextDelta("a")) == []
    assert shown(ToolOutput("t", "stdout", b"\x1b[0m")) == []


@pytest.mark.parametrize(
    ("outcome", "subtype"),
    [
        ("success", "success"),
        ("max-turns", "error_max_turns"),
        ("max-budget", "error_max_budget_usd"),
        ("interrupted", "error_during_execution"),
        ("failed", "error_during_execution"),
    ],
)
def test_the_result_says_how_it_ended(outcome: Outcome, subtype: str) -> None:
    denied = Denied("t", "Bash", {"command": "ls"}, "no")
    (line,) = shown(Finished(outcome, "text", 2, 1.5, 1.0, Usage(1, 2, 3, 4, 0.5), "m", "end_turn", "why", [denied]))
    assert (line["type"], line["subtype"], line["is_error"]) == ("result", subtype, outcome != "success")
    assert (line["duration_ms"], line["duration_api_ms"], line["num_turns"]) == (1500, 1000, 2)
    assert (line["result"], line["total_cost_usd"], line["stop_reason"]) == ("text", 0.5, "end_turn")
    assert line["usage"] == {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 4,
    }
    assert line["modelUsage"]["m"]["costUSD"] == 0.5
    assert line["permission_denials"] == [{"tool_name": "Bash", "tool_use_id": "t", "tool_input": {"command": "ls"}}]
    assert line.get("errors") == (None if outcome == "success" else ["why"])


def test_a_whole_run_is_in_order_and_every_line_belongs_to_it(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{text: a, tools: [{LS: {path: '{{cwd}}'}}]}, {text: b}]")
    stream = [line for event in place.events for line in lines(event, session_id=place.session.id)]
    kinds = [line["type"] for line in stream if line["type"] != "stream_event"]
    assert kinds == ["system", "user", "assistant", "assistant", "user", "assistant", "result"]
    assert {line["session_id"] for line in stream} == {place.session.id}
    assert len({line["uuid"] for line in stream}) == len(stream)
