"""What the sandbox wrote, as a change set: complete, honest, and never by way of anything the sandbox could forge."""

import os
import socket
import stat
import subprocess
import time

import pytest

from sandbox.changes import Change, Directory, File, Link
from sandbox.errors import CheckoutRefused, StateError
from sandbox.gate.collect import collect
from sandbox.gate.manifest import Manifest


def kinds(changes):
    return {change.path: change.kind for change in changes.changes}


def reasons(changes):
    return {refused.path: refused.reason for refused in changes.refused}


def test_an_untouched_upper_is_no_change(gate, lay_out):
    lay_out({"a": "1", "d/b": "2"})
    (gate.upper / "d").mkdir()
    assert gate.collect().changes == ()
    assert gate.collect().refused == ()


def test_added_modified_deleted_and_mode_are_told_apart(gate, lay_out):
    lay_out({"edit": "old", "gone": "x", "run": "#!/bin/sh"})
    gate.put("edit", "new")
    gate.whiteout("gone")
    gate.put("run", "#!/bin/sh", 0o755)
    gate.put("deep/er/new", "n")
    assert kinds(gate.collect()) == {
        b"edit": "modified",
        b"gone": "deleted",
        b"run": "mode",
        b"deep/er/new": "added",
    }


def test_both_contents_lie_in_the_blob_store(gate, lay_out, change_at):
    lay_out({"a": "before"})
    gate.put("a", "after")
    change = change_at(gate.collect(), b"a")
    assert isinstance(change.before, File)
    assert isinstance(change.after, File)
    assert (gate.blobs.read(change.before.digest), gate.blobs.read(change.after.digest)) == (b"before", b"after")


def test_a_copy_that_was_only_touched_is_no_change(gate, lay_out):
    lay_out({"a": "same", "l": "->a"})
    gate.put("a", "same")
    os.utime(gate.upper / "a", (1, 1))
    (gate.upper / "l").symlink_to("a")
    assert gate.collect().changes == ()


