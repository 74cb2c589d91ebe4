"""An apply is taken back: the tree is what it was, byte for byte, and the changes wait again as they did."""

import json
import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.changes import File
from sandbox.errors import OutOfSpace, StateError
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.manifest import Manifest
from sandbox.gate.syscalls import exchange
from sandbox.gate.undo import last_apply, undo
from tests.sandbox.conftest import make_gate


def take_back(gate):
    """Undo the last apply, and learn what the manifest says now."""
    plan = last_apply(gate.checkout, gate.sessions.all())
    assert plan is not None
    result = undo(plan, checkout=gate.checkout, by="tester", patience=1)
    gate.manifest = Manifest.load(gate.session.manifest)
    return result


def facts(gate):
    """Modes and owners of everything in the checkout."""
    found = {}
    for folder, names, files in os.walk(os.fsencode(gate.checkout)):
        for path in (os.path.join(folder, name) for name in names + files):
            one = os.lstat(path)
            found[path] = (one.st_mode, one.st_uid, one.st_gid)
    return found


def no_journal(gate):
    return not [name for name in os.listdir(gate.checkout) if name.startswith(".paddock")]


def every_kind(gate, lay_out):
    """A checkout, and one change of every kind to it."""
    lay_out(
        {"edit": "old", "gone": "x", "run": "#!", "d/x": "x", "f": "file", "l": "->edit", "full/only": "x", "e/k": ""}
    )
    (gate.checkout / "raw").write_bytes(b"\0\xff\r\n")
    (gate.checkout / "secret").write_text("s")
    (gate.checkout / "secret").chmod(0o600)
    (gate.checkout / "full").chmod(0o750)
    (gate.checkout / "out").symlink_to("/etc/hostname")
    gate.begin()
    gate.put("edit", "new")
    gate.put("raw", b"\xff\0")
    gate.whiteout("gone")
    gate.whiteout("secret")
    gate.whiteout("out")
    gate.put("run", "#!", 0o755)
    gate.put("d", "a file now")
    gate.opaque("f")
    gate.put("f/inside", "a folder now")
    (gate.upper / "l").symlink_to("run")
    gate.whiteout("full")
    (gate.upper / "e").mkdir()
    gate.whiteout("e/k")
    gate.put("deep/er/new", "n")
    (gate.upper / "empty").mkdir()
    return gate.collect()


def test_every_kind_of_change_is_taken_back(gate, lay_out, tree):
    changes = every_kind(gate, lay_out)
    before, rights = tree(gate.checkout), facts(gate)
    assert isinstance(gate.apply(gate.approval(changes), change_set=changes), Applied)
    assert tree(gate.checkout) != before
    result = take_back(gate)
    assert isinstance(result, Applied)
    assert result.kept == ()
    assert tree(gate.checkout) == before
    assert facts(gate) == rights
    assert no_journal(gate)


def test_what_was_taken_back_waits_again_as_it_did(gate, lay_out):
    changes = every_kind(gate, lay_out)
    gate.apply(gate.approval(changes), change_set=changes)
    assert gate.collect().changes == ()
    take_back(gate)
    assert gate.collect() == changes


def test_an_undo_is_undone_by_applying_again(gate, lay_out, tree):
    changes = every_kind(gate, lay_out)
    gate.apply(gate.approval(changes), change_set=changes)
    applied = tree(gate.checkout)
    for _ in range(2):
        take_back(gate)
        assert isinstance(gate.apply_all(), Applied)
        assert tree(gate.checkout) == applied


def test_a_second_undo_takes_back_the_one_before(gate, lay_out, tree):
    lay_out({"a": "0"})
    states = [tree(gate.checkout)]
    for round_ in ("1", "2", "3"):
        gate.put("a", round_)
        gate.put(f"d/{round_}", round_)
        gate.apply_all()
        states.append(tree(gate.checkout))
    for state in reversed(states[:-1]):
        take_back(gate)
        assert tree(gate.checkout) == state
    assert last_apply(gate.checkout, gate.sessions.all()) is None


def test_only_what_was_applied_is_taken_back(gate, lay_out, tree):
    lay_out({"a": "1", "b": "1"})
    gate.put("a", "2")
    gate.put("b", "2")
    gate.put("same", "s")
    changes = gate.collect()
    gate.apply(gate.approval(changes, b"b"), change_set=changes)
    (gate.checkout / "same").write_text("s")
    gate.apply(gate.approval(gate.collect(), b"a"))
    take_back(gate)
    assert tree(gate.checkout) == {b"a": ("file", b"1"), b"b": ("file", b"2"), b"same": ("file", b"s")}


