"""Approved changes reach the checkout, all or none; what the user does meanwhile is never lost."""

import json
import multiprocessing
import os
import shutil
import stat
import subprocess
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.changes import Change, Directory, Link
from sandbox.checkout import identity
from sandbox.errors import CheckoutRefused, OutOfSpace, SessionBusy, StateError
from sandbox.gate.apply import Applied, Approval, Conflicts
from sandbox.gate.manifest import Manifest
from sandbox.gate.moves import exchange_in_two
from sandbox.gate.syscalls import exchange
from sandbox.gate.undo import last_apply, undo
from sandbox.sessions import now


def no_journal(gate):
    return not [name for name in os.listdir(gate.checkout) if name.startswith(".paddock")]


def outcomes(gate):
    lines = gate.session.approvals.read_text().splitlines()
    return [json.loads(line)["kind"] for line in lines]


def test_every_kind_of_change_arrives(gate, lay_out, tree):
    lay_out({"edit": "old", "gone": "x", "run": "#!", "d/x": "x", "f": "file", "l": "->edit", "full/only": "x"})
    gate.put("edit", "new")
    gate.whiteout("gone")
    gate.put("run", "#!", 0o755)
    gate.put("d", "a file now")
    gate.opaque("f")
    gate.put("f/inside", "a folder now")
    (gate.upper / "l").symlink_to("run")
    gate.whiteout("full")
    gate.put("deep/er/new", "n")
    (gate.upper / "empty").mkdir()
    result = gate.apply_all()
    assert isinstance(result, Applied)
    assert tree(gate.checkout) == {
        b"edit": ("file", b"new"),
        b"run": ("program", b"#!"),
        b"d": ("file", b"a file now"),
        b"f": ("folder", b""),
        b"f/inside": ("file", b"a folder now"),
        b"l": ("link", b"run"),
        b"deep": ("folder", b""),
        b"deep/er": ("folder", b""),
        b"deep/er/new": ("file", b"n"),
        b"empty": ("folder", b""),
    }
    assert gate.collect().changes == ()


def test_a_link_becomes_a_folder_with_something_deep_in_it(gate, lay_out, tree):
    lay_out({"c": "->a"})
    gate.opaque("c")
    gate.put("c/a/deep", "x")
    assert isinstance(gate.apply_all(), Applied)
    assert tree(gate.checkout) == {
        b"c": ("folder", b""),
        b"c/a": ("folder", b""),
        b"c/a/deep": ("file", b"x"),
    }


def test_a_new_file_joins_the_group_of_a_setgid_folder(gate, lay_out):
    lay_out({"shared/": ""})
    os.chown(gate.checkout / "shared", -1, os.getgroups()[0] if os.geteuid() else 4321)
    (gate.checkout / "shared").chmod(0o2775)
    gate.put("shared/new", "x")
    gate.apply_all()
    assert (gate.checkout / "shared" / "new").stat().st_gid == (gate.checkout / "shared").stat().st_gid


def test_only_what_was_approved_arrives(gate, lay_out, tree):
    lay_out({"a": "1", "b": "1"})
    gate.put("a", "2")
    gate.put("b", "2")
    changes = gate.collect()
    assert gate.apply(gate.approval(changes, b"a"), change_set=changes) == Applied((b"a",))
    assert tree(gate.checkout) == {b"a": ("file", b"2"), b"b": ("file", b"1")}
    assert [change.path for change in gate.collect().changes] == [b"b"]


def test_v01_what_is_applied_is_what_was_reviewed(gate, lay_out):
    lay_out({"a": "1"})
    gate.put("a", "reviewed")
    changes = gate.collect()
    gate.put("a", "rewritten after the review")
    gate.apply(gate.approval(changes), change_set=changes)
    assert (gate.checkout / "a").read_text() == "reviewed"


def test_v02_an_old_approval_is_void_when_the_set_has_changed(gate, lay_out, tree):
    lay_out({"a": "1"})
    gate.put("a", "2")
    approval = gate.approval(gate.collect())
    gate.put("b", "new")
    with pytest.raises(StateError, match="look at the changes again"):
        gate.apply(approval, change_set=gate.collect())
    assert tree(gate.checkout) == {b"a": ("file", b"1")}