def test_s31_same_size_and_a_forged_time_are_found_by_content(gate, lay_out):
    lay_out({"a": "good"})
    facts = (gate.checkout / "a").stat()
    os.utime(gate.put("a", "evil"), ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert kinds(gate.collect()) == {b"a": "modified"}


def test_s16_opaque_directory_lists_the_deleted_files(gate, lay_out):
    lay_out({"d/x": "x", "d/sub/y": "y", "d/keep": "k"})
    gate.opaque("d")
    gate.put("d/keep", "k")
    gate.put("d/z", "z")
    assert kinds(gate.collect()) == {
        b"d/x": "deleted",
        b"d/sub": "deleted",
        b"d/sub/y": "deleted",
        b"d/z": "added",
    }


def test_s16_folders_made_anew_inside_an_opaque_one_hide_what_was_there(gate, lay_out):
    lay_out({"c/b/old": "x", "c/b/keep": "k"})
    gate.opaque("c")
    gate.put("c/b/new", "n")
    gate.put("c/b/keep", "k")
    assert kinds(gate.collect()) == {b"c/b/old": "deleted", b"c/b/new": "added"}


def test_s34_a_deleted_folder_is_listed_file_by_file(gate, lay_out):
    lay_out({"d/a": "1", "d/e/b": "2", "d/empty/": "", "d/l": "->a"})
    gate.whiteout("d")
    assert set(kinds(gate.collect())) == {b"d", b"d/a", b"d/e", b"d/e/b", b"d/empty", b"d/l"}
    assert all(change.after is None for change in gate.collect().changes)


def test_s15_an_escaped_opaque_mark_means_nothing(gate, lay_out):
    lay_out({"d/x": "x"})
    (gate.upper / "d").mkdir()
    os.setxattr(gate.upper / "d", "user.overlay.overlay.opaque", b"y")
    os.setxattr(gate.upper / "d", "user.overlay.whiteout", b"y")
    assert gate.collect().changes == ()


@pytest.mark.root
def test_s15_a_mark_set_from_inside_a_real_overlay_hides_no_file(gate, lay_out, mounted):
    lay_out({"d/x": "x"})
    view = mounted()
    os.setxattr(view / "d", "user.overlay.opaque", b"y")
    assert os.getxattr(gate.upper / "d", "user.overlay.overlay.opaque") == b"y"
    assert gate.collect().changes == ()


def test_s35_types_that_change_are_shown_with_all_that_goes_and_comes(gate, lay_out, change_at):
    lay_out({"f": "file", "d/x": "x", "l": "->f", "g": "file"})
    gate.opaque("f")
    gate.put("f/new", "n")
    gate.put("d", "now a file")
    gate.put("l", "now a file")
    (gate.upper / "g").symlink_to("f")
    found = gate.collect()
    assert kinds(found) == {
        b"d": "type",
        b"d/x": "deleted",
        b"f": "type",
        b"f/new": "added",
        b"g": "type",
        b"l": "type",
    }
    assert isinstance(change_at(found, b"d").before, Directory)
    assert isinstance(change_at(found, b"f").after, Directory)


def test_empty_folders_are_listed_and_only_those(gate, lay_out):
    lay_out({"a": "1"})
    (gate.upper / "empty" / "deeper").mkdir(parents=True)
    gate.put("full/x", "x")
    assert [change for change in gate.collect().changes if change.after == Directory()] == [
        Change(b"empty/deeper", None, Directory())
    ]


def test_s35_a_folder_with_only_refused_entries_is_listed_too(gate, lay_out):
    lay_out({})
    (gate.upper / "d").mkdir()
    os.mkfifo(gate.upper / "d" / "f")
    found = gate.collect()
    assert kinds(found) == {b"d": "added"}
    assert set(reasons(found)) == {b"d/f"}


def test_s10_fifos_and_sockets_are_refused_and_never_waited_for(gate, lay_out):
    lay_out({})
    os.mkfifo(gate.upper / "f")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{os.open(gate.upper, os.O_PATH)}/s")  # a socket's whole path is 107 bytes at most
        assert reasons(gate.collect()) == {
            b"f": "is a fifo: only files, folders and links leave the sandbox",
            b"s": "is a socket: only files, folders and links leave the sandbox",
        }


@pytest.mark.root
def test_s11_a_device_that_is_no_whiteout_is_refused(gate, lay_out):
    lay_out({"README.md": "hello"})
    try:
        os.mknod(gate.upper / "README.md", stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.fail("this test makes a device node, which takes root")
    found = gate.collect()
    assert found.changes == ()
    assert reasons(found) == {b"README.md": "is a character device: only files, folders and links leave the sandbox"}


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "/etc/passwd"),
        ("a", "../../../../home"),
        ("a", ".."),
        ("d/a", "../.."),
        ("d/a", "x/../../../up"),
        ("a", "sub/../b"),
        ("a", ".git/hooks"),
        ("d/a", "../.GIT/config"),
    ],
)
def test_s01_s02_links_that_leave_are_refused_with_their_target(gate, lay_out, path, target):
    lay_out({"sub/x": "1"})
    (gate.upper / path).parent.mkdir(exist_ok=True)
    (gate.upper / path).symlink_to(target)
    found = gate.collect()
    assert [change for change in found.changes if change.path == path.encode()] == []
    assert target in reasons(found)[path.encode()]


def test_links_inside_the_tree_may_leave(gate, lay_out):
    lay_out({"sub/x": "1"})
    (gate.upper / "a").symlink_to("sub/x")
    (gate.upper / "d").mkdir()
    (gate.upper / "d" / "b").symlink_to("../sub/./x")
    assert kinds(gate.collect()) == {b"a": "added", b"d/b": "added"}


def test_an_old_link_out_of_the_tree_is_not_the_sandboxs_doing(gate, lay_out):
    lay_out({"out": "->/etc", "same": "->/etc"})
    gate.whiteout("out")
    (gate.upper / "same").symlink_to("/etc")
    assert gate.collect().changes == (Change(b"out", Link(b"/etc"), None),)
    assert gate.collect().refused == ()


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o1644])
def test_s12_setuid_setgid_and_sticky_files_are_refused(gate, lay_out, mode):
    lay_out({"x": "x"})
    gate.put("x", "x", mode)
    found = gate.collect()
    assert found.changes == ()
    assert f"{mode:o}" in reasons(found)[b"x"]


def test_s12_only_the_exec_bit_of_a_mode_counts(gate, lay_out):
    lay_out({"w": "w"})
    gate.put("w", "w", 0o666)
    assert gate.collect().changes == ()


