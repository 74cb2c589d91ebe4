"""Every way a model can fail: each is retried where that helps, and ends in one sentence that says what to do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.events import AssistantMessage, Finished, Retrying, TextDelta, ToolStarted
from runtime.model import Model, is_local, waiting_time
from runtime.model_errors import no_connection, refused
from runtime.request import Request, body_of
from runtime.settings import ModelChoice
from tests.runtime.stage import play, stage


def failed(folder: Path, script: str, **choice: Any) -> str:
    """The error a script's run ends with."""
    place = play(folder, script, **choice)
    assert place.seen(Finished)[0].outcome == "failed"
    return str(place.seen(Finished)[0].error)


def test_importing_the_loop_loads_no_sdk() -> None:
    code = "import sys, runtime.loop, runtime.agent; sys.exit('anthropic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


def test_overload_is_retried_shown_and_then_over(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{error: {status: 529, times: 3, retry_after: 0.01}, text: hi}]")
    assert place.seen(Finished)[0].text == "hi"
    assert [(event.attempt, event.max_retries, event.status) for event in place.seen(Retrying)] == [
        (1, 4, 529),
        (2, 4, 529),
        (3, 4, 529),
    ]
    assert {event.delay for event in place.seen(Retrying)} == {0.01}


@pytest.mark.parametrize(
    ("status", "words"),
    [(529, "service failed"), (500, "service failed"), (503, "service failed"), (429, "too many requests")],
)
def test_an_error_that_stays_ends_the_run_after_the_retries(tmp_path: Path, status: int, words: str) -> None:
    script = f"turns: [{{error: {{status: {status}, times: 0, retry_after: 0.001}}}}]"
    place = play(tmp_path, script)
    assert words in place.seen(Finished)[0].error
    assert len(place.server.requests) == 5
    assert len(place.seen(Retrying)) == 4


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "refused the request"),
        (401, "set ANTHROPIC_API_KEY"),
        (402, "check its billing"),
        (403, "may not do this"),
        (404, "choose another --model"),
        (413, "start a new session"),
    ],
)
def test_an_error_of_ours_is_not_retried(tmp_path: Path, status: int, words: str) -> None:
    place = play(tmp_path, f"turns: [{{error: {{status: {status}, times: 0}}}}]")
    assert words in place.seen(Finished)[0].error
    assert len(place.server.requests) == 1
    assert not place.seen(Retrying)


def test_a_prompt_that_is_too_long_is_named_apart(tmp_path: Path) -> None:
    script = "turns: [{error: {status: 400, message: 'prompt is too long: 250000 tokens > 200000 maximum'}}]"
    assert "start a new session" in failed(tmp_path, script)


def test_the_key_is_in_no_error_even_if_the_service_sends_it_back(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{error: {status: 401, message: 'bad key sk-test-key here'}}]")
    assert "bad key [key] here" in place.seen(Finished)[0].error
    assert "sk-test-key" not in repr(place.events) + repr(place.choice) + place.session.transcript.read_text()


def test_a_wait_that_is_too_long_is_an_error_instead(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{error: {status: 429, times: 0, retry_after: 1000000000}}]")
    assert "too many requests" in place.seen(Finished)[0].error
    assert len(place.server.requests) == 1


def test_waiting_for_a_retry_can_be_interrupted(tmp_path: Path) -> None:
    async def main() -> None:
        script = "turns: [{error: {status: 429, times: 0, retry_after: 60}}]"
        async with stage(tmp_path, script) as place, place.agent() as agent:

            def emit(event: Any) -> None:
                if isinstance(event, Retrying):
                    agent.interrupt()

            with anyio.fail_after(5):
                assert (await agent.run("go", emit)).outcome == "interrupted"

    anyio.run(main)


def test_no_key_at_all_says_how_to_set_one(tmp_path: Path) -> None:
    message = failed(tmp_path, "turns: []", api_key=None)
    assert "set ANTHROPIC_API_KEY" in message


def test_a_missing_provider_library_is_said(tmp_path: Path) -> None:
    assert "'vertex' cannot be used" in failed(tmp_path, "turns: []", provider="vertex", base_url=None)


def test_another_provider_is_reached_with_its_own_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    place = play(tmp_path, "turns: []", provider="bedrock")
    assert "the service does not know 'claude-sonnet-5-5'" in place.seen(Finished)[0].error
    assert "bedrock-secret" not in repr(place.events)