def test_what_the_user_had_already_is_not_taken_away(gate, lay_out, tree):
    lay_out({})
    gate.put("same", "x")
    gate.put("other", "x")
    changes = gate.collect()
    (gate.checkout / "same").write_text("x")
    gate.apply(gate.approval(changes))
    take_back(gate)
    assert tree(gate.checkout) == {b"same": ("file", b"x")}


def test_an_apply_that_changed_nothing_is_no_apply_to_take_back(gate, lay_out):
    lay_out({})
    gate.put("same", "x")
    changes = gate.collect()
    (gate.checkout / "same").write_text("x")
    gate.apply(gate.approval(changes))
    assert last_apply(gate.checkout, gate.sessions.all()) is None


def edit(gate):
    (gate.checkout / "a").write_text("user")


def delete(gate):
    (gate.checkout / "a").unlink()


def chmod(gate):
    (gate.checkout / "a").chmod(0o755)


def replace_by_link(gate):
    delete(gate)
    (gate.checkout / "a").symlink_to("b")


@pytest.mark.parametrize("users_doing", [edit, delete, chmod, replace_by_link])
def test_c22_what_the_user_changed_since_is_a_conflict_and_nothing_is_written(gate, lay_out, tree, users_doing):
    lay_out({"a": "old", "b": "old"})
    gate.put("a", "agent")
    gate.put("b", "agent")
    gate.apply_all()
    users_doing(gate)
    before = tree(gate.checkout)
    result = take_back(gate)
    assert isinstance(result, Conflicts)
    assert [conflict.path for conflict in result.conflicts] == [b"a"]
    assert tree(gate.checkout) == before
    assert last_apply(gate.checkout, gate.sessions.all()) is not None


def test_what_the_user_put_back_by_hand_is_no_conflict(gate, lay_out, tree):
    lay_out({"a": "old", "b": "old"})
    gate.put("a", "agent")
    gate.put("b", "agent")
    gate.apply_all()
    (gate.checkout / "a").write_text("old")
    assert isinstance(take_back(gate), Applied)
    assert tree(gate.checkout) == {b"a": ("file", b"old"), b"b": ("file", b"old")}
    assert {change.path: change.moved for change in gate.collect().changes} == {b"a": False, b"b": False}


def test_a_file_put_into_a_new_folder_keeps_the_folder(gate, lay_out, tree):
    lay_out({})
    gate.put("d/e/f", "x")
    gate.apply_all()
    (gate.checkout / "d" / "mine").write_text("m")
    plan = last_apply(gate.checkout, gate.sessions.all())
    assert plan is not None
    assert plan.stay == (b"d",)
    take_back(gate)
    assert tree(gate.checkout) == {b"d": ("folder", b""), b"d/mine": ("file", b"m")}


def test_a_folder_that_was_deleted_with_folders_in_it_waits_again_as_it_did(gate, lay_out, tree):
    lay_out({"d/e/": "", "d/f/g": "x"})
    (gate.checkout / "d" / "mine").mkdir()  # after the session began
    gate.whiteout("d")
    changes = gate.collect()
    before = tree(gate.checkout)
    assert {change.path for change in changes.changes if change.moved} == {b"d/mine"}
    (gate.checkout / "d" / "mine").rmdir()
    changes = gate.collect()
    gate.apply(gate.approval(changes), change_set=changes)
    take_back(gate)
    assert set(before) - set(tree(gate.checkout)) == {b"d/mine"}
    assert gate.collect() == changes


def test_a_new_empty_folder_that_was_filled_since_stays_and_stops_nothing(gate, lay_out, tree):
    lay_out({"a": "1"})
    gate.put("a", "2")
    (gate.upper / "build" / "deep").mkdir(parents=True)
    (gate.upper / "gone").mkdir()
    gate.apply_all()
    (gate.checkout / "build" / "deep" / "mine").write_text("m")
    assert isinstance(take_back(gate), Applied)
    assert tree(gate.checkout) == {
        b"a": ("file", b"1"),
        b"build": ("folder", b""),
        b"build/deep": ("folder", b""),
        b"build/deep/mine": ("file", b"m"),
    }


