"""The loop as a user meets it: prompts in, tools in the sandbox, exactly one result for each call, an honest end."""

import itertools
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.events import (
    AssistantMessage,
    Denied,
    Finished,
    LimitsReached,
    Notice,
    Started,
    TextDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
)
from runtime.history import history
from runtime.transcript import newest_branch, read_entries
from sandbox.limits import LimitReached, size
from sandbox.profile import profile_of
from tests.runtime.stage import Stage, play, stage


def records(place: Stage) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.session.transcript.read_text().splitlines()]


def is_valid(messages: list[dict[str, Any]]) -> bool:
    """The API's own rules: roles alternate from user on, every call has its one result in the next message."""
    roles = [message["role"] for message in messages]
    expected: set[str] = set()
    for message in messages:
        uses = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        if sorted(results) != sorted(expected) or len(uses) != len(set(uses)):
            return False
        expected = set(uses)
    alternate = all(one != other for one, other in itertools.pairwise(roles))
    return not expected and alternate and roles[:1] in ([], ["user"])


def reloaded(place: Stage) -> list[dict[str, Any]]:
    entries, torn = read_entries(place.session.transcript, [])
    assert torn == b""
    return history(newest_branch(entries), model=place.choice.full_name)


def test_a_task_is_done_in_the_sandbox_and_every_step_is_an_event(tmp_path: Path) -> None:
    script = """
    turns:
      - text: Looking.
        tools: [{Read: {file_path: "{{cwd}}/a.py"}}]
      - tools:
          - Edit: {file_path: "{{cwd}}/a.py", old_string: "1", new_string: "2"}
          - Bash: {command: python3 a.py}
      - expect: "^2$"
        text: It is two now.
    """
    place = play(tmp_path, script, files={"a.py": "print(1)\n"})
    finished = place.seen(Finished)[0]
    assert (finished.outcome, finished.text, finished.turns) == ("success", "It is two now.", 3)
    assert (place.root / "a.py").read_text() == "print(2)\n"
    assert place.seen(Started)[0].tools[0] == "Bash"
    assert [event.name for event in place.seen(ToolStarted)] == ["Read", "Edit", "Bash"]
    assert [event.text for event in place.seen(ToolFinished)][-1] == "2"
    assert place.seen(ToolOutput)[0].data == b"2\n"
    assert "".join(event.text for event in place.seen(TextDelta)) == "Looking.It is two now."
    assert isinstance(place.events[-1], Finished)


def test_the_answer_is_recorded_before_its_calls_are_run(tmp_path: Path) -> None:
    script = "turns: [{tools: [{Bash: {command: 'cat ../state/sessions/*/transcript.jsonl'}}]}]"
    place = play(tmp_path, script)
    assert '"type":"tool_use"' in place.seen(ToolFinished)[0].text.replace(" ", "")


def test_a_limit_that_a_call_reached_is_told_to_the_model_and_to_the_user_and_counted(tmp_path: Path) -> None:
    async def main() -> None:
        script = "turns: [{tools: [{Bash: {command: make}}, {Bash: {command: make}}]}, {text: well}]"
        async with stage(tmp_path, script) as place:
            place.sandbox.limits = (LimitReached("memory", 4 * 1024**3),)
            finished = await place.run()
            assert [text.splitlines()[-1] for text in place.told()] == ["(memory limit 4 GiB reached)"] * 2
            assert [event.limits for event in place.seen(LimitsReached)] == [place.sandbox.limits] * 2
            assert finished.limits == {"memory": 2}

    anyio.run(main)


def test_the_model_knows_its_limits_from_the_start(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{text: hi}]")
    profile = profile_of(place.session.meta().choice)
    (system,) = [block["text"] for block in place.server.requests[0]["system"]]
    assert f"{size(profile.memory)} of memory, {profile.processes} processes, 10 GiB of disk; /tmp and" in system


def test_every_result_is_recorded_before_it_is_sent(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{tools: [{Bash: {command: echo once}}]}, {error: {status: 400, times: 0}}]")
    assert place.seen(Finished)[0].outcome == "failed"
    last = records(place)[-1]
    assert last["message"]["content"][0]["content"] == "once"
    assert is_valid(reloaded(place))