CUTS = {"in the text": 4, "in a tool's input": 10, "before message_stop": -1, "at the very start": 0}


@pytest.mark.parametrize("place_of_cut", CUTS)
def test_a_stream_that_is_cut_is_asked_for_again_and_nothing_of_it_is_run(tmp_path: Path, place_of_cut: str) -> None:
    from runtime.script import parse_script
    from runtime.script.play import cue, events_of

    turn = "text: 'I am going to say quite a lot', tools: [{Bash: {command: 'echo ran >> log; echo and more words'}}]"
    count = len(list(events_of(cue(parse_script(f"turns: [{{{turn}}}]"), {}, cwd=""), model="", request_size=0)))
    after = CUTS[place_of_cut] % count
    place = play(tmp_path, f"turns: [{{cut: {after}, {turn}}}, {{text: ok}}]")
    assert place.seen(Finished)[0].outcome == "success"
    assert (place.root / "log").read_text() == "ran\n"
    assert len(place.seen(ToolStarted)) == 1
    assert [event.status for event in place.seen(Retrying)] == [None]
    whole = [event for event in place.seen(AssistantMessage) if not event.aborted]
    assert len(whole) == 2


def test_a_stream_that_is_always_cut_ends_the_run_with_its_text_kept_aside(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{text: Some words that are said, cut: {after: 5, times: 0}}]")
    assert "broke" in place.seen(Finished)[0].error
    assert "3 times" in place.seen(Finished)[0].error
    kept = [event for event in place.seen(AssistantMessage) if event.aborted]
    assert len(kept) == 3
    assert kept[0].message["content"][0]["text"].startswith("Some words")
    assert '"abandoned":true' in place.session.transcript.read_text()


def test_an_answer_after_a_cut_one_is_the_only_one_in_the_history(tmp_path: Path) -> None:
    place = play(
        tmp_path, "turns: [{text: first words and others, cut: 5, tools: [{LS: {path: '{{cwd}}'}}]}, {text: ok}]"
    )
    sent = place.server.requests[-1]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]


def test_a_stream_that_only_pings_says_nothing(tmp_path: Path) -> None:
    assert "broke off" in failed(tmp_path, raw("event: ping\ndata: {}\n\n" * 3), stream_retries=0)


def test_silence_in_a_stream_is_a_cut(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{text: some words, pace: 5}]", idle_timeout=0.2, stream_retries=0)
    assert "silent for 0.2 s" in place.seen(Finished)[0].error
    assert place.seen(Finished)[0].seconds < 4


def test_silence_before_a_stream_is_no_connection(tmp_path: Path) -> None:
    message = failed(tmp_path, "turns: [{text: x, delay: 2}]", idle_timeout=0.1, max_retries=0)
    assert "did not answer in time" in message


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_a_login_page_is_not_an_answer(tmp_path: Path, kind: str) -> None:
    script = f"turns: [{{raw: {{body: '<html>please log in</html>', content_type: {kind}}}}}]"
    place = play(tmp_path, script)
    assert "login page" in place.seen(Finished)[0].error
    assert len(place.server.requests) == 1


def sse(kind: str, newline: str = "\n", **fields: Any) -> str:
    """One event as it is sent."""
    return f"event: {kind}{newline}data: {json.dumps({'type': kind, **fields})}{newline}{newline}"


def raw(body: str) -> str:
    """A script whose only answer is this body."""
    return json.dumps({"turns": [{"raw": {"body": body}}]})