def test_a_folder_that_was_there_stays_even_if_it_is_empty(gate, lay_out, tree):
    lay_out({"d/": ""})
    gate.put("d/e/f", "x")
    gate.apply_all()
    take_back(gate)
    assert tree(gate.checkout) == {b"d": ("folder", b"")}


def test_a_merge_waits_again_as_a_merge_and_keeps_the_users_edit(gate, lay_out, tree):
    lay_out({"a": "1\n2\n3\n4\n5\n"})
    gate.put("a", "1\n2\n3\n4\nagent\n")
    gate.collect()
    (gate.checkout / "a").write_text("user\n2\n3\n4\n5\n")
    changes = gate.collect()
    assert changes.changes[0].settles is not None
    gate.apply(gate.approval(changes), change_set=changes)
    assert (gate.checkout / "a").read_text() == "user\n2\n3\n4\nagent\n"
    assert gate.collect().changes == ()
    take_back(gate)
    assert (gate.checkout / "a").read_text() == "user\n2\n3\n4\n5\n"
    assert gate.collect() == changes
    gate.apply_all()
    assert (gate.checkout / "a").read_text() == "user\n2\n3\n4\nagent\n"


def test_a_merge_onto_an_earlier_merge_is_taken_back_to_that(gate, lay_out):
    lay_out({"a": "1\n2\n3\n4\n5\n"})
    gate.put("a", "1\n2\n3\n4\nagent\n")
    gate.collect()
    (gate.checkout / "a").write_text("user\n2\n3\n4\n5\n")
    gate.apply_all()
    gate.put("a", "1\n2\nagent 2\n4\nagent\n")
    changes = gate.collect()
    gate.apply(gate.approval(changes), change_set=changes)
    assert (gate.checkout / "a").read_text() == "user\n2\nagent 2\n4\nagent\n"
    take_back(gate)
    assert (gate.checkout / "a").read_text() == "user\n2\n3\n4\nagent\n"
    assert gate.collect() == changes


def test_a_conflict_that_was_decided_for_the_sandbox_is_a_conflict_again(gate, lay_out):
    lay_out({"a": "old"})
    gate.put("a", "agent")
    gate.collect()
    (gate.checkout / "a").write_text("user")
    changes = gate.collect()
    theirs = replace(changes.changes[0], moved=False)
    approval = replace(gate.approval(changes), changes=(theirs,), amended=frozenset({b"a"}))
    assert isinstance(gate.apply(approval), Applied)
    take_back(gate)
    assert (gate.checkout / "a").read_text() == "user"
    assert gate.collect() == changes


def test_a_deleted_executable_comes_back_with_the_very_mode_it_had(gate, lay_out):
    lay_out({"on": "1", "off": "1", "gone": "1"})
    for name, mode in (("on", 0o640), ("off", 0o744), ("gone", 0o711)):
        (gate.checkout / name).chmod(mode)
    gate.begin()
    gate.put("on", "1", 0o777)
    gate.put("off", "2", 0o600)
    gate.whiteout("gone")
    gate.apply_all()
    take_back(gate)
    modes = {name: stat.S_IMODE((gate.checkout / name).stat().st_mode) for name in ("on", "off", "gone")}
    assert modes == {"on": 0o640, "off": 0o744, "gone": 0o711}


def test_a_mode_that_the_user_set_since_is_left(gate, lay_out):
    lay_out({"a": "1"})
    gate.put("a", "2")
    gate.apply_all()
    (gate.checkout / "a").chmod(0o600)
    take_back(gate)
    assert (gate.checkout / "a").read_text() == "1"
    assert stat.S_IMODE((gate.checkout / "a").stat().st_mode) == 0o600


@pytest.mark.root
def test_a_deleted_file_of_another_owner_comes_back_as_theirs(gate, lay_out):
    lay_out({"a": "1", "d/": ""})
    for name in ("a", "d"):
        os.chown(gate.checkout / name, 1234, 4321)
    gate.begin()
    gate.whiteout("a")
    gate.whiteout("d")
    gate.apply_all()
    take_back(gate)
    assert {(gate.checkout / name).stat()[4:6] for name in ("a", "d")} == {(1234, 4321)}