def test_what_is_in_memory_is_what_a_reload_gives(tmp_path: Path) -> None:
    async def main() -> None:
        script = """
        turns:
          - tools: [{LS: {path: "{{cwd}}"}}, {Glob: {pattern: "*"}}, {Bash: {command: "exit 3"}}]
          - text: fine
        """
        async with stage(tmp_path, script) as place, place.agent() as agent:
            await agent.run("go", place.events.append)
            live = agent.conversation.messages
        assert reloaded(place) == live

    anyio.run(main)


def test_calls_that_only_read_run_side_by_side_and_a_changing_one_is_a_barrier(tmp_path: Path) -> None:
    script = """
    turns:
      - tools:
          - Read: {file_path: "{{cwd}}/a"}
          - LS: {path: "{{cwd}}"}
          - Write: {file_path: "{{cwd}}/b", content: new}
          - Read: {file_path: "{{cwd}}/b"}
      - text: ok
    """
    place = play(tmp_path, script, files={"a": "x\n"})
    order = [
        (type(event).__name__, event.name) for event in place.events if isinstance(event, ToolStarted | ToolFinished)
    ]
    assert set(order[:2]) == {("ToolStarted", "Read"), ("ToolStarted", "LS")}
    assert order[4:] == [
        ("ToolStarted", "Write"),
        ("ToolFinished", "Write"),
        ("ToolStarted", "Read"),
        ("ToolFinished", "Read"),
    ]
    assert place.told()[3] == "     1\tnew"


@pytest.mark.parametrize("name", ["Nope", "Bash ", "bash", "read"])
def test_an_unknown_tool_is_an_error_result_that_names_the_tools(tmp_path: Path, name: str) -> None:
    place = play(tmp_path, f"turns: [{{tools: [{{name: '{name}', input: {{}}}}]}}, {{text: ok}}]")
    assert f"there is no tool {name!r}" in place.told()[0]
    assert "Bash, BashOutput, KillShell, Terminal, Read, Write" in place.told()[0]
    assert place.seen(Finished)[0].outcome == "success"


def test_invalid_input_is_an_error_result_that_names_each_field(tmp_path: Path) -> None:
    script = "turns: [{tools: [{Bash: {comand: ls, timeout: 0}}]}, {text: ok}]"
    text = play(tmp_path, script).told()[0]
    assert "`command` is missing" in text
    assert "`comand` is not a parameter" in text
    assert "`timeout`" in text


def test_a_call_whose_input_is_no_json_is_not_run(tmp_path: Path) -> None:
    place = play(tmp_path, 'turns: [{tools: [{name: Bash, raw_input: \'{"command": "touch x\'}]}, {text: ok}]')
    assert "not a JSON object" in place.told()[0]
    assert not (place.root / "x").exists()


def test_a_call_at_the_length_limit_is_not_run_even_if_its_json_is_whole(tmp_path: Path) -> None:
    script = "turns: [{stop: max_tokens, tools: [{Bash: {command: touch a}}, {Bash: {command: touch b}}]}, {text: ok}]"
    place = play(tmp_path, script)
    assert (place.root / "a").exists()
    assert not (place.root / "b").exists()
    assert "length limit" in place.told()[1]


def test_calls_with_one_id_each_get_a_result_of_their_own(tmp_path: Path) -> None:
    script = """
    turns:
      - tools:
          - {name: Bash, id: same, input: {command: echo one}}
          - {name: Bash, id: same, input: {command: echo two}}
      - tools: [{name: Bash, id: same, input: {command: echo three}}]
      - text: ok
    """
    place = play(tmp_path, script)
    assert place.told() == ["one", "two", "three"]
    assert is_valid(reloaded(place))


def test_fifty_calls_at_once_keep_their_order(tmp_path: Path) -> None:
    calls = ", ".join(f"{{Read: {{file_path: '{{{{cwd}}}}/f{n}'}}}}" for n in range(50))
    place = play(tmp_path, f"turns: [{{tools: [{calls}]}}, {{text: ok}}]", files={f"f{n}": f"{n}\n" for n in range(50)})
    assert place.told() == [f"     1\t{n}" for n in range(50)]


