"""The tools, each through its own input model, in a fake sandbox with real files and processes."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import pytest

from runtime.tools.bash import BashInput, told
from runtime.tools.registry import ALL, definitions, found, validated
from runtime.tools.tool import Context, Result, ToolFailed, Workbench
from sandbox.base import ExecResult, Output
from sandbox.limits import LimitReached
from tests.fakes import FakeSandbox, fake_sandbox

Use = Callable[..., Any]


class Bench:
    """Calls tools one after the other and keeps what they share."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.root = Path(bench.sandbox.root)
        self.chunks: list[tuple[str, bytes]] = []

    async def use(self, name: str, given: Mapping[str, Any]) -> Result:
        context = Context(self.bench, "toolu_1", lambda stream, data: self.chunks.append((stream, data)))
        tool = found(name, ALL)
        assert tool is not None
        return await tool.run(validated(tool, given), context)

    async def refused(self, name: str, given: Mapping[str, Any]) -> str:
        with pytest.raises(ToolFailed) as caught:
            await self.use(name, given)
        return str(caught.value)


def at_bench(folder: Path, test: Callable[[Bench], Any], files: dict[str, str] | None = None) -> None:
    async def main() -> None:
        async with fake_sandbox(folder, files) as sandbox:
            outputs = folder / "outputs"
            outputs.mkdir()
            await test(Bench(Workbench(sandbox, sandbox.root, outputs)))

    anyio.run(main)


PATHS = ["../x", "x", "~/x", "C:\\x", "\\\\srv\\x", "file:///x", "", ".", "-", "/a\0b", "/a\ud800", "/" + "a" * 5000]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("tool", ["Read", "Write", "Edit", "MultiEdit", "LS", "Glob", "Grep"])
def test_a_path_that_is_not_absolute_is_refused_before_anything_happens(tool: str, path: str) -> None:
    inputs = {
        "Read": {"file_path": path},
        "Write": {"file_path": path, "content": ""},
        "Edit": {"file_path": path, "old_string": "a", "new_string": "b"},
        "MultiEdit": {"file_path": path, "edits": [{"old_string": "a", "new_string": "b"}]},
        "LS": {"path": path},
        "Glob": {"pattern": "*", "path": path},
        "Grep": {"pattern": "x", "path": path},
    }
    with pytest.raises(ToolFailed, match=r"input is not valid: (`(file_)?path`|it holds half)"):
        validated(ALL[tool], inputs[tool])


def test_half_a_character_is_written_nowhere() -> None:
    with pytest.raises(ToolFailed, match="half a character"):
        validated(ALL["Write"], {"file_path": "/f", "content": "a\ud800"})


def test_every_tool_says_what_it_takes_and_takes_nothing_else() -> None:
    for definition in definitions(ALL):
        schema = definition["input_schema"]
        assert schema["additionalProperties"] is False
        assert "title" not in schema
        assert definition["description"]
    assert [name for name, tool in ALL.items() if tool.read_only] == [
        "BashOutput",
        "Read",
        "Glob",
        "Grep",
        "LS",
        "TodoWrite",
    ]


def test_bash_names_the_limits_that_were_reached() -> None:
    limits = (LimitReached("memory", 4 * 1024**3), LimitReached("/tmp", 1024**3))
    ended = ExecResult(137, Output(b"half\n"), Output(), limits=limits)
    result = told(BashInput(command="make"), ended, notes=[], where="", kept="")
    first, _, rest = result.text.partition("\n")
    assert first == "exit code 137 (a shell's word for signal 9 (SIGKILL))"
    assert rest == "half\n(memory limit 4 GiB reached)\n(/tmp is full (1 GiB))"
    assert result.detail["limitsReached"] == [
        {"name": "memory", "limit": 4 * 1024**3},
        {"name": "/tmp", "limit": 1024**3},
    ]