def test_v22_an_approval_of_changes_outside_its_set_is_refused(gate, lay_out, tree):
    lay_out({"a": "1"})
    gate.put("a", "2")
    changes = gate.collect()
    foreign = Change(b"b", None, gate.blobs.put(b"smuggled"))
    approval = Approval(changes.id, (*changes.changes, foreign), "tester", now())
    with pytest.raises(StateError, match="not in the change set"):
        gate.apply(approval, change_set=changes)
    assert tree(gate.checkout) == {b"a": ("file", b"1")}


def test_v22_the_record_says_who_approved_what_and_what_became_of_it(gate, lay_out):
    lay_out({"a": "1"})
    gate.put("a", "2")
    changes = gate.collect()
    gate.apply(gate.approval(changes), change_set=changes)
    approved, outcome = map(json.loads, gate.session.approvals.read_text().splitlines())
    assert (approved["change_set"], approved["by"]) == (changes.id, "tester")
    (change,) = changes.changes
    assert approved["changes"] == [
        ["61", ["file", change.before.digest, 1, False], ["file", change.after.digest, 1, False]]
    ]
    assert (outcome["kind"], outcome["id"], outcome["paths"]) == ("applied", approved["id"], ["61"])
    assert stat.S_IMODE(gate.session.approvals.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "path",
    [b"../x", b"/x", b"a/../../x", b"", b"a//b", b"./a", b".git/hooks/x", b"a/.GIT/x", b".paddock-txn.1/x", b"a\0b"],
)
def test_paths_that_may_never_be_written_are_refused_whoever_approves(gate, lay_out, path):
    lay_out({})
    approval = Approval("any", (Change(path, None, gate.blobs.put(b"x")),), "tester", now())
    with pytest.raises(StateError, match="nothing was written"):
        gate.apply(approval)


def test_links_that_leave_are_refused_whoever_approves(gate, lay_out):
    lay_out({})
    with pytest.raises(StateError, match="leaves the tree"):
        gate.apply(Approval("any", (Change(b"a", None, Link(b"../x")),), "tester", now()))


def test_v19_a_path_cannot_be_approved_twice(gate, lay_out):
    lay_out({})
    content = gate.blobs.put(b"x")
    twice = (Change(b"a", None, content), Change(b"a", None, replace(content, executable=True)))
    with pytest.raises(StateError, match="twice"):
        gate.apply(Approval("any", twice, "tester", now()))


def edit(gate):
    (gate.checkout / "a").write_text("user")


def delete(gate):
    (gate.checkout / "a").unlink()


def chmod(gate):
    (gate.checkout / "a").chmod(0o755)


def make_folder(gate):
    delete(gate)
    (gate.checkout / "a").mkdir()


def make_link(gate):
    delete(gate)
    (gate.checkout / "a").symlink_to("/etc/passwd")


@pytest.mark.parametrize("users_doing", [edit, delete, chmod, make_folder, make_link])
def test_k01_k04_a_file_that_moved_is_a_conflict_and_nothing_is_written(gate, lay_out, tree, users_doing):
    lay_out({"a": "old", "b": "old"})
    gate.put("a", "agent")
    gate.put("b", "agent")
    changes = gate.collect()
    users_doing(gate)
    before = tree(gate.checkout)
    facts = os.stat(gate.checkout)
    result = gate.apply(gate.approval(changes), change_set=changes)
    assert isinstance(result, Conflicts)
    assert [conflict.path for conflict in result.conflicts] == [b"a"]
    assert tree(gate.checkout) == before
    assert os.stat(gate.checkout).st_mtime_ns == facts.st_mtime_ns


def test_an_edit_before_the_review_is_a_conflict_too(gate, lay_out):
    lay_out({"a": "old"})
    gate.put("a", "agent")
    edit(gate)
    result = gate.apply_all()
    assert isinstance(result, Conflicts)
    assert result.conflicts[0].reason == "was changed in the checkout since the session began"


