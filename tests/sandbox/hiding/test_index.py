"""Git inside does not take a hidden file for deleted, whatever form its index has."""

import hashlib
import itertools
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


FORMS = [
    "2",
    "3",
    "4",
    "no sum",
    "threads",
    "sha256",
    "sha256, 4",
    "split",
    "split, 4",
    "split, all new",
    "split, sha256",
]


@pytest.fixture(params=FORMS)
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A repository with an index of some form."""
    folder = tmp_path / "r"
    folder.mkdir()
    git(folder, "init", "-q", f"--object-format={'sha256' if 'sha256' in request.param else 'sha1'}")
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
    if "4" in request.param.split(", "):
        git(folder, "update-index", "--index-version", "4")
    if "split" in request.param:
        split(folder)
    if request.param == "split, all new":
        git(folder, "update-index", "--split-index")
    return folder


def split(folder: Path) -> None:
    """Have an index that shares entries, replaces one, lacks some and has new ones; the tree and HEAD go with it."""
    many = folder / ("b" * 70)
    many.mkdir()
    for number in range(200):
        (many / f"{number:03}").write_text(f"{number}")
    git(folder, "add", "-A")
    git(folder, "config", "splitIndex.maxPercentChange", "100")
    git(folder, "update-index", "--split-index")
    git(folder, "rm", "-qf", *(f"{many.name}/{number:03}" for number in (0, 1, 2, *range(64, 140))))
    (folder / "a/c.py").write_text("another")
    (folder / "new").write_text("new")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "y")


def without(folder: Path) -> bytes | None:
    """What stands in for the index of a repository."""
    directory = os.open(folder / ".git", os.O_RDONLY)
    try:
        return skipping(directory, b"index", is_hidden)
    finally:
        os.close(directory)


def is_hidden(path: bytes) -> bool:
    return path.endswith((b".env", b".key"))


def test_hidden_files_are_skipped_and_all_else_is_as_it_was(repository: Path) -> None:
    before = git(repository, "ls-files", "-s")
    names = git(repository, "-c", "core.quotePath=off", "ls-files", "-s").splitlines()
    assert tracked(repository) == {os.fsencode(line[line.index("\t") + 1 :]) for line in names}
    made = without(repository)
    assert made is not None
    (repository / ".git/index").write_bytes(made)
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
    assert tracked(repository) == {os.fsencode(line[line.index("\t") + 1 :]) for line in names}
    (repository / "a/b.py").write_text("new")
    git(repository, "commit", "-qam", "all")
    git(repository, "add", "-A")
    assert git(repository, "show", "--stat", "--format=", "--name-status").split() == ["M", "a/b.py"]


def test_r17_object_ids_that_make_it_look_like_one_with_shorter_ids_change_nothing(tmp_path: Path) -> None:
    """Who makes a repository chooses ids: here such that the first entries read as those of SHA-1."""
    git(tmp_path, "init", "-q", "--object-format=sha256")
    numbers = itertools.count()
    for number in range(8):
        text = next(text for text in (str(found) for found in numbers) if looks_short(text))
        (tmp_path / f"!{number}").write_text(text)
    (tmp_path / ".env").write_text("secret")
    git(tmp_path, "add", "-fA")
    assert tracked(tmp_path) == {b".env", *(f"!{number}".encode() for number in range(8))}
    made = without(tmp_path)
    assert made is not None
    (tmp_path / ".git/index").write_bytes(made)
    (tmp_path / ".env").unlink()
    assert git(tmp_path, "diff", "--name-status") == ""


def looks_short(text: str) -> bool:
    """Whether the end of a blob's id is flags of a name of ten bytes, and these, in an index with 20 bytes for it."""
    end = hashlib.sha256(f"blob {len(text)}\0{text}".encode()).digest()[20:]
    return end[0] & 0x4F == 0 and end[1] == 10 and 0 not in end[2:]


DAMAGED = [b"", b"DIRC", b"DIRC\0\0\0\x09" + bytes(64), b"DIRC\0\0\0\x02\0\0\0\xff" + bytes(64)]


@pytest.mark.parametrize("data", DAMAGED)
def test_what_is_no_index_is_left_alone(tmp_path: Path, data: bytes) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".git/index").write_bytes(data)
    assert without(tmp_path) is None


@pytest.mark.parametrize("shared", [None, b"", *DAMAGED])
def test_a_split_index_without_what_it_shares_is_left_alone(tmp_path: Path, shared: bytes | None) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".env").write_text("x")
    git(tmp_path, "add", "-f", ".env")
    git(tmp_path, "update-index", "--split-index")
    assert without(tmp_path) is not None
    (file,) = (tmp_path / ".git").glob("sharedindex.*")
    file.unlink()
    if shared is not None:
        file.write_bytes(shared)
    assert without(tmp_path) is None
    assert tracked(tmp_path) == frozenset()
