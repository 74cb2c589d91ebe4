"""What a file held before the sandbox changed it, known as early as it can be, and never made up."""

import os
import shutil

import pytest

from sandbox.changes import File, Link
from sandbox.gate import bases
from sandbox.gate.bases import Bases
from sandbox.gate.decisions import mine
from sandbox.gate.manifest import Manifest, Renewal
from sandbox.gate.merge import LARGEST


@pytest.fixture
def known(gate):
    """The base that a path has on disk."""
    return lambda path: Manifest.load(gate.session.manifest).base(path)


def test_a_file_that_did_not_move_is_read_and_kept(gate, lay_out, known):
    lay_out({"d/a": "before", "l": "->d"})
    (gate.checkout / "d" / "a").chmod(0o755)
    gate.begin()
    Bases(gate.session).learn([b"d/a", b"l", b"d", b"new", b"gone/away"])
    assert known(b"d/a") == File(gate.blobs.put(b"before").digest, 6, executable=True)
    assert known(b"l") == Link(b"d")
    assert known(b"d") is None
    assert gate.blobs.read(known(b"d/a").digest) == b"before"


def test_what_the_user_touched_since_has_no_base(gate, lay_out, known):
    lay_out({"a": "before", "b": "before", "c": "before"})
    (gate.checkout / "a").write_text("after!")
    os.utime(gate.checkout / "b")
    (gate.checkout / "c").unlink()
    Bases(gate.session).learn([b"a", b"b", b"c"])
    assert (known(b"a"), known(b"b"), known(b"c")) == (None, None, None)


def test_an_edit_after_the_tool_call_is_merged(gate, lay_out, change_at):
    lay_out({"a": "1\n2\n3\n4\n5\n"})
    gate.put("a", "1\n2\n3\n4\n5 agent\n")
    Bases(gate.session).learn([b"a"])
    (gate.checkout / "a").write_text("1 user\n2\n3\n4\n5\n")
    gate.manifest = Manifest.load(gate.session.manifest)
    change = change_at(gate.collect(), b"a")
    assert (change.moved, gate.blobs.read(change.after.digest)) == (False, b"1 user\n2\n3\n4\n5 agent\n")


def test_an_edit_before_the_tool_call_was_over_is_a_conflict(gate, lay_out, change_at):
    lay_out({"a": "1\n2\n3\n4\n5\n"})
    gate.put("a", "1\n2\n3\n4\n5 agent\n")
    (gate.checkout / "a").write_text("1 user\n2\n3\n4\n5\n")
    Bases(gate.session).learn([b"a"])
    gate.manifest = Manifest.load(gate.session.manifest)
    assert change_at(gate.collect(), b"a").moved


def test_links_and_other_files_on_the_way_are_not_followed(gate, lay_out, known, tmp_path):
    lay_out({"d/a": "before", "p": "x"})
    outside = tmp_path / "outside"
    shutil.copytree(gate.checkout / "d", outside)
    shutil.rmtree(gate.checkout / "d")
    (gate.checkout / "d").symlink_to(outside)
    (gate.checkout / "p").unlink()
    os.mkfifo(gate.checkout / "p")
    Bases(gate.session).learn([b"d/a", b"p", b"../outside/a", b"/etc/passwd", b"", b"."])
    assert (known(b"d/a"), known(b"p"), known(b"../outside/a")) == (None, None, None)


def test_files_too_large_to_merge_are_not_read(gate, lay_out, known):
    lay_out({"small": "x"})
    with (gate.checkout / "large").open("wb") as file:
        file.truncate(LARGEST + 1)
    gate.begin()
    Bases(gate.session).learn([b"large", b"small"])
    assert known(b"large") is None
    assert known(b"small") is not None


def test_one_call_reads_only_so_much(gate, lay_out, known):
    lay_out({})
    count = bases.MOST // LARGEST + 3
    for number in range(count):
        with (gate.checkout / f"{number:02}").open("wb") as file:
            file.truncate(LARGEST)
    gate.begin()
    Bases(gate.session).learn([b"%02d" % number for number in range(count)])
    assert sum(known(b"%02d" % number) is not None for number in range(count)) == bases.MOST // LARGEST


def test_what_another_command_made_known_is_not_overwritten(gate, lay_out):
    lay_out({"a": "before"})
    learner = Bases(gate.session)
    learner.learn([b"other"])
    settled = Renewal(None, gate.blobs.put(b"before"), gate.blobs.put(b"sandbox"))
    Manifest.load(gate.session.manifest).renew({b"a": settled})
    learner.learn([b"a"])
    assert Manifest.load(gate.session.manifest).settled(b"a") == settled.settled


def test_before_the_checkout_was_looked_at_and_after_it_is_gone_nothing_is_learned(gate, lay_out):
    (gate.checkout / "a").write_text("x")
    learner = Bases(gate.session)
    learner.learn([b"a"])
    assert not gate.session.manifest.exists()
    gate.begin()
    shutil.rmtree(gate.checkout)
    learner.learn([b"a"])
    assert Manifest.load(gate.session.manifest).base(b"a") is None


def test_what_the_sandbox_has_seen_of_the_users_edit_is_no_conflict_later(gate, lay_out, change_at):
    lay_out({"a": "base\n"})
    (gate.checkout / "a").write_text("user\n")
    Bases(gate.session).agree(b"a", b"user\n")
    gate.put("a", "user\nagent\n")
    gate.manifest = Manifest.load(gate.session.manifest)
    change = change_at(gate.collect(), b"a")
    assert (change.kind, change.moved) == ("modified", False)
    (gate.checkout / "a").write_text("user again\n")
    assert change_at(gate.collect(), b"a").moved


def test_what_the_sandbox_has_not_seen_of_the_users_edit_is_a_conflict(gate, lay_out, change_at, known):
    lay_out({"a": "base\n", "gone": "x\n"})
    (gate.checkout / "a").write_text("user\n")
    (gate.checkout / "gone").unlink()
    learner = Bases(gate.session)
    learner.agree(b"a", b"base\n")  # beneath an overlay, the kernel may go on showing a file that was replaced
    learner.agree(b"gone", b"x\n")
    learner.agree(b"../outside", b"x\n")
    gate.put("a", "base\nagent\n")
    gate.manifest = Manifest.load(gate.session.manifest)
    assert change_at(gate.collect(), b"a").moved
    assert (known(b"a"), known(b"gone")) == (None, None)


def test_a_view_that_agrees_settles_what_was_decided_before(gate, lay_out, change_at):
    lay_out({"a": "base\n"})
    (gate.checkout / "a").write_text("user\n")
    gate.put("a", "agent\n")
    mine(gate.manifest, [change_at(gate.collect(), b"a")])
    gate.put("a", "user\n")
    (gate.checkout / "a").write_text("user\n")
    Bases(gate.session).agree(b"a", b"user\n")
    gate.put("a", "agent\n")
    gate.manifest = Manifest.load(gate.session.manifest)
    change = change_at(gate.collect(), b"a")
    assert (change.moved, change.after) == (False, gate.blobs.put(b"agent\n"))