def test_names_that_are_no_text_and_ignored_files_come_back(gate, lay_out, tree):
    lay_out({".gitignore": "*.log\n"})
    name = b"\xff\x1b\n.log"
    with open(os.fsencode(gate.checkout) + b"/" + name, "wb") as file:
        file.write(b"old")
    gate.begin()
    with open(os.fsencode(gate.upper) + b"/" + name, "wb") as file:
        file.write(b"new")
    gate.put("made.log", "x")
    before = tree(gate.checkout)
    changes = gate.collect()
    gate.apply(gate.approval(changes, name, b"made.log"), change_set=changes)
    assert tree(gate.checkout) != before
    take_back(gate)
    assert tree(gate.checkout) == before


def test_k03_a_save_in_the_moment_of_an_undo_is_handed_back(gate, lay_out, tree):
    lay_out({"a": "old", "b": "old"})
    gate.put("a", "agent")
    gate.put("b", "agent")
    gate.apply_all()
    plan = last_apply(gate.checkout, gate.sessions.all())
    assert plan is not None

    def swap(*names):
        if names[1] == b"a" and (gate.checkout / "a").read_text() == "agent":
            (gate.checkout / "draft").write_text("user")
            (gate.checkout / "draft").rename(gate.checkout / "a")
        exchange(*names)

    result = undo(plan, checkout=gate.checkout, by="tester", swap=swap)
    assert isinstance(result, Applied)
    assert [conflict.path for conflict in result.kept] == [b"a"]
    assert tree(gate.checkout) == {b"a": ("file", b"user"), b"b": ("file", b"old")}


def test_the_record_says_who_took_back_what(gate, lay_out):
    lay_out({"a": "1"})
    gate.put("a", "2")
    gate.apply_all()
    take_back(gate)
    applied, _, undone, outcome = map(json.loads, gate.session.approvals.read_text().splitlines())
    assert (undone["undoes"], undone["by"], undone["change_set"]) == (applied["id"], "tester", applied["change_set"])
    assert (outcome["kind"], outcome["id"], outcome["paths"]) == ("applied", undone["id"], ["61"])


def test_a_damaged_or_missing_content_undoes_nothing(gate, lay_out, tree):
    lay_out({"a": "1", "b": "1"})
    gate.put("a", "2")
    gate.put("b", "2")
    gate.apply_all()
    before = tree(gate.checkout)
    (old,) = [one for one in gate.session.blobs.iterdir() if one.read_text() == "1"]
    old.write_text("x")
    with pytest.raises(StateError, match="is damaged"):
        take_back(gate)
    old.unlink(missing_ok=True)
    with pytest.raises(StateError, match="nothing was undone"):
        take_back(gate)
    assert tree(gate.checkout) == before
    assert no_journal(gate)


def test_what_is_replaced_is_kept_whole_even_if_its_copy_was_damaged(gate, lay_out):
    lay_out({"a": "old"})
    gate.put("a", "new")
    changes = gate.collect()
    assert isinstance(changes.changes[0].before, File)
    (gate.session.blobs / changes.changes[0].before.digest).write_text("odl")
    gate.apply(gate.approval(changes), change_set=changes)
    take_back(gate)
    assert (gate.checkout / "a").read_text() == "old"


def test_of_two_sessions_the_one_that_applied_last_is_taken_back(gate, lay_out, another):
    lay_out({"a": "0", "b": "0"})
    other = another(gate)
    gate.put("a", "1")
    gate.apply_all()
    other.put("b", "1")
    other.apply_all()
    plan = last_apply(gate.checkout, gate.sessions.all())
    assert plan is not None
    assert (plan.session, [change.path for change in plan.changes]) == (other.session, [b"b"])
    mine = last_apply(gate.checkout, [gate.session])
    assert mine is not None
    assert [change.path for change in mine.changes] == [b"a"]


def test_a_session_whose_records_cannot_be_read_may_hold_a_later_apply(gate, lay_out, another):
    lay_out({"a": "0"})
    gate.put("a", "1")
    gate.apply_all()
    another(gate).session.approvals.write_text("{}\n")
    with pytest.raises(StateError, match="is damaged"):
        last_apply(gate.checkout, gate.sessions.all())
    assert last_apply(gate.checkout, [gate.session]) is not None


@pytest.fixture
def another():
    """A second session on the same checkout."""
    from sandbox.gate.blobs import Blobs
    from sandbox.sessions import new_id

    def make(gate):
        meta = gate.session.meta().model_copy(update={"id": new_id()})
        session = gate.sessions.create(meta)
        session.upper.mkdir()
        manifest = Manifest.take(gate.checkout)
        manifest.save(session.manifest)
        return replace(gate, session=session, upper=session.upper, manifest=manifest, blobs=Blobs(session.blobs))

    return make