def test_planning_refuses_what_may_change_files_and_says_so(tmp_path: Path) -> None:
    script = "turns: [{tools: [{Bash: {command: touch x}}, {LS: {path: '{{cwd}}'}}]}, {text: a plan}]"
    place = play(tmp_path, script, mode="plan")
    assert not (place.root / "x").exists()
    assert "only plans" in place.told()[0]
    assert place.told()[1] == "(the directory is empty)"
    assert [event.name for event in place.seen(Denied)] == ["Bash"]
    assert place.seen(Finished)[0].denials == tuple(place.seen(Denied))


def test_the_turn_limit_ends_the_run_with_every_call_answered(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{tools: [{Bash: {command: echo 1}}]}, {text: never}]", max_turns=1)
    finished = place.seen(Finished)[0]
    assert (finished.outcome, finished.turns) == ("max-turns", 1)
    assert is_valid(reloaded(place))


def test_the_budget_is_checked_before_each_request(tmp_path: Path) -> None:
    script = """
    turns:
      - usage: {input_tokens: 1000000}
        tools: [{Bash: {command: echo}}]
      - text: never
    """
    place = play(tmp_path, script, max_dollars=1.5)
    finished = place.seen(Finished)[0]
    assert (finished.outcome, finished.turns) == ("max-budget", 1)
    assert finished.usage.dollars == pytest.approx(2.0, rel=0.01)


def test_a_budget_for_a_model_without_a_price_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{text: hi}]", name="some-model", max_dollars=1.0)
    assert place.seen(Finished)[0].outcome == "failed"
    assert "price of some-model is not known" in place.seen(Finished)[0].error
    assert place.server.requests == []


def test_absurd_usage_is_clamped_and_said(tmp_path: Path) -> None:
    script = "turns: [{text: hi, usage: {input_tokens: 1000000000000, output_tokens: -5}}]"
    place = play(tmp_path, script)
    usage = place.seen(Finished)[0].usage
    assert (usage.input_tokens, usage.output_tokens) == (100_000_000, 0)
    assert "impossible token counts" in place.seen(Notice)[0].text


def test_an_answer_at_the_length_limit_is_asked_to_go_on(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{text: 'Once upon ', stop: max_tokens}, {text: a time.}]")
    assert place.seen(Finished)[0].text == "Once upon a time."
    assert place.seen(Finished)[0].stop_reason == "end_turn"


def test_an_answer_that_never_ends_is_not_asked_for_ever(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [" + "{text: more, stop: max_tokens}, " * 9 + "]")
    assert place.seen(Finished)[0].turns == 4
    assert place.seen(Finished)[0].stop_reason == "max_tokens"
    assert "may be incomplete" in place.seen(Notice)[0].text


def test_a_paused_turn_goes_on(tmp_path: Path) -> None:
    place = play(tmp_path, "turns: [{text: 'a', stop: pause_turn}, {text: b}]")
    assert (place.seen(Finished)[0].outcome, place.seen(Finished)[0].text) == ("success", "ab")


def test_a_refusal_ends_the_run_and_is_not_sent_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "turns: [{text: I can, stop: refusal}]") as place, place.agent() as agent:
            finished = await agent.run("go", place.events.append)
            assert (finished.outcome, "declined" in finished.error) == ("failed", True)
            assert [message["role"] for message in agent.conversation.messages] == ["user"]
            assert (await agent.run("again", place.events.append)).outcome == "failed"

    anyio.run(main)


def test_a_conversation_goes_on_in_one_agent_and_in_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "turns: [{text: one}, {text: two}, {text: three}]") as place:
            async with place.agent() as agent:
                assert (await agent.run("a", place.events.append)).text == "one"
                assert (await agent.run("b", place.events.append)).text == "two"
                spent = agent.total
            async with place.agent() as agent:
                assert agent.total == spent
                assert (await agent.run("c", place.events.append)).text == "three"
        said = [block["text"] for message in place.server.requests[-1]["messages"] for block in message["content"]]
        assert said == ["a", "one", "b", "two", "c"]

    anyio.run(main)


def test_the_list_of_todos_outlives_the_agent(tmp_path: Path) -> None:
    async def main() -> None:
        script = "turns: [{tools: [{TodoWrite: {todos: [{content: Test, status: pending}]}}]}, {text: ok}]"
        async with stage(tmp_path, script) as place:
            await place.run()
            async with place.agent() as agent:
                assert agent.bench.todos == [{"content": "Test", "status": "pending", "activeForm": ""}]

    anyio.run(main)