def test_s40_files_over_the_limit_are_refused_and_their_deletion_is_not(gate, lay_out):
    lay_out({"big": "x" * 100, "edited": "x" * 100, "cut": "x" * 100})
    gate.whiteout("big")
    gate.put("new", "y" * 51)
    gate.put("edited", "y" * 100)
    gate.put("cut", "y" * 5)
    gate.put("fits", "z" * 50)
    found = gate.collect(size_limit=50)
    assert kinds(found) == {b"fits": "added", b"big": "deleted", b"cut": "modified"}
    assert reasons(found) == {
        b"new": "has 51 bytes, over the limit of 50",
        b"edited": "has 100 bytes, over the limit of 50",
    }
    gate.apply(gate.approval(found), change_set=found)
    assert sorted(os.listdir(gate.checkout)) == ["cut", "edited", "fits"]


def test_a_sparse_file_of_terabytes_costs_nothing(gate, lay_out):
    lay_out({})
    os.truncate(gate.put("huge", ""), 8 * 1024**4)
    assert set(reasons(gate.collect())) == {b"huge"}


GIT_NAMES = [
    ".git", ".GIT", ".Git", ".g\u200cit", ".git\u200d", "\uff0egit", ".git.", ".git ", ".git. .", "GIT~1", "git~2",
    ".git::$INDEX_ALLOCATION", ".git:x", "a\\.git", ".git\\hooks", ".g\ufeffit", ".G\u0131T".replace("\u0131", "i"),
]  # fmt: skip


@pytest.mark.parametrize("name", GIT_NAMES)
def test_s20_s21_s22_git_in_any_spelling_is_refused(gate, lay_out, name):
    lay_out({})
    gate.put(f"sub/{name}/config", "[core]\nfsmonitor = evil\n")
    found = gate.collect()
    assert reasons(found) == {f"sub/{name}".encode(): "stays in the sandbox: git's own data never leaves as files"}
    assert kinds(found) == {b"sub": "added"}


@pytest.mark.parametrize("name", ["git", ".github", ".gitignore", "git~", "legit", ".gitx", "agit~1"])
def test_names_that_only_look_like_git_may_leave(gate, lay_out, name):
    lay_out({})
    gate.put(f"{name}/x", "x")
    assert kinds(gate.collect()) == {f"{name}/x".encode(): "added"}


def test_s24_a_deleted_or_replaced_git_folder_is_one_refusal(gate, lay_out):
    lay_out({".git/config": "[core]", ".git/objects/ab/cd": "x"})
    gate.put(".git", "gitdir: /tmp/evil")
    assert reasons(gate.collect()) == {b".git": "stays in the sandbox: git's own data never leaves as files"}
    assert gate.collect().changes == ()


def test_git_refusals_count_what_lies_below(gate, lay_out):
    lay_out({".git/config": "[core]"})
    for number in range(5):
        gate.put(f".git/objects/{number}", "x")
    (refused,) = gate.collect().refused
    assert refused.count == 6


def test_a_deleted_folder_that_holds_a_repository_stays_with_it(gate, lay_out):
    lay_out({"sub/.git/HEAD": "ref", "sub/x": "x", "sub/other/y": "y"})
    gate.whiteout("sub")
    found = gate.collect()
    assert set(kinds(found)) == {b"sub/x", b"sub/other", b"sub/other/y"}
    assert set(reasons(found)) == {b"sub/.git"}


def test_a_folder_that_holds_a_repository_is_not_replaced_by_a_file(gate, lay_out):
    lay_out({"sub/.git/HEAD": "ref"})
    gate.put("sub", "file")
    assert set(reasons(gate.collect())) == {b"sub", b"sub/.git"}
    assert gate.collect().changes == ()


def test_s25_a_repository_without_a_git_folder_is_refused(gate, lay_out):
    lay_out({"other/HEAD": "h"})
    for path in ("sub/HEAD", "sub/config", "sub/objects/ab/cd", "sub/refs/heads/main", "sub/hooks/x", "sub/README"):
        gate.put(path, "x")
    gate.put("other/config", "x")
    (gate.upper / "bare" / "objects").mkdir(parents=True)
    (gate.upper / "bare" / "refs").mkdir()
    gate.put("bare/HEAD", "ref: refs/heads/main")
    found = gate.collect()
    assert set(kinds(found)) == {b"sub/README", b"other/config", b"bare"}
    assert set(reasons(found)) == {b"sub/HEAD", b"sub/config", b"sub/objects", b"sub/refs", b"sub/hooks",
                                   b"bare/HEAD", b"bare/objects", b"bare/refs"}  # fmt: skip


