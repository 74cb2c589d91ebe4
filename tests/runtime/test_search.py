"""Glob and Grep with a real ripgrep."""

import os
from pathlib import Path

import pytest

from runtime.tools import search
from runtime.tools.grep import GrepInput, flags
from runtime.tools.registry import ALL, validated
from runtime.tools.tool import ToolFailed
from tests.runtime.test_tools import Bench, at_bench

FILES = {
    "a.py": "import os\nprint('needle')\nNeedle\n",
    "src/b.py": "needle = 1\nneedle = 2\n",
    "src/c.txt": "one needle\ntwo\n",
    ".hidden/d.py": "needle\n",
    ".git/config": "needle\n",
    "-dash.py": "needle\n",
}


def test_no_value_can_become_a_flag() -> None:
    given = validated(ALL["Grep"], {"pattern": "--pre=evil", "glob": "--x", "type": "--y", "-A": 1, "-i": True})
    assert isinstance(given, GrepInput)
    arguments = flags(given)
    assert {"--regexp=--pre=evil", "--glob=--x", "--type=--y", "--ignore-case"} <= set(arguments)
    assert not {"--pre=evil", "--x", "--y"} & set(arguments)


def test_the_flags_are_ripgreps_own() -> None:
    short = {"-i": True, "-n": False, "-A": 1, "-B": 2, "-C": 3, "-o": True, "multiline": True}
    given = validated(ALL["Grep"], {"pattern": "x", "output_mode": "content", **short})
    assert isinstance(given, GrepInput)
    assert {
        "--after-context=1",
        "--before-context=2",
        "--context=3",
        "--no-line-number",
        "--only-matching",
        "--multiline",
        "--multiline-dotall",
    } <= set(flags(given))


@pytest.mark.parametrize("name", ["ignore_case", "after", "-X"])
def test_grep_has_no_other_names_for_its_flags(name: str) -> None:
    with pytest.raises(ToolFailed, match="not a parameter"):
        validated(ALL["Grep"], {"pattern": "x", name: 1})


def test_glob_finds_files_newest_first(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        for age, name in enumerate(["src/b.py", "a.py", ".hidden/d.py", "-dash.py"]):
            os.utime(desk.root / name, (1_000_000 - age, 1_000_000 - age))
        result = await desk.use("Glob", {"pattern": "**/*.py"})
        names = [f"{desk.root}/{name}" for name in ("src/b.py", "a.py", ".hidden/d.py", "-dash.py")]
        assert result.text.split("\n") == names
        assert {key: value for key, value in result.detail.items() if key != "durationMs"} == {
            "numFiles": 4,
            "filenames": names,
            "truncated": False,
        }

    at_bench(tmp_path, test, FILES)


def test_glob_looks_where_it_is_told(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert (
            await desk.use("Glob", {"pattern": "*.txt", "path": f"{desk.root}/src"})
        ).text == f"{desk.root}/src/c.txt"
        assert (await desk.use("Glob", {"pattern": f"{desk.root}/src/*.txt"})).text == f"{desk.root}/src/c.txt"
        assert (await desk.use("Glob", {"pattern": "*.none"})).text == "No file matches."
        assert "relative" in await desk.refused("Glob", {"pattern": "/etc/*"})
        assert "the search failed" in await desk.refused("Glob", {"pattern": "["})
        assert "the search failed" in await desk.refused("Glob", {"pattern": "*", "path": f"{desk.root}/none"})

    at_bench(tmp_path, test, FILES)


def test_a_search_that_somebody_ended_is_no_search_without_a_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RG", ("sh", "-c", "printf 'hello.txt\\0'; kill -9 $$"))

    async def test(desk: Bench) -> None:
        assert "the search did not come to its end" in await desk.refused("Glob", {"pattern": "*.txt"})
        assert "the search did not come to its end" in await desk.refused("Grep", {"pattern": "needle"})

    at_bench(tmp_path, test, FILES)


def test_glob_shows_a_hundred_and_says_so(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Glob", {"pattern": "*"})
        assert (result.detail["numFiles"], result.detail["truncated"]) == (100, True)
        assert result.text.endswith("(only the newest 100 are shown: use a narrower pattern)")

    at_bench(tmp_path, test, {f"f{n}": "" for n in range(120)})


def test_grep_shows_files_lines_or_counts(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        root = desk.root
        files = await desk.use("Grep", {"pattern": "needle"})
        assert set(files.text.split("\n")) == {
            f"{root}/{name}" for name in ("a.py", "src/b.py", "src/c.txt", ".hidden/d.py", "-dash.py")
        }
        lines = await desk.use(
            "Grep", {"pattern": "needle", "output_mode": "content", "glob": "*.py", "path": f"{root}/src"}
        )
        assert lines.text == f"{root}/src/b.py:1:needle = 1\n{root}/src/b.py:2:needle = 2"
        assert lines.detail["numLines"] == 2
        count = await desk.use("Grep", {"pattern": "needle", "output_mode": "count", "path": f"{root}/src"})
        assert count.text == f"{root}/src/b.py:2\n{root}/src/c.txt:1"
        assert (count.detail["numFiles"], count.detail["numMatches"]) == (2, 3)

    at_bench(tmp_path, test, FILES)


def test_grep_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        given = {"pattern": "x", "output_mode": "content", "-n": False, "head_limit": 2}
        first = await desk.use("Grep", given)
        assert first.text.endswith("f:x1\n(3 more: go on with offset=2, or narrow the search)")
        last = await desk.use("Grep", {**given, "offset": 4})
        assert last.text == f"{desk.root}/f:x4"
        assert (await desk.use("Grep", {"pattern": "nothing"})).text == "Nothing matches."

    at_bench(tmp_path, test, {"f": "".join(f"x{n}\n" for n in range(5))})


def test_grep_explains_a_bad_pattern(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert "regex parse error" in await desk.refused("Grep", {"pattern": "("})
        assert "unrecognized file type" in await desk.refused("Grep", {"pattern": "x", "type": "nonsense"})

    at_bench(tmp_path, test, FILES)


def test_one_huge_line_does_not_fill_the_answer(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        text = (await desk.use("Grep", {"pattern": "needle", "output_mode": "content"})).text
        assert len(text) < 5_000

    at_bench(tmp_path, test, {"f": "needle" + "x" * 1_000_000 + "\n"})
