"""An index that is split is a stranger's bytes, too; git's own are tried in tests/sandbox/hiding/test_index.py."""

import struct
import subprocess

import pytest

from sandbox.gate import gitindex, splitindex
from sandbox.gate.splitindex import whole
from sandbox.gate.tracked import tracked

NAMES = ["a", "b", "c"]


@pytest.fixture
def repository(tmp_path):
    """One whose index is empty but for what it shares: three files."""
    for name in NAMES:
        (tmp_path / name).write_text(name)
    for arguments in (["init", "-q"], ["add", "-A"], ["update-index", "--split-index"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def bitmap(*words, count=None):
    return struct.pack(">II", 3, len(words) if count is None else count) + struct.pack(f">{len(words)}QI", *words, 0)


def run(bit, words, literals=0):
    return bit | words << 1 | literals << 33


def put(repository, bitmaps):
    """Have the index say that of what it shares."""
    (shared,) = (repository / ".git").glob("sharedindex.*")
    link = bytes.fromhex(shared.suffix[1:]) + bitmaps
    made = struct.pack(">4sII4sI", b"DIRC", 2, 0, b"link", len(link)) + link
    (repository / ".git/index").write_bytes(gitindex.summed(made, 20))


NOTHING = bitmap(run(0, 1))


@pytest.mark.parametrize(
    ("deleted", "left"),
    [
        (NOTHING, "abc"),
        (bitmap(run(0, 0, 1), 0b010), "ac"),
        (bitmap(run(0, 0, 1), 0b111), ""),
    ],
)
def test_what_is_deleted_of_what_is_shared_is_gone(repository, deleted, left):
    put(repository, deleted + NOTHING)
    assert tracked(repository) == {name.encode() for name in left}
    listed = subprocess.run(["git", "ls-files"], cwd=repository, check=True, capture_output=True, text=True).stdout
    assert listed.split() == list(left)


@pytest.mark.parametrize(
    "bitmaps",
    [
        b"",
        b"\0",
        NOTHING,  # and no second one
        bitmap(count=2**31) + NOTHING,
        bitmap(*[0] * 100) + NOTHING,  # in which nothing is, without end
        bitmap(run(0, 0, 1), 0b1000) + NOTHING,
        bitmap(run(1, 1)) + NOTHING,
        bitmap(run(0, 2**20, 1), 1) + NOTHING,
        bitmap(run(0, 0, 2), 0, 0) + NOTHING,
        NOTHING + bitmap(run(0, 0, 1), 1),  # replaced by what is not there
    ],
)
def test_r17_what_means_nothing_is_no_index(repository, bitmaps):
    put(repository, bitmaps)
    assert tracked(repository) == frozenset()


def test_r17_what_would_take_too_much_memory_is_not_put_together(repository, monkeypatch):
    put(repository, NOTHING + NOTHING)
    assert len(tracked(repository)) == 3
    monkeypatch.setattr(splitindex, "_MOST", 2)
    assert tracked(repository) == frozenset()


def test_an_index_that_is_not_split_stays_as_it_is(repository):
    subprocess.run(["git", "update-index", "--no-split-index"], cwd=repository, check=True)
    data = (repository / ".git/index").read_bytes()
    assert whole(data, lambda _: None) is data