def test_s25_nor_can_one_be_completed_or_reconfigured_later(gate, lay_out):
    lay_out({"half/HEAD": "h", "half/objects/": "", "full/HEAD": "h", "full/objects/": "", "full/refs/": ""})
    gate.put("half/refs/x", "x")
    gate.put("full/config", "[core]\nfsmonitor = evil\n")
    assert gate.collect().changes == ()
    assert set(reasons(gate.collect())) == {b"half/refs", b"full/config"}


def test_s25_a_repository_may_be_deleted(gate, lay_out):
    lay_out({"full/HEAD": "h", "full/objects/x": "", "full/refs/x": ""})
    gate.whiteout("full")
    assert reasons(gate.collect()) == {}


def test_nobody_inside_can_make_one_of_our_journals(gate, lay_out):
    lay_out({})
    gate.put(".paddock-txn.0/COMMIT", "x")
    gate.put("sub/.PADDOCK-TXN.1", "x")
    assert set(reasons(gate.collect())) == {b".paddock-txn.0", b"sub/.PADDOCK-TXN.1"}


def test_s06_a_folder_over_a_host_link_that_came_later_is_refused(gate, lay_out, tmp_path):
    lay_out({"out/x": "x"})
    gate.put("out/x", "evil")
    (gate.checkout / "out" / "x").unlink()
    (gate.checkout / "out").rmdir()
    (gate.checkout / "out").symlink_to(tmp_path)
    found = gate.collect()
    assert found.changes == ()
    assert reasons(found) == {b"out": "the checkout has a link here now: nothing is written through it"}


def test_s06_a_link_that_the_sandbox_replaced_by_a_folder_is_a_change(gate, lay_out):
    lay_out({"out": "->../outside"})
    gate.opaque("out")
    gate.put("out/x", "x")
    assert kinds(gate.collect()) == {b"out": "type", b"out/x": "added"}


def test_s32_ignore_files_of_the_sandbox_hide_nothing(gate, lay_out):
    lay_out({"a": "1"})
    gate.put(".gitignore", "*\n")
    gate.put(".gitattributes", "* -diff\n")
    gate.put("a", "2")
    assert {change.path for change in gate.collect().pending} == {b".gitignore", b".gitattributes", b"a"}


def test_ignored_paths_are_listed_apart(gate, lay_out):
    lay_out({".gitignore": "build/\n*.log\n"})
    gate.put("build/x", "x")
    gate.put("a.log", "x")
    gate.put("b.txt", "x")
    found = gate.collect()
    assert {change.path for change in found.changes} == {b"build/x", b"a.log", b"b.txt"}
    assert {change.path for change in found.pending} == {b"b.txt"}


@pytest.fixture
def settled(gate):
    """An ignored file whose change time is old enough to be trusted."""
    (gate.checkout / ".gitignore").write_text("*.o\n")
    gate.begin()
    gate.put("a.o", "one")
    time.sleep(2.1)
    return gate.upper / "a.o"


