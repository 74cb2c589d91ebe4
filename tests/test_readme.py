"""What the README says is true: its Python runs as written, its commands and exit codes exist."""

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


def test_every_command_of_the_tour_has_help() -> None:
    named = set(re.findall(r"^paddock (?!-)([a-z]+)", README, re.MULTILINE))
    assert {"run", "exec", "shell", "status", "diff", "review", "apply", "discard"} <= named
    for command in sorted(named):
        done = subprocess.run([sys.executable, "-m", "cli.main", command, "--help"], capture_output=True, cwd=ROOT)
        assert done.returncode == 0, command


def test_every_file_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target
