"""After an apply to a mounted overlay, the sandbox works on, and nothing it deletes is lost."""

import os
import shutil
import subprocess
import time

import pytest

from sandbox.base import Call
from sandbox.gate.discard import discard_paths
from sandbox.gate.freeze import frozen
from sandbox.gate.ledger import Ledger
from sandbox.gate.provenance import causes

pytestmark = pytest.mark.root


@pytest.fixture
def live(gate, lay_out, mounted):
    """A mounted overlay into which a call has put a new folder, which has been applied since; and the ledger."""
    lay_out({"old/a.txt": "a\n", "top.txt": "t\n"})
    view = mounted()
    ledger = Ledger(gate.session)
    shutil.copytree(view / "old", view / "new")
    (view / "new" / "sub").mkdir()
    (view / "new" / "sub" / "b.txt").write_text("b\n")
    (view / "root.txt").write_text("r\n")
    (view / "top.txt").unlink()
    ledger.note(Call("made", "Bash", "made it"), "by")
    gate.apply_all()
    assert frozen(gate.session).changes == ()
    time.sleep(0.002)
    return view, ledger


def listed(gate) -> set[tuple[str, bytes]]:
    return {(change.kind, change.path) for change in frozen(gate.session).changes}


def test_what_is_deleted_from_an_applied_folder_is_a_deletion(gate, live) -> None:
    view, ledger = live
    (view / "new" / "a.txt").unlink()
    (view / "root.txt").unlink()
    ledger.note(Call("removed", "Bash", "rm"), "by")
    assert listed(gate) == {("deleted", b"new/a.txt"), ("deleted", b"root.txt")}
    assert [cause.call for cause in causes(gate.session, b"new/a.txt")] == ["removed"]
    gate.manifest.refresh()
    changes = frozen(gate.session)
    gate.apply(gate.approval(changes), change_set=changes)
    assert not (gate.checkout / "new" / "a.txt").exists()
    assert listed(gate) == set()


def test_a_whole_folder_in_an_applied_folder_goes_too_and_can_come_back(gate, live) -> None:
    view, ledger = live
    shutil.rmtree(view / "new" / "sub")
    ledger.note(Call("removed", "Bash", "rm"), "by")
    assert listed(gate) == {("deleted", b"new/sub"), ("deleted", b"new/sub/b.txt")}
    (view / "new" / "sub").mkdir()
    (view / "new" / "sub" / "b.txt").write_text("b\n")
    ledger.note(Call("again", "Bash", "again"), "by")
    assert listed(gate) == set()


def test_the_next_mount_shows_what_the_last_one_did(gate, live, tmp_path) -> None:
    view, ledger = live
    (view / "new" / "a.txt").unlink()
    shutil.rmtree(view / "new" / "sub")
    ledger.note(Call("removed", "Bash", "rm"), "by")
    before = listed(gate)
    subprocess.run(["umount", view], check=True)
    Ledger(gate.session).catch_up()
    options = f"lowerdir={gate.checkout},upperdir={gate.upper},workdir={gate.session.work},userxattr"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, view], check=True)
    assert sorted(os.listdir(view / "new")) == []
    assert listed(gate) == before
    assert [cause.call for cause in causes(gate.session, b"new/a.txt")] == ["removed"]


def test_a_discard_is_no_deletion(gate, live) -> None:
    view, ledger = live
    (view / "new" / "a.txt").write_text("changed again\n")
    ledger.note(Call("changed", "Bash", "again"), "by")
    subprocess.run(["umount", view], check=True)
    discard_paths(gate.session, gate.checkout, [b"new/a.txt"])
    assert listed(gate) == set()
    Ledger(gate.session).catch_up()
    assert listed(gate) == set()
    assert (gate.checkout / "new" / "a.txt").read_text() == "a\n"


def test_what_the_user_added_there_meanwhile_is_not_taken_for_deleted(gate, live) -> None:
    view, ledger = live
    (gate.checkout / "new" / "mine.txt").write_text("mine\n")
    (view / "new" / "a.txt").unlink()
    ledger.note(Call("removed", "Bash", "rm"), "by")
    assert listed(gate) == {("deleted", b"new/a.txt")}


def test_changed_files_and_whiteouts_hide_what_an_apply_wrote_below_them(gate, live) -> None:
    view, ledger = live
    assert not (view / "top.txt").exists()
    (view / "old" / "a.txt").write_text("changed\n")
    ledger.note(Call("changed", "Bash", "x"), "by")
    gate.manifest.refresh()
    gate.apply_all()
    assert (view / "old" / "a.txt").read_text() == "changed\n"
    (view / "top.txt").write_text("again\n")
    assert (view / "top.txt").read_text() == "again\n"
    assert listed(gate) == {("added", b"top.txt")}