def test_a_touched_file_with_equal_content_is_no_conflict(gate, lay_out):
    lay_out({"a": "old"})
    gate.put("a", "agent")
    changes = gate.collect()
    (gate.checkout / "a").write_text("old")
    assert gate.apply(gate.approval(changes), change_set=changes) == Applied((b"a",))


def test_k02_other_files_of_the_user_are_kept(gate, lay_out, tree):
    lay_out({"a": "old", "b": "old"})
    gate.put("a", "agent")
    (gate.checkout / "b").write_text("user")
    gate.apply_all()
    assert tree(gate.checkout) == {b"a": ("file", b"agent"), b"b": ("file", b"user")}


def test_k05_a_new_file_that_the_user_made_too(gate, lay_out, tree):
    lay_out({})
    gate.put("same", "x")
    gate.put("other", "x")
    changes = gate.collect()
    (gate.checkout / "same").write_text("x")
    assert gate.apply(gate.approval(changes)) == Applied((b"other", b"same"))
    (gate.checkout / "other").write_text("user")
    gate.put("other", "y")
    assert isinstance(gate.apply_all(), Conflicts)


def test_s07_a_parent_that_became_a_link_is_a_conflict(gate, lay_out, tmp_path):
    lay_out({"d/a": "old"})
    gate.put("d/a", "evil")
    gate.put("d/new", "evil")
    changes = gate.collect()
    outside = tmp_path / "outside"
    (gate.checkout / "d").rename(outside)
    (gate.checkout / "d").symlink_to(outside)
    result = gate.apply(gate.approval(changes), change_set=changes)
    assert isinstance(result, Conflicts)
    assert [conflict.path for conflict in result.conflicts] == [b"d/a", b"d/new"]
    assert os.listdir(outside) == ["a"]
    assert (outside / "a").read_text() == "old"


def test_a_folder_that_the_user_put_something_into_is_a_conflict(gate, lay_out, tree):
    lay_out({"d/a": "1"})
    gate.whiteout("d")
    changes = gate.collect()
    (gate.checkout / "d" / "mine").write_text("m")
    before = tree(gate.checkout)
    result = gate.apply(gate.approval(changes), change_set=changes)
    assert isinstance(result, Conflicts)
    assert [(one.path, one.reason) for one in result.conflicts] == [(b"d", "is a folder that still holds mine")]
    assert tree(gate.checkout) == before


def test_a_file_in_a_folder_that_the_same_approval_deletes_is_a_conflict(gate, lay_out):
    lay_out({"d/a": "1"})
    gate.put("d/b", "2")
    new = gate.approval(gate.collect()).changes
    gone = (Change(b"d", Directory(), None), Change(b"d/a", gate.blobs.put(b"1"), None))
    result = gate.apply(Approval("any", (*gone, *new), "tester", now()))
    assert isinstance(result, Conflicts)


def test_a_child_needs_the_change_that_makes_its_folder(gate, lay_out):
    lay_out({"f": "file"})
    gate.opaque("f")
    gate.put("f/x", "x")
    result = gate.apply(gate.approval(gate.collect(), b"f/x"))
    assert isinstance(result, Conflicts)
    assert [conflict.path for conflict in result.conflicts] == [b"f/x"]


def test_new_files_take_the_umask_and_changed_ones_keep_their_mode(gate, lay_out):
    lay_out({"kept": "1", "on": "1", "off": "1"})
    (gate.checkout / "kept").chmod(0o640)
    (gate.checkout / "on").chmod(0o640)
    (gate.checkout / "off").chmod(0o755)
    gate.begin()
    gate.put("kept", "2", 0o666)
    gate.put("on", "2", 0o777)
    gate.put("off", "2", 0o600)
    gate.put("new", "2", 0o666)
    gate.put("tool", "2", 0o777)
    before = os.umask(0o027)
    try:
        gate.apply_all()
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((gate.checkout / name).stat().st_mode) for name in os.listdir(gate.checkout)}
    assert modes == {"kept": 0o640, "on": 0o750, "off": 0o644, "new": 0o640, "tool": 0o750}


