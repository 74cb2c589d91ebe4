"""Each call that may write is noted after it, while the model thinks, and before the next one begins."""

from collections.abc import Sequence
from pathlib import Path

import anyio

from runtime.events import Notice
from sandbox.base import Call
from sandbox.errors import OutOfSpace
from tests.fakes import FakeSandbox
from tests.runtime.stage import Stage, play, stage


def calls(place: Stage) -> list[tuple[str, str, tuple[bytes, ...]]]:
    """The notes with a call: its tool, its summary, what it changed."""
    return [(call.tool, call.summary, paths) for call, paths in place.sandbox.noted if call is not None]


def test_every_writing_call_is_noted_with_what_it_changed_and_no_reading_one(tmp_path: Path) -> None:
    script = """
    turns:
      - tools:
          - Bash: {command: "echo b > b"}
          - Read: {file_path: "{{cwd}}/a"}
          - Write: {file_path: "{{cwd}}/c", content: "c"}
      - text: done
    """
    place = play(tmp_path, script, files={"a": "a\n"})
    assert calls(place) == [("Bash", "echo b > b", (b"b",)), ("Write", str(place.root / "c"), (b"c",))]
    ids = [call.id for call, _ in place.sandbox.noted if call is not None]
    assert len(set(ids)) == 2
    assert {call.agent for call, _ in place.sandbox.noted if call is not None} == {"main"}


def test_a_denied_call_is_not_noted(tmp_path: Path) -> None:
    script = 'turns: [{tools: [{Bash: {command: "echo b > b"}}]}, {text: planned}]'
    assert play(tmp_path, script, mode="plan").sandbox.noted == []


def test_a_failed_and_an_interrupted_call_are_noted_too(tmp_path: Path) -> None:
    failing = play(tmp_path / "1", 'turns: [{tools: [{Bash: {command: "echo b > b; false"}}]}, {text: done}]')
    assert calls(failing) == [("Bash", "echo b > b; false", (b"b",))]

    async def run() -> Stage:
        script = 'turns: [{tools: [{Bash: {command: "echo b > b; sleep 30"}}]}, {text: never}]'
        async with stage(tmp_path / "2", script) as place, place.agent() as agent, anyio.create_task_group() as tasks:
            tasks.start_soon(agent.run, "go", place.events.append)
            while not (place.root / "b").exists():  # noqa: ASYNC110 - another process makes it
                await anyio.sleep(0.02)
            agent.interrupt()
        return place

    assert calls(anyio.run(run)) == [("Bash", "echo b > b; sleep 30", (b"b",))]


class Slow(FakeSandbox):
    """Takes its time to note, and says when it did what."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.story: list[str] = []

    async def note(self, call: Call | None, /) -> Sequence[bytes]:
        if call is None:
            return ()
        self.story.append(f"noting {call.summary}")
        await anyio.sleep(0.3)
        self.story.append(f"noted {call.summary}")
        return ()

    async def write(self, path, data, /) -> None:  # type: ignore[no-untyped-def]
        self.story.append(f"writing {path.name}")
        await super().write(path, data)


def test_the_next_writing_call_waits_for_the_note_and_the_model_does_not(tmp_path: Path) -> None:
    script = """
    turns:
      - tools: [{Bash: {command: "true"}}]
      - tools: [{Write: {file_path: "{{cwd}}/b", content: "b"}}]
      - text: done
    """

    async def run() -> Slow:
        folder = tmp_path / "slow"
        (folder / "workspace").mkdir(parents=True)
        async with Slow(folder) as sandbox, stage(tmp_path, script) as place:
            place.sandbox = sandbox
            async with place.agent() as agent:
                await agent.run("go", place.events.append)
        return sandbox

    story = anyio.run(run).story
    assert story.index("noted true") < story.index("writing b")


class Full(FakeSandbox):
    """Has no room for notes."""

    async def note(self, call: Call | None, /) -> Sequence[bytes]:
        await anyio.lowlevel.checkpoint()
        raise OutOfSpace("no space left for provenance.jsonl")


def test_notes_that_cannot_be_taken_are_said_once_and_end_nothing(tmp_path: Path) -> None:
    script = 'turns: [{tools: [{Bash: {command: "true"}}, {Bash: {command: "true"}}]}, {text: done}]'

    async def run() -> Stage:
        folder = tmp_path / "full"
        (folder / "workspace").mkdir(parents=True)
        async with Full(folder) as sandbox, stage(tmp_path, script) as place:
            place.sandbox = sandbox
            assert (await place.run()).outcome == "success"
        return place

    said = [event.text for event in anyio.run(run).seen(Notice)]
    assert said == ["what calls change cannot be noted: no space left for provenance.jsonl"]
