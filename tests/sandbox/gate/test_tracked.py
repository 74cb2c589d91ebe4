"""Which paths git tracks, without asking git; git writes the index that we read."""

import os
import subprocess
import tracemalloc

import pytest

from sandbox.gate.ignore import Ignored
from sandbox.gate.tracked import tracked
from sandbox.hiding.index import skipping

NAMES = [b"a", b"b.log", b"deep/er/file", b"deep/er/file2", b"x" * 200 + b"/y", b"\xff\n", b"d/" * 20 + b"leaf"]


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", folder], check=True)
    for name in NAMES:
        place = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(name)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_the_index_is_read_in_every_version(repository, version):
    if version == "3":
        subprocess.run(["git", "update-index", "--skip-worktree", "a"], cwd=repository, check=True)
    subprocess.run(["git", "update-index", "--index-version", version], cwd=repository, check=True)
    assert tracked(repository) == frozenset(NAMES)


def test_a_linked_worktree_has_an_index_of_its_own(repository, tmp_path):
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@e", "commit", "-qm", "x"], cwd=repository, check=True
    )
    subprocess.run(["git", "worktree", "add", "-q", tmp_path / "linked"], cwd=repository, check=True)
    assert tracked(tmp_path / "linked") == frozenset(NAMES)


@pytest.mark.parametrize(
    "damage", [b"", b"DIRC", b"DIRC\0\0\0\2\0\0\0\5", b"XXXX" + b"\0" * 100, b"DIRC\0\0\0\4\0\0\0\1" + b"\xff" * 90]
)
def test_an_index_that_cannot_be_read_tracks_nothing(repository, damage):
    (repository / ".git" / "index").write_bytes(damage)
    assert tracked(repository) == frozenset()


def test_r17_a_number_without_end_costs_no_time(repository):
    (repository / ".git" / "index").write_bytes(b"DIRC\0\0\0\4\0\0\0\1" + bytes(61) + b"\1" + b"\xff" * 20_000_000)
    assert tracked(repository) == frozenset()


def test_r17_parts_without_end_cost_no_memory(repository):
    (repository / ".git" / "index").write_bytes(b"DIRC\0\0\0\2\0\0\0\0" + b"MORE\0\0\0\0" * 4_000_000 + bytes(20))
    assert tracked(repository) == frozenset()
    directory = os.open(repository / ".git", os.O_RDONLY)
    tracemalloc.start()
    try:
        assert skipping(directory, b"index", lambda _: True) is None
        assert tracemalloc.get_traced_memory()[1] < 300_000_000  # most of it is room for the largest file that is read
    finally:
        tracemalloc.stop()
        os.close(directory)


def test_no_repository_tracks_nothing(tmp_path):
    assert tracked(tmp_path) == frozenset()
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert tracked(tmp_path) == frozenset()


def test_a_tracked_file_is_not_left_out_whatever_the_rules_say(repository):
    (repository / ".gitignore").write_text("*.log\n")
    assert not Ignored(repository).leaves_out(b"b.log", False)
    assert Ignored(repository).leaves_out(b"new.log", False)
    assert not Ignored(repository).leaves_out(b"new.txt", False)


def test_r17_an_index_whose_paths_grow_without_end_tracks_nothing(repository):
    for count, found in ((100, 100), (100_000, 0)):
        lengths = (min(100 * number, 0xFFF) for number in range(1, count + 1))
        rows = b"".join(bytes(60) + length.to_bytes(2) + b"\0" + b"x" * 100 + b"\0" for length in lengths)
        index = b"DIRC" + (4).to_bytes(4) + count.to_bytes(4) + rows + bytes(20)
        (repository / ".git" / "index").write_bytes(index)
        assert len(tracked(repository)) == found