def test_a_replaced_file_keeps_its_owner_and_its_attributes(gate, lay_out):
    lay_out({"a": "1"})
    os.setxattr(gate.checkout / "a", "user.note", b"mine")
    if os.geteuid() == 0:
        os.chown(gate.checkout / "a", 1234, 1234)
    gate.begin()
    before = (gate.checkout / "a").stat()
    gate.put("a", "2")
    gate.apply_all()
    after = (gate.checkout / "a").stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert os.getxattr(gate.checkout / "a", "user.note") == b"mine"


def test_s09_a_hard_link_elsewhere_keeps_its_content_and_is_mentioned(gate, lay_out, tmp_path):
    lay_out({"a": "old"})
    os.link(gate.checkout / "a", tmp_path / "other")
    gate.begin()
    gate.put("a", "new")
    result = gate.apply_all()
    assert (tmp_path / "other").read_text() == "old"
    assert result.notes == ("1 of these files had other names (hard links): those names keep the old content",)


def saving(gate, path, *texts):
    """An exchange during which the user saves: once before each of the first swaps, the way editors do."""
    left = list(texts)

    def swap(*names):
        if left and names[1] == path:
            (gate.checkout / "draft").write_text(left.pop(0))
            (gate.checkout / "draft").rename(gate.checkout / os.fsdecode(path))
        exchange(*names)

    return swap


@pytest.mark.parametrize("saves", [["user 1"], ["user 1", "user 2"], ["user 1", "user 2", "user 3"]])
def test_k03_a_save_between_check_and_swap_is_handed_back(gate, lay_out, tree, saves):
    lay_out({"a": "old", "b": "old"})
    gate.put("a", "agent")
    gate.put("b", "agent")
    result = gate.apply_all(swap=saving(gate, b"a", *saves))
    assert result.paths == (b"b",)
    assert [conflict.path for conflict in result.kept] == [b"a"]
    assert tree(gate.checkout) == {b"a": ("file", saves[-1].encode()), b"b": ("file", b"agent")}
    assert no_journal(gate)
    (change,) = gate.collect().changes
    assert (change.path, change.moved) == (b"a", True)


def test_a_save_right_after_the_swap_stays_and_counts_as_moved(gate, lay_out):
    lay_out({"a": "old"})
    gate.put("a", "agent")

    def swap(*names):
        exchange(*names)
        (gate.checkout / "a").write_text("user")

    assert gate.apply_all(swap=swap).paths == (b"a",)
    gate.put("a", "agent 2")
    assert isinstance(gate.apply_all(), Conflicts)
    assert (gate.checkout / "a").read_text() == "user"


def test_s37_a_file_system_without_exchange_is_served_in_two_renames(gate, lay_out, tree):
    lay_out({"a": "old", "l": "->a"})
    gate.put("a", "new")
    (gate.upper / "l").symlink_to("b")
    result = gate.apply_all(swap=exchange_in_two)
    assert result == Applied((b"a", b"l"))
    assert tree(gate.checkout) == {b"a": ("file", b"new"), b"l": ("link", b"b")}


def test_a_second_apply_of_the_same_approval_changes_nothing(gate, lay_out, tree):
    lay_out({"a": "1", "gone": "x"})
    gate.put("a", "2")
    gate.whiteout("gone")
    approval = gate.approval(gate.collect())
    gate.apply(approval)
    before = tree(gate.checkout)
    assert gate.apply(approval) == Applied((b"a", b"gone"))
    assert tree(gate.checkout) == before


def test_rounds_of_edit_and_apply_send_only_what_is_new(gate, lay_out, tree):
    lay_out({"a": "0"})
    for round_ in ("1", "2", "3"):
        gate.put("a", round_)
        gate.put(f"d/{round_}", round_)
        changes = gate.collect()
        assert [change.path for change in changes.changes] == [b"a", f"d/{round_}".encode()]
        assert isinstance(gate.apply(gate.approval(changes), change_set=changes), Applied)
        gate.manifest = Manifest.load(gate.session.manifest)
    os.unlink(gate.upper / "a")
    os.unlink(gate.upper / "d" / "1")
    gate.whiteout("a")
    gate.whiteout("d/1")
    assert {change.path: change.moved for change in gate.collect().changes} == {b"a": False, b"d/1": False}