def test_an_empty_answer_is_no_message(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "turns: [{text: ''}]") as place, place.agent() as agent:
            assert (await agent.run("go", place.events.append)).outcome == "success"
            assert [message["role"] for message in agent.conversation.messages] == ["user"]

    anyio.run(main)


def test_lone_surrogates_from_a_model_or_a_command_line_cannot_break_the_conversation(tmp_path: Path) -> None:
    async def main() -> None:
        raw = '{"command": "echo \\ud800x"}'
        script = json.dumps({"turns": [{"tools": [{"name": "Bash", "raw_input": raw}]}, {"text": "ok"}]})
        async with stage(tmp_path, script) as place:
            finished = await place.run("caf\udce9")
            assert finished.outcome == "success"
            assert is_valid(reloaded(place))

    anyio.run(main)


def losing(place: Stage, *deaths: bool) -> Any:
    """An `emit` that lets the sandbox die, for good or not, in each of the first calls that print something."""
    coming = list(deaths)

    def emit(event: Any) -> None:
        place.events.append(event)
        if isinstance(event, ToolOutput) and coming:
            place.sandbox.lose(for_good=coming.pop(0))

    return emit


def test_a_sandbox_that_is_gone_for_good_ends_the_run_and_leaves_the_outcome_of_the_call_open(tmp_path: Path) -> None:
    async def main() -> None:
        script = (
            "turns: [{tools: [{Bash: {command: echo here; sleep 30}}, {Bash: {command: echo}}]}, {tools: [LS: {}]}]"
        )
        script = script.replace("LS: {}", "{Bash: {command: echo}}")
        async with stage(tmp_path, script) as place, place.agent() as agent:
            finished = await agent.run("go", losing(place, True))
            assert finished.outcome == "failed"
            assert "sandbox is gone" in finished.error
            assert "the second time in this turn" in finished.error
            texts = [event.text for event in place.seen(ToolFinished)]
            assert ["may or may not have taken effect" in texts[0], "Not run" in texts[1]] == [True, True]
            assert is_valid(reloaded(place))
            assert len(place.server.requests) == 2

    anyio.run(main)


def test_a_sandbox_that_dies_once_is_told_to_the_model_and_the_turn_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        script = """
        turns:
          - tools: [{Bash: {command: echo here; sleep 30}}, {Bash: {command: touch never}}]
          - tools: [{Bash: {command: echo again}}]
            expect: "outcome of this call is unknown: the sandbox ended.*Look at what is there before you repeat"
          - text: done
        """
        async with stage(tmp_path, script) as place, place.agent() as agent:
            finished = await agent.run("go", losing(place, False))
            assert finished.outcome == "success"
            texts = [event.text for event in place.seen(ToolFinished)]
            assert ["outcome of this call is unknown" in texts[0], "Not run" in texts[1]] == [True, True]
            assert texts[2] == "again"
            assert not (place.root / "never").exists()
            assert "a new one takes its place" in place.seen(Notice)[0].text
            assert is_valid(reloaded(place))

    anyio.run(main)


def test_a_sandbox_that_dies_twice_in_a_turn_ends_it_and_the_next_turn_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        call = "{tools: [{Bash: {command: echo here; sleep 30}}]}"
        script = f"turns: [{call}, {call}, {{text: fine}}]"
        async with stage(tmp_path, script) as place, place.agent() as agent:
            finished = await agent.run("go", losing(place, False, False))
            assert (finished.outcome, finished.turns) == ("failed", 2)
            assert "it was the second time in this turn, so the turn ends here" in finished.error
            assert (await agent.run("again", place.events.append)).outcome == "success"
            assert is_valid(reloaded(place))

    anyio.run(main)


def test_what_befell_the_sandbox_between_calls_is_told_once_to_the_user_and_to_the_model(tmp_path: Path) -> None:
    async def main() -> None:
        script = "turns: [{tools: [{Bash: {command: echo}}]}, {tools: [{Bash: {command: echo}}]}, {text: done}]"
        async with stage(tmp_path, script) as place:
            place.sandbox.news = "the sandbox was stopped"
            assert (await place.run()).outcome == "success"
            assert [event.text for event in place.seen(Notice)] == ["the sandbox was stopped"]
            told = json.dumps(place.server.requests[-1]["messages"])
            assert told.count("What befell the sandbox meanwhile: the sandbox was stopped") == 1
            assert is_valid(reloaded(place))

    anyio.run(main)