USAGE = {"input_tokens": 1, "output_tokens": 1}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": USAGE}
START = sse("message_start", message=MESSAGE)
TEXT = {"type": "text", "text": ""}
BROKEN = {
    "no json": "event: message_start\ndata: {nonsense\n\n",
    "two starts": START + START,
    "delta without start": sse("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"}),
    "delta without block": START + sse("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"}),
    "index out of order": START + sse("content_block_start", index=3, content_block=TEXT),
    "same block twice": START + 2 * sse("content_block_start", index=0, content_block=TEXT),
    "stop before start": sse("message_stop"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_stream_that_breaks_its_own_order_is_an_error(tmp_path: Path, fault: str) -> None:
    place = play(tmp_path, raw(BROKEN[fault]))
    assert place.seen(Finished)[0].outcome == "failed"
    assert "service" in place.seen(Finished)[0].error
    assert len(place.server.requests) == 1


def test_an_error_in_the_middle_of_a_stream_is_retried(tmp_path: Path) -> None:
    body = START + sse("error", error={"type": "overloaded_error", "message": "busy"})
    place = play(tmp_path, raw(body), stream_retries=1)
    assert "overloaded_error: busy" in place.seen(Finished)[0].error
    assert len(place.server.requests) == 2


def test_unknown_events_and_crlf_and_comments_mean_nothing(tmp_path: Path) -> None:
    parts = [
        (": a comment\r\n\r\n" + START),
        sse("from_the_future", "\r\n", what="ever"),
        sse("content_block_start", "\r\n", index=0, content_block=TEXT),
        sse("content_block_delta", "\r\n", index=0, delta={"type": "text_delta", "text": "hé"}),
        sse("content_block_delta", "\r\n", index=0, delta={"type": "delta_of_the_future"}),
        sse("content_block_stop", "\r\n", index=0),
        sse("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}),
        sse("message_stop"),
    ]
    place = play(tmp_path, raw("".join(parts)))
    assert (place.seen(Finished)[0].outcome, place.seen(Finished)[0].text) == ("success", "hé")
    assert "".join(event.text for event in place.seen(TextDelta)) == "hé"


def test_nothing_that_listens_is_said_as_such(tmp_path: Path) -> None:
    message = failed(tmp_path, "turns: []", base_url="http://127.0.0.1:9", max_retries=0)
    assert "nothing answers" in message


def test_a_connection_that_fails_is_retried_and_shown(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: []", base_url="http://127.0.0.1:9", max_retries=1)
    assert [(event.attempt, event.status) for event in place.seen(Retrying)] == [(1, None)]


def test_a_name_that_does_not_resolve_is_said_as_such(tmp_path: Path) -> None:
    message = failed(tmp_path, "turns: []", base_url="http://no-such-host.invalid", max_retries=0)
    assert message.startswith(("the name of the model's service", "the proxy", "nothing answers"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "nothing answers"),
        (ConnectionResetError(), "broke"),
        (TimeoutError(), "in time"),
        (ExceptionGroup("all failed", [ConnectionRefusedError()]), "nothing answers"),
    ],
)
def test_what_lies_behind_a_connection_error_is_named(error: Exception, words: str) -> None:
    outer = RuntimeError("outer")
    outer.__cause__ = error
    assert words in str(no_connection(outer))


def test_every_status_has_a_sentence() -> None:
    assert all(str(refused(status, "said", model="m")) for status in range(400, 600))


@pytest.fixture
def request_of_two_turns() -> Request:
    text = [{"type": "text", "text": "x"}]
    roles = ["user", "assistant", "user", "assistant", "user"]
    return Request("system", [{"name": "A"}, {"name": "B"}], [{"role": role, "content": text} for role in roles])


def test_the_cache_ends_at_the_tools_the_system_and_the_two_newest_user_messages(request_of_two_turns: Request) -> None:
    body = body_of(request_of_two_turns, ModelChoice())
    marked = [index for index, message in enumerate(body["messages"]) if "cache_control" in message["content"][-1]]
    assert marked == [2, 4]
    assert ["cache_control" in tool for tool in body["tools"]] == [False, True]
    assert "cache_control" in body["system"][-1]
    assert all("cache_control" not in message["content"][-1] for message in request_of_two_turns.messages)


def test_names_people_type_are_spelled_out() -> None:
    assert ModelChoice("opus").full_name == "claude-opus-5-5"
    assert ModelChoice("my-own").full_name == "my-own"


def test_a_summary_of_thinking_is_asked_for_only_where_the_model_thinks(request_of_two_turns: Request) -> None:
    assert "thinking" in body_of(request_of_two_turns, ModelChoice("sonnet"))
    assert "thinking" not in body_of(request_of_two_turns, ModelChoice("claude-haiku-4-5"))


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:80", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("https://127.0.0.1", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_reached_without_a_proxy(url: str, local: bool) -> None:
    assert is_local(url) is local


@pytest.mark.parametrize(("headers", "seconds"), [({"retry-after": "3"}, 3), ({"retry-after-ms": "20"}, 0.02)])
def test_the_service_says_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert waiting_time(headers, 0) == seconds


@pytest.mark.parametrize("header", ["-5", "soon", "nan", ""])
def test_a_wait_that_makes_no_sense_is_ours_to_choose(header: str) -> None:
    assert 0.3 < waiting_time({"retry-after": header}, 0) <= 0.5


def test_a_model_that_was_never_asked_can_be_closed() -> None:
    anyio.run(Model(ModelChoice()).close)
