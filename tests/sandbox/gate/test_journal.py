"""The folder an apply is done from: private, complete before it counts, gone afterwards."""

import os
import stat

import pytest

from sandbox.changes import Change, Link
from sandbox.errors import StateError
from sandbox.gate.blobs import Blobs
from sandbox.gate.journal import Journal, journals
from sandbox.gate.syscalls import names_now


@pytest.fixture
def root(tmp_path):
    (tmp_path / "checkout").mkdir()
    descriptor = os.open(tmp_path / "checkout", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def blobs(tmp_path):
    (tmp_path / "blobs").mkdir()
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def journal(root):
    made = Journal.make(root, b".paddock-txn.1")
    yield made
    made.close()


def test_a_journal_is_private(root, journal):
    for path in (".paddock-txn.1", ".paddock-txn.1/new", ".paddock-txn.1/old"):
        assert stat.S_IMODE(os.stat(path, dir_fd=root).st_mode) == 0o700


def test_files_and_links_are_staged_under_their_slots(root, journal, blobs):
    journal.stage(3, Change(b"a", None, blobs.put(b"content")), blobs, None)
    journal.stage(4, Change(b"l", None, Link(b"a")), blobs, None)
    journal.stage(5, Change(b"gone", blobs.put(b"x"), None), blobs, None)
    journal.sync([3])
    assert sorted(names_now(journal.new)) == [b"3", b"4"]
    assert os.readlink("4", dir_fd=journal.new) == "a"
    with open(os.open("3", os.O_RDONLY, dir_fd=journal.new), "rb") as staged:
        assert staged.read() == b"content"


def test_a_journal_counts_from_its_commit_on(root, journal):
    assert journal.committed() is None
    assert not journal.is_finished()
    journal.commit("quote")
    assert journal.committed() == "quote"
    journal.finish()
    assert journal.is_finished()


def test_a_discarded_journal_is_gone(root, journal, blobs):
    journal.stage(0, Change(b"a", None, blobs.put(b"x")), blobs, None)
    journal.commit("quote")
    journal.discard()
    assert names_now(root) == []


def test_a_folder_of_the_users_in_a_slot_is_never_removed(root, journal):
    os.mkdir("0", dir_fd=journal.old)
    os.mknod("0/mine", dir_fd=journal.old)
    journal.discard()
    assert journals(root) == [b".paddock-txn.1.trash"]
    assert os.stat(".paddock-txn.1.trash/old/0/mine", dir_fd=root)


def test_c14_a_half_removed_journal_is_trash_and_not_an_aborted_one(root, journal):
    journal.commit("quote")
    os.rename(".paddock-txn.1", ".paddock-txn.1.trash", src_dir_fd=root, dst_dir_fd=root)
    os.unlink(".paddock-txn.1.trash/COMMIT", dir_fd=root)
    os.rmdir(".paddock-txn.1.trash/new", dir_fd=root)
    found = Journal.find(root, b".paddock-txn.1.trash")
    found.discard()
    found.close()
    assert names_now(root) == []


def test_only_reserved_names_are_journals(root, journal):
    os.mknod(".paddock", dir_fd=root)
    os.mknod("paddock-txn.2", dir_fd=root)
    assert journals(root) == [b".paddock-txn.1"]


def test_a_journal_that_is_no_folder_is_refused(root):
    os.mknod(".paddock-txn.2", dir_fd=root)
    with pytest.raises(StateError, match="nothing was done with it"):
        Journal.find(root, b".paddock-txn.2")