def test_an_ignored_file_is_read_again_only_when_it_moved(gate, settled, change_at):
    def look():
        seen = Manifest.remembered(gate.session.path / "seen")
        return change_at(
            collect(gate.upper, gate.checkout, manifest=gate.manifest, blobs=gate.blobs, seen=seen), b"a.o"
        ).after

    first = look()
    facts = settled.stat()
    os.utime(settled, ns=(0, facts.st_mtime_ns))  # the access time only: it moves the change time
    assert look() == first
    settled.write_text("two")
    os.utime(settled, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert gate.blobs.read(look().digest) == b"two"
    settled.chmod(0o755)
    assert look().executable


def test_k01_a_file_that_the_user_edited_meanwhile_has_moved(gate, lay_out, change_at):
    lay_out({"a": "old", "b": "old"})
    gate.put("a", "agent")
    gate.put("b", "agent")
    (gate.checkout / "a").write_text("user")
    found = gate.collect()
    assert change_at(found, b"a").moved
    assert not change_at(found, b"b").moved


def test_a_touch_after_the_first_look_is_no_move(gate, lay_out, change_at):
    lay_out({"a": "old"})
    gate.put("a", "agent")
    gate.collect()
    os.utime(gate.checkout / "a", (5, 5))
    assert not change_at(gate.collect(), b"a").moved
    (gate.checkout / "a").write_text("user")
    assert change_at(gate.collect(), b"a").moved


def test_the_users_own_new_files_in_a_replaced_folder_are_left_alone(gate, lay_out):
    lay_out({})
    gate.opaque("docs")
    gate.put("docs/agent", "a")
    (gate.checkout / "docs").mkdir()
    (gate.checkout / "docs" / "user").write_text("u")
    assert kinds(gate.collect()) == {b"docs/agent": "added"}


def test_s19_names_are_bytes(gate, lay_out):
    lay_out({})
    names = [b"a\nb", b"t\tab", b"e\x1b[2J", b"\xff\xfe", b"-rf", b"--upload-pack=x", b"n" * 255, b" ", b"dot. "]
    for name in names:
        with open(os.path.join(os.fsencode(gate.upper), name), "wb") as file:
            file.write(b"x")
    assert [change.path for change in gate.collect().changes] == sorted(names)


@pytest.fixture
def deep_file(gate):
    """A file under 3,000 folders; removed by `rm`, because Python's own way of removing trees dies of it."""
    folder = os.open(gate.upper, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    yield b"d/" * 3000 + b"leaf"
    subprocess.run(["rm", "-rf", gate.upper, gate.checkout], check=True)


def test_three_thousand_levels_are_walked_and_applied(gate, deep_file):
    gate.begin()
    found = gate.collect()
    assert [change.path for change in found.changes] == [deep_file]
    assert gate.apply(gate.approval(found)).paths == (deep_file,)
    assert gate.collect().changes == ()


def test_a_missing_upper_is_an_error_and_not_an_empty_change_set(gate, lay_out):
    lay_out({})
    gate.upper.rmdir()
    with pytest.raises(StateError, match="cannot be opened"):
        gate.collect()


def test_a_checkout_that_became_a_link_is_refused(gate, lay_out, tmp_path):
    lay_out({})
    gate.checkout.rename(tmp_path / "elsewhere")
    gate.checkout.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckoutRefused):
        gate.collect()


@pytest.mark.root
def test_s17_what_a_real_overlay_does_with_renames_and_modes(gate, lay_out, mounted):
    lay_out({"big/one": "1", "big/two": "2", "chmodded": "c", "touched": "t"})
    view = mounted()
    subprocess.run("mv big big2; chmod 600 chmodded; touch -d 2020-01-01 touched", shell=True, cwd=view, check=True)
    assert kinds(gate.collect()) == {
        b"big": "deleted",
        b"big/one": "deleted",
        b"big/two": "deleted",
        b"big2/one": "added",
        b"big2/two": "added",
    }
    assert gate.collect().refused == ()


def test_s24_an_emptied_git_folder_is_refused_and_one_that_was_only_touched_is_none(gate, lay_out):
    lay_out({".git/config": "[core]", "sub/.git/HEAD": "ref", "sub/x": "x", "same/.git/HEAD": "ref"})
    gate.opaque(".git")
    gate.opaque("sub")
    (gate.upper / "sub" / ".git").mkdir()
    gate.put("sub/x", "x")
    (gate.upper / "same" / ".git").mkdir(parents=True)
    found = gate.collect()
    assert found.changes == ()
    assert set(reasons(found)) == {b".git", b"sub/.git"}


@pytest.mark.root
def test_another_file_system_below_the_checkout_is_left_alone_and_said(gate, lay_out):
    lay_out({"disk/": "", "gone/disk/": "", "gone/x": "x"})
    for name in ("disk", "gone/disk"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", gate.checkout / name], check=True)
    try:
        (gate.checkout / "disk" / "theirs").write_text("t")
        gate.put("disk/x", "x")
        gate.whiteout("gone")
        gate.put("fine", "f")
        found = gate.collect()
        assert kinds(found) == {b"gone/x": "deleted", b"fine": "added"}
        assert reasons(found) == {
            b"disk": "in the checkout, lies on another file system than the checkout: it stays as it is",
            b"gone/disk": "in the checkout, lies on another file system than the checkout; it stays",
        }
        gate.apply(gate.approval(found))
        assert os.listdir(gate.checkout / "disk") == ["theirs"]
    finally:
        for name in ("disk", "gone/disk"):
            subprocess.run(["umount", gate.checkout / name], check=True)


def test_a_tree_without_end_is_refused_where_it_gets_too_deep(gate, lay_out):
    lay_out({})
    folder = os.open(gate.upper, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("n" * 200, dir_fd=folder)
        below = os.open("n" * 200, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    found = gate.collect()
    (refused,) = found.refused
    assert refused.reason == "cannot be read: File name too long"
    assert len(found.changes) == 1
