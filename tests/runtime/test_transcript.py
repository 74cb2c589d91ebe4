"""The transcript: what is written stays readable, whatever happened to the file."""

import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runtime.events import Usage
from runtime.history import history
from runtime.transcript import Transcript, newest_branch, opened, read_entries
from sandbox.errors import SessionBusy

MODEL = "claude-sonnet-5-5"


def say(transcript: Transcript, role: str, content: object, **more: object) -> str:
    message = {"role": role, "content": content, **more}
    return transcript.append(role, {"message": message})


def use(identity: str) -> dict[str, object]:
    return {"type": "tool_use", "id": identity, "name": "LS", "input": {}}


def result(identity: str, text: str = "ok") -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": identity, "content": text}


def texts(path: Path) -> list[str]:
    """What the conversation says when it is opened again."""
    with opened(path, session_id="s", cwd="/") as transcript:
        messages = history(transcript.chain(), model=MODEL)
    return [block.get("text") or block["type"] for message in messages for block in message["content"]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A transcript of four messages."""
    file = tmp_path / "transcript.jsonl"
    with opened(file, session_id="s", cwd="/repo") as transcript:
        say(transcript, "user", "a")
        say(transcript, "assistant", [{"type": "text", "text": "b"}], model=MODEL)
        say(transcript, "user", "c")
        say(transcript, "assistant", [{"type": "text", "text": "d"}], model=MODEL)
    return file


def test_lines_have_the_shape_readers_know(path: Path) -> None:
    first, second = (json.loads(line) for line in path.read_text().splitlines()[:2])
    assert first["type"] == "user"
    assert (first["parentUuid"], second["parentUuid"]) == (None, first["uuid"])
    assert (first["sessionId"], first["cwd"], first["isSidechain"]) == ("s", "/repo", False)
    assert first["message"] == {"role": "user", "content": "a"}
    assert first["timestamp"].endswith("Z")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_record_is_one_ascii_line_whatever_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "t"
    with opened(file, session_id="s", cwd="/") as transcript:
        say(transcript, "user", "line\u2028sep \ud800 \0 ü\n")
    data = file.read_bytes()
    assert data.count(b"\n") == 1
    assert data.isascii()


@pytest.mark.parametrize("torn", [b'{"type":"assistant","uu', b"\0\0\0\0", b'{"type":"user"}'])
def test_a_torn_last_line_is_put_aside_and_the_next_record_is_whole(path: Path, torn: bytes) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    with opened(path, session_id="s", cwd="/") as transcript:
        assert "cut off in the middle" in transcript.notices[0]
        say(transcript, "user", "e")
    assert path.with_name("transcript.torn").read_bytes() == torn + b"\n"
    assert path.read_bytes().startswith(whole)
    assert texts(path) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("line", range(4))
@pytest.mark.parametrize("damage", [b"\0" * 80, b"{nonsense", b'"text"', b"[" * 3000, b"\xff\xfe"])
def test_a_damaged_line_costs_itself_and_nothing_else(path: Path, line: int, damage: bytes) -> None:
    lines = path.read_bytes().splitlines()
    lines[line] = damage
    path.write_bytes(b"\n".join(lines) + b"\n")
    with opened(path, session_id="s", cwd="/") as transcript:
        assert f"line {line + 1} of" in transcript.notices[0]
    kept = [text for text in texts(path) if not text.startswith("(")]
    assert kept == [text for index, text in enumerate("abcd") if index != line]


def test_two_records_glued_together_are_reported(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], lines[1] + lines[2], lines[3]]) + b"\n")
    assert texts(path) == ["a", "d"]


def test_what_is_of_no_known_type_is_kept_and_means_nothing(path: Path) -> None:
    strange = b'{"type":"from-the-future","uuid":"x","parentUuid":null,"x":1}\n{"type":"summary","summary":"s"}\n{}\n'
    path.write_bytes(path.read_bytes() + strange)
    assert texts(path) == ["a", "b", "c", "d"]
    assert strange in path.read_bytes()


def test_a_cycle_of_parents_ends(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["parentUuid"] = rows[3]["uuid"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert texts(path) == ["a", "b", "c", "d"]


def test_one_uuid_for_all_ends_too(path: Path) -> None:
    rows = [json.loads(line) | {"uuid": "same", "parentUuid": "same"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert texts(path) == ["a", "b", "c", "d"]


def test_the_newest_branch_is_the_conversation(tmp_path: Path) -> None:
    file = tmp_path / "t"
    with opened(file, session_id="s", cwd="/") as transcript:
        root = say(transcript, "user", "root")
        say(transcript, "assistant", [{"type": "text", "text": "old"}], model=MODEL)
        transcript.tip = root
        say(transcript, "assistant", [{"type": "text", "text": "new"}], model=MODEL)
    assert texts(file) == ["root", "new"]


def test_an_abandoned_answer_is_kept_and_is_no_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "t"
    with opened(file, session_id="s", cwd="/") as transcript:
        say(transcript, "user", "question")
        broken = {"message": {"role": "assistant", "content": [{"type": "text", "text": "half"}], "model": MODEL}}
        transcript.append("assistant", broken, abandoned=True)
    assert texts(file) == ["question"]
    with opened(file, session_id="s", cwd="/") as transcript:
        say(transcript, "assistant", [{"type": "text", "text": "whole"}], model=MODEL)
    assert texts(file) == ["question", "whole"]


def test_sidechains_are_no_part_of_it(path: Path) -> None:
    row = json.loads(path.read_text().splitlines()[-1])
    side = {**row, "uuid": "side", "parentUuid": None, "isSidechain": True}
    with path.open("a") as file:
        file.write(json.dumps(side) + "\n")
    assert texts(path) == ["a", "b", "c", "d"]


def test_what_a_session_used_is_added_up_again(tmp_path: Path) -> None:
    file = tmp_path / "t"
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000}
    with opened(file, session_id="s", cwd="/") as transcript:
        say(transcript, "user", "x")
        say(transcript, "assistant", [], model=MODEL, usage=usage)
        transcript.append("assistant", {"message": {"model": MODEL, "usage": usage}}, abandoned=True)
    with opened(file, session_id="s", cwd="/") as transcript:
        assert transcript.total == Usage(2_000_000, 200_000, 0, 0, 6.0)


def test_a_second_writer_is_refused(path: Path) -> None:
    first, second = (opened(path, session_id="s", cwd="/") for _ in range(2))
    with first, pytest.raises(SessionBusy, match="in use by another process"), second:
        pytest.fail("two writers at once")


def write_many(file: Path) -> None:
    written = 0
    while written < 200:
        try:
            with opened(file, session_id=str(os.getpid()), cwd="/") as transcript:
                for _ in range(20):
                    say(transcript, "user", "x" * 500)
                    written += 1
        except SessionBusy:
            time.sleep(0.001)


def test_two_processes_never_interleave(tmp_path: Path) -> None:
    file = tmp_path / "t"
    writers = [multiprocessing.get_context("spawn").Process(target=write_many, args=(file,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    notices: list[str] = []
    entries, torn = read_entries(file, notices)
    assert (len(entries), torn, notices) == (400, b"", [])
    assert len(newest_branch(entries)) == 400


def test_a_link_in_the_place_of_the_transcript_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("x")
    (tmp_path / "t").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"), opened(tmp_path / "t", session_id="s", cwd="/"):
        pytest.fail("followed a link")
    assert target.read_text() == "x"


def test_nothing_in_a_transcript_approves_anything(path: Path) -> None:
    with path.open("a") as file:
        file.write('{"type":"approval","uuid":"z","approved":true,"changeSet":"all"}\n')
    assert texts(path) == ["a", "b", "c", "d"]


names = some.sampled_from(
    ["type", "uuid", "parentUuid", "message", "role", "content", "text", "usage", "user", "model"]
)
anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
names = some.sampled_from(
    ["type", "uuid", "parentUuid", "message", "role", "content", "text", "usage", "user", "model"]
)
rows = some.dictionaries(names, anything | some.sampled_from(["user", "assistant", "a", "b"]), max_size=7)
file_lines = some.one_of(some.binary(max_size=30), some.builds(lambda row: json.dumps(row).encode(), rows))


@given(some.lists(file_lines, max_size=8), some.booleans())
def test_any_file_at_all_is_opened_and_written_on(lines: list[bytes], torn: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t"
        file.write_bytes(b"\n".join(lines) + (b"" if torn else b"\n"))
        with opened(file, session_id="s", cwd="/") as transcript:
            history(transcript.chain(), model=MODEL)
            say(transcript, "user", "after all")
        assert texts(file)[-1] == "after all"


def test_fifty_thousand_records_are_one_conversation(tmp_path: Path) -> None:
    file = tmp_path / "t"
    with opened(file, session_id="s", cwd="/") as transcript:
        say(transcript, "user", "x" * 300)
        row = json.loads(file.read_text())
    rows = [{**row, "uuid": str(n), "parentUuid": str(n - 1) if n else None} for n in range(50_000)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(texts(file)) == 50_000
