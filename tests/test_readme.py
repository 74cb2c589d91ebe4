"""What the README says is true: its Python runs as written, its commands and exit codes exist."""

import functools
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import exits
from runtime.script import ScriptServer, load_script

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.engine
def test_the_python_example_runs_as_written(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    sample = Path(str(importlib.resources.files("cli") / "sample"))
    checkout = tmp_path / "receipts"
    shutil.copytree(sample / "project", checkout)
    with ScriptServer(load_script(sample / "demo.yaml"), cwd=str(checkout)) as server:
        environment = {
            **os.environ,
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "PYTHONPATH": str(ROOT),
            "ANTHROPIC_BASE_URL": server.url,
            "ANTHROPIC_API_KEY": "scripted",
        }
        done = subprocess.run(
            [sys.executable, "-c", example], cwd=checkout, env=environment, capture_output=True, text=True, timeout=100
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "exit code 0" in (checkout / "NOTES.md").read_text("utf-8")
    assert "+    if quantity >= BULK:" in done.stdout
    assert "Applied(paths=(b'NOTES.md', b'receipt.py')" in done.stdout
    assert subprocess.run([sys.executable, "-m", "unittest"], cwd=checkout, capture_output=True).returncode == 0


def test_the_example_is_short() -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 15


def test_the_exit_codes_are_those_of_the_program() -> None:
    named = {int(code) for code in re.findall(r"\| (\d+) \|", README)}
    ours = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert named == ours - {exits.PIPE_CLOSED}  # the shell's own, 128 + SIGPIPE


def test_the_tour_shows_every_command_a_day_needs() -> None:
    named = set(re.findall(r"^paddock (?!-)([a-z]+)", README, re.MULTILINE))
    assert {"run", "exec", "shell", "status", "diff", "review", "apply", "undo", "discard"} <= named


PAGES = ("README.md", "SECURITY.md", "CONTRIBUTING.md", *sorted(f"docs/{one.name}" for one in ROOT.glob("docs/*.md")))


def printed(page: str) -> set[tuple[str, ...]]:
    """The commands on a page's screens and in its examples: `paddock`, its subcommand, its options."""
    text = (ROOT / page).read_text("utf-8")
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL)
    lines = [line.partition(" #")[0] for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(paddock [^`]+)`", text)
    found = [re.match(r"(?:\$ )?(paddock (?!-)[a-z].*)", line) for line in lines]
    return {tuple(one[1].split()[1:]) for one in found if one}


@functools.cache
def help_of(command: tuple[str, ...]) -> str:
    """What a command says of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *command, "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, command
    return done.stdout


def test_every_command_that_is_printed_exists_with_its_options() -> None:
    for words in sorted(words for page in PAGES for words in printed(page)):
        is_group = words[0] in ("policy", "sessions", "images") and len(words) > 1
        known = help_of(words[:2] if is_group else words[:1])
        ours = words[: words.index("--")] if "--" in words else words
        for option in (word for word in ours if re.fullmatch(r"--?[a-z][a-z-]*", word)):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), f"{words[0]} {option}"


@pytest.mark.parametrize("page", PAGES)
def test_every_place_a_page_links_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for name, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", text):
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.is_file(), name
        assert not anchor or anchor in anchors(target.read_text("utf-8")), anchor


def anchors(text: str) -> set[str]:
    """What a page's headings are called in a link."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {
        re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    }