def test_interrupting_a_tool_stops_it_answers_every_call_and_leaves_a_session_that_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        script = "turns: [{tools: [{Bash: {command: 'sleep 30; touch late'}}, {Bash: {command: ls}}]}, {text: sure}]"
        async with stage(tmp_path, script) as place, place.agent() as agent:

            def emit(event: Any) -> None:
                place.events.append(event)
                if isinstance(event, ToolStarted):
                    agent.interrupt()

            finished = await agent.run("go", emit)
            assert finished.outcome == "interrupted"
            texts = [event.text for event in place.seen(ToolFinished)]
            assert ["Interrupted" in texts[0], "Not run" in texts[1]] == [True, True]
            assert (await agent.run("and now?", place.events.append)).text == "sure"
            assert is_valid(reloaded(place))
        assert not (place.root / "late").exists()

    anyio.run(main)


def test_interrupting_an_answer_keeps_what_was_said_and_runs_nothing_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        script = """
        turns:
          - {text: "I would now remove everything that is in here.", pace: 0.02, tools: [{Bash: {command: touch x}}]}
          - text: sure
        """
        async with stage(tmp_path, script) as place, place.agent() as agent:

            def emit(event: Any) -> None:
                place.events.append(event)
                if isinstance(event, TextDelta):
                    agent.interrupt()

            finished = await agent.run("go", emit)
            assert (finished.outcome, finished.text) == ("interrupted", "I would now remove every")
            assert place.seen(AssistantMessage)[0].aborted
            assert (await agent.run("and now?", place.events.append)).text == "sure"
            assert not place.seen(ToolStarted)
            assert is_valid(reloaded(place))
            assert finished.usage.input_tokens > 0

    anyio.run(main)


@pytest.mark.parametrize("moment", range(0, 60, 3))
def test_cancelling_the_task_anywhere_leaves_a_session_that_goes_on(tmp_path: Path, moment: int) -> None:
    async def main() -> None:
        script = """
        turns:
          - text: "Some words that take a while to say."
            pace: 0.002
            tools: [{Read: {file_path: "{{cwd}}/a"}}, {Bash: {command: "sleep 0.02"}}, {Bash: {command: "sleep 0.01"}}]
          - {text: "And some more.", pace: 0.002}
          - text: done
          - text: done
        """
        async with stage(tmp_path, script, {"a": "1\n"}) as place:
            with anyio.move_on_after(moment / 500):
                await place.run()
            assert is_valid(reloaded(place))
            finished = await place.run("go on")
            assert finished.outcome == "success"
            assert is_valid(reloaded(place))

    anyio.run(main)


def test_one_agent_does_one_thing_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "turns: [{text: slow, delay: 0.2}]") as place, place.agent() as agent:
            async with anyio.create_task_group() as group:
                group.start_soon(agent.run, "go", place.events.append)
                await anyio.sleep(0.05)
                with pytest.raises(RuntimeError, match="at work"):
                    await agent.run("me too", place.events.append)
            assert place.seen(Finished)[0].text == "slow"

    anyio.run(main)


def test_nothing_that_is_no_interrupt_happens_without_a_run(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "turns: [{text: hi}]") as place, place.agent() as agent:
            agent.interrupt()
            assert (await agent.run("go", place.events.append)).outcome == "success"

    anyio.run(main)


def test_a_full_disk_ends_the_run_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        import resource

        async with (
            stage(tmp_path, "turns: [{tools: [{LS: {path: '{{cwd}}'}}]}, {text: x}]") as place,
            place.agent() as agent,
        ):
            size = place.session.transcript.stat().st_size
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            import signal

            ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 700, before[1]))
            try:
                finished = await agent.run("go", place.events.append)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
                signal.signal(signal.SIGXFSZ, ignored)
            assert finished.outcome == "failed"
            assert "cannot be written" in finished.error
        assert place.session.transcript.read_bytes().endswith(b"}\n")
        assert is_valid(reloaded(place))

    anyio.run(main)
