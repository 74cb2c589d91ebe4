"""The scripted model: its format, its answers, and its manners as a server."""

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from runtime.answer import Answer
from runtime.events import Finished
from runtime.script import ScriptError, ScriptServer, load_script, parse_script
from runtime.script.play import Unexpected, cue, events_of, message_of
from tests.runtime.stage import play


def asked(*roles: str, last: Any = "hi") -> dict[str, Any]:
    messages = [{"role": role, "content": "x"} for role in roles]
    return {"model": "m", "messages": [*messages, {"role": "user", "content": last}]}


def test_a_script_is_yaml_or_json(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("turns:\n  - text: hi\n    tools: [{Bash: {command: ls}}]\n")
    (tmp_path / "s.json").write_text(
        '{"turns": [{"text": "hi", "tools": [{"name": "Bash", "input": {"command": "ls"}}]}]}'
    )
    assert load_script(tmp_path / "s.yaml") == load_script(tmp_path / "s.json")


FAULTS = {
    "turns: [{txt: hi}]": "turns.1.txt: Extra inputs are not permitted",
    "turns: 7": "turns: Input should be a valid tuple",
    "[]": "the file: Input should be",
    "turns:\n  - text: [": "line 2",
    "turns: [{expect: '('}]": "turns.1.expect: Value error, is not a regular expression",
    "turns: [{error: {status: 200}}]": "turns.1.error.status",
    "turns: [{tools: [{Bash: 7}]}]": "turns.1.tools.1",
    "a: &a [x]\nturns: [*a]": "aliases",
    "turns: !!python/object:os.system {}": "line 1",
    "turns: [{text: '\\ud800'": "the script",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_named_with_its_place(text: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(text)
    assert FAULTS[text] in str(caught.value)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a: \0", b"[" * 100_000])
def test_what_is_no_script_at_all_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(data)
    with pytest.raises(ScriptError, match=r"s\.yaml"):
        load_script(path)


def test_a_missing_script_is_said(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="No such file"):
        load_script(tmp_path / "none.yaml")


def test_the_number_of_answers_so_far_chooses_the_turn() -> None:
    script = parse_script("{turns: [{text: one}, {text: two}], ending: over}")
    texts = [cue(script, asked(*["user", "assistant"] * n), cwd="").turn.text for n in range(4)]
    assert texts == ["one", "two", "over", "over"]


def test_placeholders_are_filled_and_other_braces_stay() -> None:
    turn = "text: '{{cwd}} {{prompt}} {{other}} ${{ github.ref }}', tools: [{Bash: {command: 'ls {{cwd}}'}}]"
    cued = cue(parse_script(f"turns: [{{{turn}}}]"), asked(last="do it"), cwd="/w")
    content = message_of(cued, model="m", request_size=0)["content"]
    assert content[0]["text"] == "/w do it {{other}} ${{ github.ref }}"
    assert content[1]["input"] == {"command": "ls /w"}


def test_a_turn_may_expect_what_the_last_call_said() -> None:
    script = parse_script("turns: [{expect: '^2 passed', text: good}]")
    good = [{"type": "tool_result", "tool_use_id": "1", "content": "....\n2 passed in 1 s"}]
    assert cue(script, asked(last=good), cwd="").turn.text == "good"
    bad = [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "1 failed"}]}]
    with pytest.raises(
        Unexpected, match="turn 1 of the script expects /\\^2 passed/ in the last result, not: 1 failed"
    ):
        cue(script, asked(last=bad), cwd="")


def test_an_expectation_that_is_not_met_ends_the_rehearsal(tmp_path: Path) -> None:
    script = "turns: [{tools: [{Bash: {command: echo one}}]}, {expect: two, text: never}]"
    finished = play(tmp_path, script).seen(Finished)[0]
    assert finished.outcome == "failed"
    assert "expects /two/ in the last result, not: one" in finished.error


def test_the_pieces_of_a_stream_are_the_message() -> None:
    script = parse_script("""
    turns:
      - thinking: Let me think about this for a little while.
        text: A sentence that is longer than one piece.
        tools: [{Write: {file_path: /x, content: "ünïcode \\U0001F600 and more"}}, {LS: {path: /}}]
    """)
    cued = cue(script, asked(), cwd="")
    answer = Answer()
    for event in events_of(cued, model="m", request_size=400):
        answer.add(event)
    assert answer.complete
    assert answer.message == message_of(cued, model="m", request_size=400)


def post(server: ScriptServer, path: str, body: bytes) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=5)
    connection.request("POST", path, body, {"content-type": "application/json"})
    response = connection.getresponse()
    data = json.loads(response.read())
    connection.close()
    return response.status, data


def test_it_answers_without_a_stream_and_counts_tokens() -> None:
    with ScriptServer(parse_script("turns: [{text: hi}]")) as server:
        body = json.dumps(asked()).encode()
        status, message = post(server, "/v1/messages", body)
        assert (status, message["content"]) == (200, [{"type": "text", "text": "hi"}])
        assert post(server, "/v1/messages/count_tokens", body) == (200, {"input_tokens": len(body) // 4})


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/messages", b"{", 400),
        ("/v1/nothing", b"{}", 404),
        ("/v1/messages", b"[]", 404),
        ("/v1/messages", b"{}", 200),
    ],
)
def test_it_survives_what_is_no_request(path: str, body: bytes, status: int) -> None:
    with ScriptServer(parse_script("turns: [{text: hi}]")) as server:
        assert post(server, path, body)[0] == status
        assert post(server, "/v1/messages", b"{}")[0] == 200


def test_it_listens_on_this_machine_only_and_is_gone_afterwards() -> None:
    with ScriptServer(parse_script("turns: []")) as server:
        url = server.url
        assert url.startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", int(url.rpartition(":")[2])).connect()


def test_the_example_in_the_documentation_plays(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "script.md").read_text()
    for example in text.split("```yaml\n")[1:]:
        assert parse_script(example.partition("```")[0]).turns