def test_a_folder_that_we_made_can_go_again(gate, lay_out, tree):
    lay_out({})
    gate.put("d/e/f", "x")
    gate.apply_all()
    (gate.upper / "d" / "e" / "f").unlink()
    (gate.upper / "d" / "e").rmdir()
    (gate.upper / "d").rmdir()
    gate.whiteout("d")
    result = gate.apply_all()
    assert isinstance(result, Applied)
    assert tree(gate.checkout) == {}


def test_a_missing_content_writes_nothing(gate, lay_out, tree):
    lay_out({"a": "1"})
    gate.put("a", "2")
    changes = gate.collect()
    (gate.session.blobs / changes.changes[0].after.digest).unlink()
    with pytest.raises(StateError, match="cannot be read"):
        gate.apply(gate.approval(changes))
    assert tree(gate.checkout) == {b"a": ("file", b"1")}
    assert no_journal(gate)
    assert outcomes(gate) == ["approved", "not applied"]


def test_a_damaged_content_writes_nothing(gate, lay_out, tree):
    lay_out({"a": "1"})
    gate.put("a", "2")
    changes = gate.collect()
    (gate.session.blobs / changes.changes[0].after.digest).write_text("3")
    with pytest.raises(StateError, match="is damaged"):
        gate.apply(gate.approval(changes))
    assert tree(gate.checkout) == {b"a": ("file", b"1")}


