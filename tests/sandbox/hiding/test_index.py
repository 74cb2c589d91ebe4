"""Git inside does not take a hidden file for deleted, whatever form its index has."""

import os
import subprocess
from pathlib import Path

import pytest

from sandbox.gate.tracked import tracked
from sandbox.hiding.index import skipping

NAMES = ["a/.env", "a/b.py", "a/c.py", ".env", "d" * 100 + "/" + "z" * 200, "caf\u00e9.key", "x"]


def git(folder: Path, *argv: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *argv]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(params=["2", "3", "4", "no sum", "threads"])
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A repository with an index of some form."""
    folder = tmp_path / "r"
    folder.mkdir()
    git(folder, "init", "-q")
    if request.param == "no sum":
        git(folder, "config", "index.skipHash", "true")
    if request.param == "threads":
        git(folder, "config", "index.threads", "2")
    for name in NAMES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    if request.param == "3":
        git(folder, "update-index", "--skip-worktree", "x", ".env")
    if request.param == "4":
        git(folder, "update-index", "--index-version", "4")
    return folder


def is_hidden(path: bytes) -> bool:
    return path.endswith((b".env", b".key"))


def test_hidden_files_are_skipped_and_all_else_is_as_it_was(repository: Path) -> None:
    before = git(repository, "ls-files", "-s")
    index = repository / ".git/index"
    made = skipping(index.read_bytes(), is_hidden)
    assert made is not None
    index.write_bytes(made)
    for name in ("a/.env", ".env", "caf\u00e9.key"):
        (repository / name).unlink()
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "ls-files", "-s") == before
    git(repository, "fsck", "--strict")
    skipped = {
        line[2:]
        for line in git(repository, "-c", "core.quotePath=off", "ls-files", "-t").splitlines()
        if line[0] == "S"
    }
    assert skipped >= {"a/.env", ".env", "caf\u00e9.key"}
    assert tracked(repository) == {os.fsencode(name) for name in NAMES}
    (repository / "a/b.py").write_text("new")
    git(repository, "commit", "-qam", "all")
    git(repository, "add", "-A")
    assert git(repository, "show", "--stat", "--format=", "--name-status").split() == ["M", "a/b.py"]


@pytest.mark.parametrize("data", [b"", b"DIRC", b"DIRC\0\0\0\x09" + bytes(64), b"DIRC\0\0\0\x02\0\0\0\xff" + bytes(64)])
def test_what_is_no_index_is_left_alone(data: bytes) -> None:
    assert skipping(data, is_hidden) is None


def test_a_split_index_is_left_alone(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".env").write_text("x")
    git(tmp_path, "add", "-f", ".env")
    git(tmp_path, "update-index", "--split-index")
    assert skipping((tmp_path / ".git/index").read_bytes(), is_hidden) is None