@pytest.mark.root
def test_a_full_disk_takes_back_nothing(gate, lay_out, tree, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if os.system(f"mount -t tmpfs -o size=1m none {small}") != 0:
        pytest.fail("this test mounts a small tmpfs, which takes root")
    try:
        gate.checkout = small
        lay_out({"a": "x" * 400_000})
        gate.put("a", "small")
        gate.apply_all()
        (small / "mine").write_text("y" * 900_000)
        before = tree(small)
        with pytest.raises(OutOfSpace, match="nothing was written"):
            take_back(gate)
        assert tree(small) == before
        (small / "mine").unlink()
        assert isinstance(take_back(gate), Applied)
        assert (small / "a").stat().st_size == 400_000
    finally:
        os.system(f"umount {small}")


def test_a_full_disk_for_what_is_replaced_writes_nothing(gate, lay_out, tree, tmp_path):
    """The session's own disk: without a copy to bring back, nothing is replaced."""
    lay_out({"a": "1"})
    gate.put("a", "2")
    changes = gate.collect()
    shutil.rmtree(gate.session.blobs)
    with pytest.raises(StateError, match="cannot be read"):
        gate.apply(gate.approval(changes))
    assert tree(gate.checkout) == {b"a": ("file", b"1")}
    assert no_journal(gate)


@pytest.fixture
def as_user(tmp_path):
    """A gate of a user who is not root, on a checkout of theirs; as root, that user is played."""
    if os.geteuid():
        yield make_gate(tmp_path)
        return
    folder = Path(tempfile.mkdtemp(prefix="paddock-test-"))  # where another user can get at it
    os.chown(folder, 12345, 12345)
    os.setegid(12345)
    os.seteuid(12345)
    try:
        yield make_gate(folder)
    finally:
        os.seteuid(0)
        os.setegid(0)
        subprocess.run(["rm", "-rf", "--", folder], check=True)


def test_a_read_only_folder_is_a_conflict_for_an_apply_and_for_an_undo(as_user, tree):
    gate = as_user
    (gate.checkout / "d").mkdir()
    (gate.checkout / "d" / "a").write_text("old")
    (gate.checkout / "b").write_text("old")
    gate.begin()
    gate.put("d/a", "new")
    gate.put("b", "new")
    changes = gate.collect()
    wanted = [(b"d/a", "lies in a folder that you may not write to")]
    (gate.checkout / "d").chmod(0o555)
    result = gate.apply(gate.approval(changes))
    assert isinstance(result, Conflicts)
    assert [(one.path, one.reason) for one in result.conflicts] == wanted
    (gate.checkout / "d").chmod(0o755)
    assert isinstance(gate.apply(gate.approval(changes)), Applied)
    (gate.checkout / "d").chmod(0o555)
    before = tree(gate.checkout)
    result = take_back(gate)
    assert isinstance(result, Conflicts)
    assert [(one.path, one.reason) for one in result.conflicts] == wanted
    assert tree(gate.checkout) == before
    (gate.checkout / "d").chmod(0o755)
    assert isinstance(take_back(gate), Applied)
    assert (gate.checkout / "d" / "a").read_text() == "old"


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ('"kind":"approved"', '"kind":"aproved"'),
        ('"changes"', '"chonges"'),
        ('"undoes":""', '"undoes":"","newer":1'),
        ("}\n{", "}{"),
        ('{"kind"', "kind"),
        ('"file",', '"fifo",'),
        ('"61"', f'"{b"../a".hex()}"'),
        ('"61"', f'"{b".git/hooks/post-checkout".hex()}"'),
        ('"61"', f'"{b"/etc/a".hex()}"'),
        ('"61"', '"6"'),
    ],
)
def test_c15_a_hand_edited_record_is_refused_and_nothing_is_written(gate, lay_out, tree, what, by):
    lay_out({"a": "1"})
    gate.put("a", "2")
    gate.apply_all()
    text = gate.session.approvals.read_text()
    assert what in text
    gate.session.approvals.write_text(text.replace(what, by))
    with pytest.raises(StateError, match=r"damaged|nothing was written"):
        take_back(gate)
    assert tree(gate.checkout) == {b"a": ("file", b"2")}
    assert no_journal(gate)
    gate.session.approvals.write_text(text)
    assert isinstance(take_back(gate), Applied)
