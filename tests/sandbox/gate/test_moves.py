"""Moves between checkout and journal: over nothing, on a file system with a step for it and on one without."""

import os

import pytest

from sandbox.gate.moves import put_in, take_out
from tests.faults import hit_from, traced, watched

AS_ON_NFS = hit_from(["renameat2"], 0, "error=EINVAL")
WITHOUT = (*watched("renameat2", "linkat"), "-e", "inject=renameat2:error=EINVAL", "-e")
REFUSED, UNKNOWN = ((*WITHOUT, f"inject=linkat:error={why}") for why in ("EPERM", "EOPNOTSUPP"))
HOW = pytest.mark.parametrize(
    "options", [(), AS_ON_NFS, REFUSED, UNKNOWN], ids=["any", "as on NFS", "of what takes no link", "without links"]
)


@pytest.fixture
def ends(tmp_path):
    for name in ("checkout", "journal"):
        (tmp_path / name).mkdir()
    yield (opened := [os.open(tmp_path / name, os.O_RDONLY) for name in ("checkout", "journal")])
    for descriptor in opened:
        os.close(descriptor)


def is_refused(move, tmp_path, options):
    """Make a move; whether it met something that was there."""

    def work():
        try:
            move()
        except FileExistsError:
            return 1
        return 0

    ended = traced(work, tmp_path, *options)
    assert ended.code in (0, 1)
    return ended.code == 1


def make(path, kind):
    match kind:
        case "file":
            path.write_text("moved")
        case "link":
            path.symlink_to("nowhere")
        case "folder":
            path.mkdir()
            (path / "in").write_text("moved")


@HOW
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_there_and_back_it_is_the_same_and_stands_at_one_name(tmp_path, ends, options, kind):
    make(tmp_path / "checkout" / "a", kind)
    before = os.lstat(tmp_path / "checkout" / "a").st_ino
    assert not is_refused(lambda: take_out(ends[0], b"a", ends[1], b"0"), tmp_path, options)
    assert (os.listdir(ends[0]), os.listdir(ends[1])) == ([], ["0"])
    assert not is_refused(lambda: put_in(ends[1], b"0", ends[0], b"a"), tmp_path, options)
    assert (os.listdir(ends[0]), os.listdir(ends[1])) == (["a"], [])
    assert os.lstat(tmp_path / "checkout" / "a").st_ino == before


@HOW
@pytest.mark.parametrize("there", ["file", "link", "folder"])
def test_what_stands_in_the_checkout_is_never_replaced(tmp_path, ends, options, there):
    make(tmp_path / "journal" / "0", "file")
    make(tmp_path / "checkout" / "a", there)
    before = os.lstat(tmp_path / "checkout" / "a")
    assert is_refused(lambda: put_in(ends[1], b"0", ends[0], b"a"), tmp_path, options)
    assert os.lstat(tmp_path / "checkout" / "a").st_ino == before.st_ino
    assert (tmp_path / "journal" / "0").read_text() == "moved"


@HOW
def test_what_a_journal_holds_is_never_replaced(tmp_path, ends, options):
    make(tmp_path / "checkout" / "a", "file")
    (tmp_path / "journal" / "0").write_text("first")
    assert is_refused(lambda: take_out(ends[0], b"a", ends[1], b"0"), tmp_path, options)
    assert (tmp_path / "journal" / "0").read_text() == "first"
    assert (tmp_path / "checkout" / "a").read_text() == "moved"