@pytest.mark.root
def test_a_full_disk_leaves_the_tree_as_it_was(gate, lay_out, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if os.system(f"mount -t tmpfs -o size=256k none {small}") != 0:
        pytest.fail("this test mounts a small tmpfs, which takes root")
    try:
        gate.checkout = small
        lay_out({"a": "1"})
        gate.put("a", b"x" * 512 * 1024)
        with pytest.raises(OutOfSpace, match="nothing was written"):
            gate.apply_all()
        assert os.listdir(small) == ["a"]
        assert (small / "a").read_text() == "1"
    finally:
        os.system(f"umount {small}")


@pytest.mark.root
def test_a_read_only_checkout_is_refused(gate, lay_out, tmp_path):
    lay_out({"a": "1"})
    gate.put("a", "2")
    changes = gate.collect()
    if os.system(f"mount --bind {gate.checkout} {gate.checkout} && mount -o remount,ro,bind {gate.checkout}") != 0:
        pytest.fail("this test mounts the checkout read-only, which takes root")
    try:
        with pytest.raises(CheckoutRefused, match="nothing was written"):
            gate.apply(gate.approval(changes))
    finally:
        os.system(f"umount {gate.checkout}")


@pytest.mark.root
@pytest.mark.parametrize("mount", ["-t tmpfs none", "--bind {outside}"])
def test_another_file_system_inside_the_checkout_is_a_conflict(gate, lay_out, mount, tmp_path):
    (tmp_path / "outside").mkdir()
    lay_out({"d/": ""})
    gate.put("d/x", "x")
    changes = gate.collect()
    if os.system(f"mount {mount.format(outside=tmp_path / 'outside')} {gate.checkout}/d") != 0:
        pytest.fail("this test mounts a file system, which takes root")
    try:
        result = gate.apply(gate.approval(changes))
        assert [(one.path, one.reason) for one in result.conflicts] == [
            (b"d/x", "lies on another file system than the checkout")
        ]
    finally:
        os.system(f"umount {gate.checkout}/d")


def note_folder(gate):
    gate.session.save(gate.session.meta().model_copy(update={"folder": identity(gate.checkout)}))


def test_a_checkout_that_was_replaced_is_refused_and_the_old_one_is_taken_back(gate, lay_out, tree):
    lay_out({"a": "1"})
    note_folder(gate)
    gate.put("a", "2")
    changes = gate.collect()
    (gate.checkout).rename(gate.checkout.with_name("moved"))
    subprocess.run(["cp", "-a", gate.checkout.with_name("moved"), gate.checkout], check=True)
    for _ in range(2):
        with pytest.raises(CheckoutRefused, match="moved or replaced: nothing was written"):
            gate.apply(gate.approval(changes))
    assert (gate.checkout / "a").read_text() == "1"
    shutil.rmtree(gate.checkout)
    gate.checkout.with_name("moved").rename(gate.checkout)
    assert gate.apply(gate.approval(changes)) == Applied((b"a",))


@pytest.mark.parametrize("put_there", [lambda path, moved: None, lambda path, moved: path.symlink_to(moved)])
def test_a_checkout_that_is_gone_or_a_link_now_is_refused(gate, lay_out, put_there):
    lay_out({"a": "1"})
    gate.put("a", "2")
    changes = gate.collect()
    moved = gate.checkout.with_name("moved")
    gate.checkout.rename(moved)
    put_there(gate.checkout, moved)
    with pytest.raises(CheckoutRefused, match="cannot be opened"):
        gate.apply(gate.approval(changes))
    assert (moved / "a").read_text() == "1"


def test_k15_the_checkout_has_one_writer(gate, lay_out):
    lay_out({"a": "1"})
    gate.put("a", "2")
    changes = gate.collect()
    started, release = multiprocessing.Event(), multiprocessing.Event()
    holder = multiprocessing.Process(target=_hold, args=(gate.checkout, started, release))
    holder.start()
    try:
        assert started.wait(10)
        with pytest.raises(SessionBusy, match="try again"):
            gate.apply(gate.approval(changes), patience=0.1)
    finally:
        release.set()
        holder.join()
    assert gate.apply(gate.approval(changes)) == Applied((b"a",))


def _hold(checkout, started, release):
    from sandbox.gate.host import opened_checkout
    from sandbox.gate.recovery import exclusive

    with opened_checkout(checkout) as root, exclusive(root, checkout, patience=1):
        started.set()
        release.wait(10)


NAMES = st.sampled_from(["a", "b", "c", "d"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TEXTS = st.sampled_from(["", "x", "yy\n", "\0\xff"])
OPERATIONS = st.one_of(
    st.tuples(st.just("write"), PATHS, TEXTS),
    st.tuples(st.just("mkdir"), PATHS, st.just("")),
    st.tuples(st.just("remove"), PATHS, st.just("")),
    st.tuples(st.just("move"), PATHS, PATHS),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from(["755", "644"])),
    st.tuples(st.just("link"), PATHS, NAMES),
)


def perform(root, operation):
    """One thing a program may do; what makes no sense in this tree is skipped, like a shell's error."""
    verb, name, more = operation
    path = root / name
    try:
        if verb == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(more)
        elif verb == "mkdir":
            path.mkdir(parents=True, exist_ok=True)
        elif verb == "remove":
            os.system(f"rm -rf {path}")
        elif verb == "move":
            if not f"{more}/".startswith(f"{name}/"):
                os.system(f"mv -fT {path} {root / more} 2>/dev/null")
        elif verb == "chmod":
            if not path.is_dir():
                path.chmod(int(more, 8), follow_symlinks=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(more)
    except (OSError, RuntimeError):
        return


@pytest.mark.root
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=st.lists(OPERATIONS, max_size=8), inside=st.lists(OPERATIONS, min_size=1, max_size=8))
def test_s41_c22_approve_all_makes_the_sandboxs_own_view_and_an_undo_what_was_there(new_gate, tree, before, inside):
    with new_gate() as (gate, mount):
        for operation in before:
            perform(gate.checkout, operation)
        gate.begin()
        was = tree(gate.checkout)
        view = mount()
        for operation in inside:
            perform(view, operation)
        changes = gate.collect()
        wanted = tree(view)
        assert changes.refused == ()
        result = gate.apply(gate.approval(changes), change_set=changes)
        assert isinstance(result, Applied)
        assert tree(gate.checkout) == wanted
        assert gate.collect().changes == ()
        assert no_journal(gate)
        plan = last_apply(gate.checkout, [gate.session])
        assert (plan is None) == (not changes.changes)
        if plan is not None:
            assert isinstance(undo(plan, checkout=gate.checkout, by="tester"), Applied)
            gate.manifest = Manifest.load(gate.session.manifest)
        assert tree(gate.checkout) == was
        assert gate.collect().changes == changes.changes
        assert no_journal(gate)