def test_bash_tells_stdout_then_stderr_and_streams_both(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Bash", {"command": "echo err >&2; echo out"})
        assert (result.text, result.is_error) == ("out\nerr", False)
        assert result.detail == {
            "stdout": "out\n",
            "stderr": "err\n",
            "interrupted": False,
            "isImage": False,
            "noOutputExpected": False,
            "exitCode": 0,
        }
        assert sorted(desk.chunks) == [("stderr", b"err\n"), ("stdout", b"out\n")]

    at_bench(tmp_path, test)


def test_bash_says_how_a_command_ended(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert (await desk.use("Bash", {"command": "true"})).text == "(no output)"
        failed = await desk.use("Bash", {"command": "echo bad; exit 3"})
        assert (failed.text, failed.is_error) == ("exit code 3\nbad", True)
        benign = await desk.use("Bash", {"command": "cd / && LC_ALL=C grep nothing /dev/null"})
        assert (benign.text.split("\n")[0], benign.is_error) == ("exit code 1 (nothing matched)", False)
        assert benign.detail["returnCodeInterpretation"] == "nothing matched"
        missing = await desk.use("Bash", {"command": "no-such-program"})
        assert missing.text.startswith("exit code 127\n")
        broken = await desk.use("Bash", {"command": "if"})
        assert "syntax error" in broken.text

    at_bench(tmp_path, test)


def test_bash_stops_at_its_time_limit_and_says_which(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Bash", {"command": "echo begun; sleep 30", "timeout": 300})
        assert result.text == "timed out after 0.3 s, and all its processes were stopped\nbegun"
        assert (result.is_error, result.detail["timedOutAfterMs"]) == (True, 300)

    at_bench(tmp_path, test)


def test_bash_does_not_believe_an_exit_code_of_124(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert (await desk.use("Bash", {"command": "exit 124"})).text == "exit code 124"

    at_bench(tmp_path, test)


def test_bash_stays_where_cd_left_it_inside_the_workspace(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Bash", {"command": "mkdir -p 'a b'/c; cd 'a b'/c"})
        assert (await desk.use("Bash", {"command": "pwd"})).text == f"{desk.root}/a b/c"
        await desk.use("Bash", {"command": "cd ..; exit 1"})
        assert (await desk.use("Bash", {"command": "pwd"})).text == f"{desk.root}/a b"
        await desk.use("Bash", {"command": "set -e; cd c; false; echo never"})
        assert (await desk.use("Bash", {"command": "pwd"})).text == f"{desk.root}/a b/c"

    at_bench(tmp_path, test)


def test_bash_comes_back_when_cd_leaves_the_workspace(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert (await desk.use("Bash", {"command": "cd /"})).text == f"(Shell cwd was reset to {desk.root})"
        assert (await desk.use("Bash", {"command": "pwd"})).text == str(desk.root)
        beside = f"{desk.root}-beside"
        os.mkdir(beside)
        assert "was reset" in (await desk.use("Bash", {"command": f"cd '{beside}'"})).text

    at_bench(tmp_path, test)


def test_bash_comes_back_when_its_place_is_gone(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Bash", {"command": "mkdir gone; cd gone"})
        (desk.root / "gone").rmdir()
        result = await desk.use("Bash", {"command": "pwd"})
        assert result.text.split("\n")[0] == str(desk.root)
        assert "gone is gone. Shell cwd was reset" in result.text

    at_bench(tmp_path, test)


@pytest.mark.parametrize(
    "command", ["echo evil >&3", "exec true", "trap - EXIT", "exec 3>&-", "printf /x/../../etc >&3"]
)
def test_what_a_command_says_of_its_place_is_checked(tmp_path: Path, command: str) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Bash", {"command": command})
        assert Path(desk.bench.cwd) == desk.root

    at_bench(tmp_path, test)


def test_bash_takes_several_lines_quotes_and_here_documents(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        script = "cat <<'EOF'\n$HOME \"x\" 'y'\nEOF\nfor n in 1 2; do\n  echo $n\ndone # end"
        assert (await desk.use("Bash", {"command": script})).text == "$HOME \"x\" 'y'\n1\n2"

    at_bench(tmp_path, test)


def test_bash_says_what_still_runs(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Bash", {"command": "sleep 5 >/dev/null 2>&1 & echo started"})
        assert "still running in the background" in result.text

    at_bench(tmp_path, test)


def test_long_output_is_cut_in_the_middle_and_kept_whole_in_the_session(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Bash", {"command": "seq 1 100000; echo also >&2"})
        assert 28_000 < len(result.text) < 32_000
        assert result.text.startswith("1\n2\n3\n")
        assert "bytes omitted, the full output is kept in the session as toolu_1.txt" in result.text
        assert result.text.endswith("100000\nalso")
        kept = Path(result.detail["persistedOutputPath"])
        assert kept.parent == desk.bench.outputs
        assert kept.stat().st_mode & 0o777 == 0o600
        assert kept.read_text().count("\n") == 100_001
        omitted = int(result.text.partition("… ")[2].partition(" bytes")[0])
        shown = len(result.text.partition("\n… ")[0]) + len(result.text.partition("…\n")[2]) - len("also")
        assert omitted + shown == kept.stat().st_size - len("also\n")

    at_bench(tmp_path, test)


def test_short_output_leaves_nothing_behind(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Bash", {"command": "echo x"})
        assert "persistedOutputPath" not in result.detail
        assert list(desk.bench.outputs.iterdir()) == []

    at_bench(tmp_path, test)


def test_bytes_that_are_no_text_are_told_as_text(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert (await desk.use("Bash", {"command": r"printf 'a\377\000b'"})).text == "a\ufffd\\0b"

    at_bench(tmp_path, test)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"command": ""}, "`command`"),
        ({"command": "a\0b"}, "NUL"),
        ({"command": "x" * 130_000}, "write a script with Write"),
        ({"command": "ls", "timeout": 600_001}, "`timeout`"),
        ({"command": "ls", "timeout": -1}, "`timeout`"),
        ({"command": "ls", "dangerouslyDisableSandbox": True}, "not a parameter"),
        ({"command": ["ls"]}, "`command`"),
    ],
)
def test_bash_refuses_what_it_cannot_run(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolFailed, match=words):
        validated(ALL["Bash"], given)


def test_read_numbers_the_lines(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Read", {"file_path": f"{desk.root}/f"})
        assert result.text == "     1\tone\n     2\ttwo\n     3\t"
        assert result.detail["file"] == {
            "filePath": f"{desk.root}/f",
            "content": "one\r\ntwo\n",
            "numLines": 3,
            "startLine": 1,
            "totalLines": 3,
        }

    at_bench(tmp_path, test, {"f": "one\r\ntwo\n\n"})


def test_read_tells_the_sandbox_what_the_model_knows_now(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Read", {"file_path": f"{desk.root}/f", "limit": 1})
        assert isinstance(desk.bench.sandbox, FakeSandbox)
        assert desk.bench.sandbox.sights == [(PurePosixPath(desk.root / "f"), b"one\ntwo\n")]

    at_bench(tmp_path, test, {"f": "one\ntwo\n"})


def test_read_reads_a_part_and_says_what_is_left(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        path = f"{desk.root}/f"
        part = await desk.use("Read", {"file_path": path, "offset": 10, "limit": 2})
        assert part.text == "    10\t10\n    11\t11\n(lines 10 to 11 of 3000: go on with offset=12)"
        assert "(lines 1 to 2000 of 3000: go on with offset=2001)" in (await desk.use("Read", {"file_path": path})).text
        assert "past its end" in (await desk.use("Read", {"file_path": path, "offset": 4000})).text

    at_bench(tmp_path, test, {"f": "".join(f"{n}\n" for n in range(1, 3001))})


def test_read_cuts_long_lines_and_long_answers(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        line = (await desk.use("Read", {"file_path": f"{desk.root}/line"})).text
        assert line.endswith("… [3000 more characters in this line]")
        many = (await desk.use("Read", {"file_path": f"{desk.root}/many"})).text
        assert len(many) < 125_000
        assert "go on with offset=" in many

    at_bench(tmp_path, test, {"line": "x" * 5_000, "many": ("y" * 1_990 + "\n") * 1_000})


def test_read_says_that_a_file_is_empty(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert (await desk.use("Read", {"file_path": f"{desk.root}/f"})).text == "(the file is empty)"

    at_bench(tmp_path, test, {"f": ""})


BINARY = {
    b"a\0b": "NUL byte at offset 1",
    b"caf\xe9": "byte 0xe9 at offset 3 is not UTF-8",
    b"\xff\xfea\0": "UTF-16",
    b"\x89PNG\r\n": "a PNG image",
    b"%PDF-1.7": "a PDF",
}


@pytest.mark.parametrize("data", BINARY)
def test_read_refuses_what_is_no_text_and_says_why(tmp_path: Path, data: bytes) -> None:
    async def test(desk: Bench) -> None:
        (desk.root / "f").write_bytes(data)
        assert BINARY[data] in await desk.refused("Read", {"file_path": f"{desk.root}/f"})

    at_bench(tmp_path, test)


def test_read_explains_what_it_cannot_read(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        os.mkfifo(desk.root / "pipe")
        with open(desk.root / "huge", "wb") as file:
            file.truncate(3 << 30)
        explained = {
            "main.p": f"Did you mean {desk.root}/main.py?",
            "zzz": f"The working directory is {desk.root}.",
            ".": "list it with LS",
            "pipe": "not a file",
            "huge": "too large",
        }
        for name, words in explained.items():
            assert words in await desk.refused("Read", {"file_path": f"{desk.root}/{name}"})
        assert "not a file" in await desk.refused("Read", {"file_path": "/dev/zero"})

    at_bench(tmp_path, test, {"main.py": "x"})


def test_write_makes_folders_and_says_what_it_did(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        path = f"{desk.root}/a/b/c.txt"
        made = await desk.use("Write", {"file_path": path, "content": "x\ny"})
        assert (made.text, made.detail["type"], made.detail["originalFile"]) == (
            f"Created {path} (2 lines).",
            "create",
            None,
        )
        again = await desk.use("Write", {"file_path": path, "content": "x\nz"})
        assert (again.text, again.detail["type"]) == (f"Replaced {path} (2 lines).", "update")
        assert again.detail["structuredPatch"] == [
            {"oldStart": 1, "oldLines": 2, "newStart": 1, "newLines": 2, "lines": [" x", "-y", "+z"]}
        ]
        assert Path(path).read_text() == "x\nz"

    at_bench(tmp_path, test)


def test_write_refuses_to_replace_what_changed_since_it_was_read(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        path = f"{desk.root}/f"
        await desk.use("Read", {"file_path": path})
        Path(path).write_text("changed")
        assert "has changed since you read it" in await desk.refused("Write", {"file_path": path, "content": "x"})
        assert Path(path).read_text() == "changed"

    at_bench(tmp_path, test, {"f": "old"})


def test_write_does_not_write_to_a_directory_or_a_pipe(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        os.mkfifo(desk.root / "pipe")
        for name in (".", "pipe"):
            assert await desk.refused("Write", {"file_path": f"{desk.root}/{name}", "content": "x"})

    at_bench(tmp_path, test)


async def edit(desk: Bench, old: str, new: str, **more: Any) -> Result:
    return await desk.use("Edit", {"file_path": f"{desk.root}/f", "old_string": old, "new_string": new, **more})


async def not_edited(desk: Bench, old: str, new: str, **more: Any) -> str:
    before = (desk.root / "f").read_bytes()
    given = {"file_path": f"{desk.root}/f", "old_string": old, "new_string": new, **more}
    text = await desk.refused("Edit", given)
    assert (desk.root / "f").read_bytes() == before
    return text


def test_edit_needs_the_file_to_be_read_as_it_is_now(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert "has not been read yet" in await not_edited(desk, "a", "b")
        await desk.use("Read", {"file_path": f"{desk.root}/f"})
        (desk.root / "f").write_text("a changed")
        assert "has changed since you read it" in await not_edited(desk, "a", "b")
        await desk.use("Read", {"file_path": f"{desk.root}/f"})
        await edit(desk, "a ch", "b ch")
        await edit(desk, "b", "c")
        assert (desk.root / "f").read_text() == "c changed"

    at_bench(tmp_path, test, {"f": "a"})


def test_edit_may_follow_a_write(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Write", {"file_path": f"{desk.root}/f", "content": "a"})
        await edit(desk, "a", "b")
        assert (desk.root / "f").read_text() == "b"

    at_bench(tmp_path, test)


def test_edit_says_exactly_why_not(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Read", {"file_path": f"{desk.root}/f"})
        assert "is not in the file" in await not_edited(desk, "zzz", "b")
        assert "in the file 2 times" in await not_edited(desk, "ab", "b")
        assert "is empty" in await not_edited(desk, "", "b")
        assert "are the same" in await not_edited(desk, "ab", "ab")
        assert "does not exist" in await desk.refused(
            "Edit", {"file_path": f"{desk.root}/none", "old_string": "a", "new_string": "b"}
        )
        await edit(desk, "ab", "c", replace_all=True)
        assert (desk.root / "f").read_text() == "c c"

    at_bench(tmp_path, test, {"f": "ab ab"})


BYTES = {
    "crlf stays": (b"one\r\ntwo\r\n", "one\ntwo", "1\n2\n3", b"1\r\n2\r\n3\r\n"),
    "crlf given": (b"one\r\ntwo\r\n", "one\r\ntwo", "1", b"1\r\n"),
    "mixed stays": (b"one\r\ntwo\nthree", "two\n", "2\n", b"one\r\n2\nthree"),
    "a byte order mark stays": (b"\xef\xbb\xbfone\n", "one", "1", b"\xef\xbb\xbf1\n"),
    "no newline at the end stays": (b"one\ntwo", "two", "2", b"one\n2"),
    "a lone carriage return stays": (b"one\rtwo", "two", "2", b"one\r2"),
    "nothing is normalised": ("e\u0301 é\n".encode(), "é", "e", "e\u0301 e\n".encode()),
    "blanks count": (b"\tx\n", "\tx", "    x", b"    x\n"),
}


@pytest.mark.parametrize("name", BYTES)
def test_edit_changes_nothing_but_what_it_was_asked(tmp_path: Path, name: str) -> None:
    before, old, new, after = BYTES[name]

    async def test(desk: Bench) -> None:
        (desk.root / "f").write_bytes(before)
        await desk.use("Read", {"file_path": f"{desk.root}/f"})
        await edit(desk, old, new)
        assert (desk.root / "f").read_bytes() == after

    at_bench(tmp_path, test)


def test_edit_tells_readers_what_changed(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Read", {"file_path": f"{desk.root}/f"})
        assert (await edit(desk, "b", "B")).detail == {
            "filePath": f"{desk.root}/f",
            "oldString": "b",
            "newString": "B",
            "originalFile": "a\nb\nc\n",
            "structuredPatch": [
                {"oldStart": 1, "oldLines": 3, "newStart": 1, "newLines": 3, "lines": [" a", "-b", "+B", " c"]}
            ],
            "userModified": False,
            "replaceAll": False,
        }

    at_bench(tmp_path, test, {"f": "a\nb\nc\n"})


def test_multi_edit_makes_all_edits_or_none(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        path = f"{desk.root}/f"
        await desk.use("Read", {"file_path": path})
        good = [{"old_string": "one", "new_string": "1"}, {"old_string": "1 two", "new_string": "3"}]
        bad = [*good, {"old_string": "zzz", "new_string": ""}]
        assert "edit 3: old_string is not in" in await desk.refused("MultiEdit", {"file_path": path, "edits": bad})
        assert Path(path).read_text() == "one two"
        assert (await desk.use("MultiEdit", {"file_path": path, "edits": good})).text == f"Made 2 edits in {path}."
        assert Path(path).read_text() == "3"

    at_bench(tmp_path, test, {"f": "one two"})


def test_ls_marks_what_things_are(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        (desk.root / "link").symlink_to("a")
        os.mkfifo(desk.root / "pipe")
        (desk.root / os.fsdecode(b"b\xff\n")).write_text("")
        text = (await desk.use("LS", {"path": str(desk.root), "ignore": ["*.log"]})).text
        assert text == "a  3\nb\ufffd\\n  0\nd/\nlink@\npipe?"
        assert "read it with Read" in await desk.refused("LS", {"path": f"{desk.root}/a"})
        assert "does not exist" in await desk.refused("LS", {"path": f"{desk.root}/none"})

    at_bench(tmp_path, test, {"a": "abc", "d/x": "", "x.log": ""})


def test_ls_shows_so_many_and_counts_the_rest(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert (await desk.use("LS", {"path": str(desk.root)})).text.endswith("(… and 5 more)")

    at_bench(tmp_path, test, {f"f{n}": "" for n in range(1005)})


def test_todos_are_kept_whole(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        first = [{"content": "Test", "status": "pending", "activeForm": "Testing"}]
        await desk.use("TodoWrite", {"todos": first})
        result = await desk.use("TodoWrite", {"todos": []})
        assert result.detail == {"oldTodos": first, "newTodos": []}
        with pytest.raises(ToolFailed, match=r"`todos\.0\.status`"):
            await desk.use("TodoWrite", {"todos": [{"content": "x", "status": "soon"}]})

    at_bench(tmp_path, test)
