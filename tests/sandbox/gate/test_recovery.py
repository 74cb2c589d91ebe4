"""What the next command makes of an apply that was cut short: finished if it was committed, else thrown away.

Every system call at which it can be cut is in test_faults.py; here are the states that this leaves, by hand.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.changes import Change, File, Link
from sandbox.errors import ApplyUnfinished, CheckoutRefused, StateError
from sandbox.gate.apply import Recovered
from sandbox.gate.approval import Approval, Before, record_approval
from sandbox.gate.blobs import Blobs
from sandbox.gate.journal import Journal
from sandbox.gate.moves import exchange_in_two, settle
from sandbox.gate.steps import Swap, steps
from sandbox.gate.syscalls import exchange, names_now
from sandbox.gate.transaction import Transaction, judge
from sandbox.sessions import now

ROOT = Path(__file__).parents[3]

RECOVER = """
import os, sys
from pathlib import Path
from sandbox.gate.apply import recover
from sandbox.sessions import Session, Sessions
session = Session(Path(sys.argv[2]))
os.sched_yield()
print(recover(Path(sys.argv[1]), sessions=Sessions(session.path.parent.parent)))
"""


def committed(gate, root, content="new", *, before="old", path=b"a"):
    """A journal as a crash right after COMMIT leaves it, for one edit; for a new file without `before`."""
    old = None if before is None else gate.blobs.put(before.encode())
    change = Change(path, old, gate.blobs.put(content.encode()))
    approval = Approval("any", (change,), "tester", now())
    approved = record_approval(gate.session, approval, gate.checkout, before=Before())
    journal = Journal.make(root, os.fsencode(approved.journal))
    journal.stage(0, change, gate.blobs, None)
    journal.sync([0])
    journal.commit(approved.digest())
    return approved, journal


@pytest.fixture
def root(gate, lay_out):
    lay_out({"a": "old"})
    descriptor = os.open(gate.checkout, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("taken", [False, True])
def test_of_two_versions_that_the_user_saved_in_that_moment_both_stay(gate, root, taken):
    """What a crash in the middle of handing one back leaves: the first at the path, the other in the journal."""
    _, journal = committed(gate, root)
    journal.close()
    (folder,) = (path for path in gate.checkout.iterdir() if path.name.startswith(".paddock-txn"))
    (gate.checkout / "a").write_text("theirs")
    (folder / "new" / "0").write_text("theirs, too")
    if taken:
        (gate.checkout / "a.kept-1").write_text("an earlier one")
    beside = "a.kept-2" if taken else "a.kept-1"
    found = gate.recover()
    assert [(one.path, beside in one.reason) for one in found.kept] == [(b"a", True)]
    assert (gate.checkout / "a").read_text() == "theirs"
    assert (gate.checkout / beside).read_text() == "theirs, too"
    assert len(os.listdir(gate.checkout)) == (3 if taken else 2)


def test_a_committed_journal_is_finished_by_the_next_command(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    assert gate.recover() == Recovered("applied", gate.session.id, (b"a",))
    assert os.listdir(gate.checkout) == ["a"]
    assert (gate.checkout / "a").read_text() == "new"


def test_an_edit_between_crash_and_recovery_is_kept_and_reported(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    (gate.checkout / "a").write_text("user")
    found = gate.recover()
    assert found is not None
    assert [conflict.path for conflict in found.kept] == [b"a"]
    assert (gate.checkout / "a").read_text() == "user"


def test_a_save_that_the_crash_caught_inside_the_journal_is_handed_back(gate, root):
    _, journal = committed(gate, root)
    (gate.checkout / "a").write_text("user")
    exchange(root, b"a", journal.new, b"0")  # and then the process died
    journal.close()
    found = gate.recover()
    assert found is not None
    assert [conflict.path for conflict in found.kept] == [b"a"]
    assert (gate.checkout / "a").read_text() == "user"


def test_c15_a_damaged_staged_copy_is_never_put_into_place(gate, root):
    _, journal = committed(gate, root)
    (gate.checkout / os.fsdecode(journal.name) / "new" / "0").write_text("n\0w")
    journal.close()
    found = gate.recover()
    assert found is not None
    assert [conflict.path for conflict in found.kept] == [b"a"]
    assert (gate.checkout / "a").read_text() == "old"


def tamper_flip(gate, journal):
    path = gate.checkout / os.fsdecode(journal.name) / "COMMIT"
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def tamper_truncate(gate, journal):
    os.truncate(gate.checkout / os.fsdecode(journal.name) / "COMMIT", 10)


def tamper_empty(gate, journal):
    os.truncate(gate.checkout / os.fsdecode(journal.name) / "COMMIT", 0)


def tamper_mode(gate, journal):
    (gate.checkout / os.fsdecode(journal.name)).chmod(0o755)


def tamper_owner(gate, journal):
    try:
        os.chown(gate.checkout / os.fsdecode(journal.name), 4321, 4321)
    except PermissionError:
        pytest.fail("this test gives a folder away, which takes root")


def tamper_link(gate, journal):
    path = gate.checkout / os.fsdecode(journal.name)
    path.rename(gate.checkout.parent / "elsewhere")
    path.symlink_to(gate.checkout.parent / "elsewhere")


def tamper_record(gate, journal):
    text = gate.session.approvals.read_text()
    gate.session.approvals.write_text(text.replace('"61"', '"62"'))


@pytest.mark.root
@pytest.mark.parametrize(
    "tamper",
    [tamper_flip, tamper_truncate, tamper_empty, tamper_mode, tamper_owner, tamper_link, tamper_record],
)
def test_c15_a_damaged_or_foreign_journal_is_refused_and_left_alone(gate, root, tamper):
    _, journal = committed(gate, root)
    tamper(gate, journal)
    journal.close()
    for _ in range(2):
        with pytest.raises(StateError, match=r"nothing was done with it|damaged"):
            gate.recover()
    assert (gate.checkout / "a").read_text() == "old"
    assert (gate.checkout / os.fsdecode(journal.name)).exists()


def test_c15_a_journal_that_came_with_a_repository_is_never_applied(gate, lay_out):
    lay_out({"a": "old", ".paddock-txn.evil/COMMIT": "yes", ".paddock-txn.evil/new/0": "evil", "b": "1"})
    (gate.checkout / ".paddock-txn.evil").chmod(0o700)
    with pytest.raises(StateError, match="belongs to no session of yours"):
        gate.recover()
    gate.put("b", "2")
    with pytest.raises(StateError, match="belongs to no session of yours"):
        gate.apply_all()
    assert (gate.checkout / "a").read_text() == "old"
    assert (gate.checkout / "b").read_text() == "1"


def test_a_damaged_record_is_refused(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    gate.session.approvals.write_text("{}\n" + gate.session.approvals.read_text())
    with pytest.raises(StateError, match="is damaged"):
        gate.recover()
    assert (gate.checkout / "a").read_text() == "old"


def test_a_torn_last_record_is_dropped_and_does_not_swallow_the_next(gate, lay_out):
    lay_out({"a": "1"})
    gate.put("a", "2")
    gate.session.approvals.write_text('{"kind":"approved","id":"tor')
    gate.apply_all()
    kinds = [json.loads(line)["kind"] for line in gate.session.approvals.read_text().splitlines()]
    assert kinds == ["approved", "applied"]


@pytest.mark.root
def test_c20_a_checkout_that_turned_read_only_keeps_its_journal_for_later(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    if os.system(f"mount --bind {gate.checkout} {gate.checkout} && mount -o remount,ro,bind {gate.checkout}") != 0:
        pytest.fail("this test mounts the checkout read-only, which takes root")
    try:
        with pytest.raises(ApplyUnfinished, match="Read-only"):
            gate.recover()
    finally:
        os.system(f"umount {gate.checkout}")
    found = gate.recover()
    assert found is not None
    assert found.paths == (b"a",)
    assert (gate.checkout / "a").read_text() == "new"


def test_c19_two_recoveries_at_once_do_it_once(gate, root, tmp_path):
    _, journal = committed(gate, root)
    journal.close()
    command = [sys.executable, "-c", RECOVER, gate.checkout, gate.session.path]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = sorted(process.communicate()[0].strip()[:9] for process in running)
    assert told == ["None", "Recovered"]
    assert (gate.checkout / "a").read_text() == "new"


OLD, NEW, OTHER = File("0" * 64, 1), File("1" * 64, 1), Link(b"x")


@pytest.mark.parametrize(
    ("at", "staged", "wanted"),
    [
        (OLD, NEW, "swap"),
        (NEW, OLD, "done"),
        (NEW, NEW, "done"),
        (NEW, None, "done"),
        (NEW, OTHER, "hand back"),
        (OTHER, NEW, "keep"),
        (None, NEW, "keep"),
        (OTHER, OLD, "done"),
        (None, OLD, "done"),
        (OTHER, OTHER, "keep"),
        (OLD, OTHER, "damaged"),
        (OLD, None, "damaged"),
    ],
)
def test_what_is_left_of_a_swap_follows_from_the_two_places(at, staged, wanted):
    assert judge(at, staged, Swap(b"a", OLD, NEW, 0)) == wanted


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_an_exchange_in_two_that_is_cut_short_is_settled(tmp_path, cut):
    (tmp_path / "there").mkdir()
    (tmp_path / "a").write_text("old")
    (tmp_path / "there" / "0").write_text("new")
    here, there = os.open(tmp_path, os.O_RDONLY), os.open(tmp_path / "there", os.O_RDONLY)
    moves = [
        functools.partial(os.rename, tmp_path / "a", tmp_path / "there" / "0.out"),
        functools.partial(os.rename, tmp_path / "there" / "0", tmp_path / "a"),
        functools.partial(os.rename, tmp_path / "there" / "0.out", tmp_path / "there" / "0"),
    ]
    for move in moves[:cut]:
        move()
    settle(here, b"a", there, b"0")
    found = ((tmp_path / "a").read_text(), (tmp_path / "there" / "0").read_text())
    assert found == (("old", "new") if cut < 2 else ("new", "old"))
    exchange_in_two(here, b"a", there, b"0")
    assert ((tmp_path / "a").read_text(), (tmp_path / "there" / "0").read_text()) == found[::-1]
    assert names_now(there) == [b"0"]
    os.close(here)
    os.close(there)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ({"a": "new", "there/0": "a", "there/0.out": "old"}, {"a": "new", "there/0": "old"}),
        ({"a": "old", "there/0": "new", "there/0.out": "a"}, {"a": "old", "there/0": "new"}),
        ({"a": "theirs", "there/0": "new", "there/0.out": "old"}, None),
    ],
    ids=["going in", "going back", "theirs"],
)
def test_a_move_into_the_checkout_that_left_both_names_is_settled(tmp_path, made, found):
    """As on NFS, where it is a link and an unlink; what came out may be a version the user has saved meanwhile."""
    (tmp_path / "there").mkdir()
    for name, what in made.items():
        os.link(tmp_path / "a", tmp_path / name) if what == "a" else (tmp_path / name).write_text(what)
    here, there = os.open(tmp_path, os.O_RDONLY), os.open(tmp_path / "there", os.O_RDONLY)
    settle(here, b"a", there, b"0")
    os.close(here)
    os.close(there)
    left = {name: (tmp_path / name).read_text() for name in made if (tmp_path / name).exists()}
    assert left == (found or made)


def test_a_new_file_that_is_in_place_and_still_in_its_slot_is_the_users_from_then_on(gate, root):
    """As on NFS; a user who writes to the file then writes to both names."""
    _, journal = committed(gate, root, before=None, path=b"b")
    os.link("0", "b", src_dir_fd=journal.new, dst_dir_fd=root)
    journal.close()
    (gate.checkout / "b").write_text("user")
    found = gate.recover()
    assert (found.paths, found.kept) == ((b"b",), ())
    assert (gate.checkout / "b").read_text() == "user"
    assert sorted(os.listdir(gate.checkout)) == ["a", "b"]


def test_blobs_are_not_needed_to_finish(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    shutil.rmtree(gate.session.blobs)
    found = gate.recover()
    assert found is not None
    assert found.paths == (b"a",)
    assert Blobs(gate.session.blobs).holds(File("0" * 64, 0)) is False


def test_c20_a_checkout_that_was_moved_after_the_commit_is_finished_where_it_is(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    moved = gate.checkout.with_name("moved")
    gate.checkout.rename(moved)
    with pytest.raises(CheckoutRefused, match="cannot be opened"):
        gate.recover()
    gate.checkout.mkdir()
    assert gate.recover() is None
    gate.checkout.rmdir()
    moved.rename(gate.checkout)
    found = gate.recover()
    assert found is not None
    assert found.paths == (b"a",)
    assert (gate.checkout / "a").read_text() == "new"


def test_a_removed_file_whose_folder_became_a_file_before_the_crash_was_not_kept(gate, lay_out, tree):
    lay_out({"d/x": "x", "d/e/y": "y"})
    gate.put("d", "a file now")
    changes = gate.collect()
    approval = gate.approval(changes)
    descriptor = os.open(gate.checkout, os.O_RDONLY)
    approved = record_approval(gate.session, approval, gate.checkout, before=Before())
    journal = Journal.make(descriptor, os.fsencode(approved.journal))
    for slot, change in approved.slots().items():
        journal.stage(slot, change, gate.blobs, None)
    journal.commit(approved.digest())
    Transaction(descriptor, journal, exchange, again=False).run(steps(approved.slots()))  # and then the process died
    journal.close()
    os.close(descriptor)
    found = gate.recover()
    assert found is not None
    assert found.kept == ()
    assert tree(gate.checkout) == {b"d": ("file", b"a file now")}
