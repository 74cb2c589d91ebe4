"""Which call a change is put down to, line by line, and what the account survives."""

import os
import shutil
import stat
import time
from collections.abc import Callable

import pytest

from sandbox.base import Call
from sandbox.changes import Change
from sandbox.gate.ledger import Ledger
from sandbox.gate.notes import path_of
from sandbox.gate.provenance import Cause, causes, why

Step = Callable[..., tuple[bytes, ...]]


@pytest.fixture
def step(gate) -> Step:
    """Notes what was done since, as the doing of a call with this id."""
    ledger = Ledger(gate.session)

    def note(name: str, manner: str = "by") -> tuple[bytes, ...]:
        time.sleep(0.002)  # so that no two notes bear the same time
        return ledger.note(Call(name, "Bash", f"did {name}"), manner)  # type: ignore[arg-type]

    return note


def names(found: tuple[Cause, ...]) -> list[str]:
    """The calls, oldest first; what has none by its manner."""
    return [cause.call or cause.manner for cause in found]


def behind(gate, change: Change) -> list[tuple[str, list[str]]]:
    """Each hunk's header with the calls behind it."""
    return [(hunk.header, names(found)) for hunk, found in why(gate.session, change, gate.blobs)]


def numbered(changed: dict[int, str] | None = None, count: int = 40) -> str:
    """A text of numbered lines, some of them others."""
    lines = {number: f"line {number}" for number in range(1, count + 1)} | (changed or {})
    return "".join(f"{lines[number]}\n" for number in sorted(lines))


def test_a35_1_the_last_cause_says_who_changed_a_file_last(gate, lay_out, step: Step) -> None:
    lay_out({"a.txt": "one\n"})
    gate.put("a.txt", "two\n")
    assert step("first") == (b"a.txt",)
    gate.put("b.txt", "b\n")
    step("second")
    gate.put("a.txt", "three\n")
    step("third")
    assert names(causes(gate.session, b"a.txt")) == ["first", "third"]
    assert causes(gate.session, b"a.txt")[-1].sentence == "Bash did third"
    assert causes(gate.session, b"nowhere") == ()


def test_each_hunk_has_the_call_that_wrote_its_lines(gate, lay_out, step: Step, change_at) -> None:
    lay_out({"a.txt": numbered()})
    gate.put("a.txt", numbered({3: "by first"}))
    step("first")
    gate.put("a.txt", numbered({3: "by first", 30: "by second"}))
    step("second")
    change = change_at(gate.collect(), b"a.txt")
    assert behind(gate, change) == [("@@ -1,6 +1,6 @@", ["first"]), ("@@ -27,7 +27,7 @@", ["second"])]


def test_a_line_that_two_calls_worked_on_is_the_last_ones_and_its_removal_the_firsts(
    gate, lay_out, step: Step, change_at
) -> None:
    lay_out({"a.txt": numbered()})
    gate.put("a.txt", numbered({3: "draft"}))
    step("first")
    gate.put("a.txt", numbered({3: "final"}))
    step("second")
    assert behind(gate, change_at(gate.collect(), b"a.txt")) == [("@@ -1,6 +1,6 @@", ["first", "second"])]


def test_a_new_and_a_deleted_file_have_their_calls_too(gate, lay_out, step: Step, change_at) -> None:
    lay_out({"old.txt": "old\n"})
    gate.put("new.txt", "one\n")
    step("made")
    gate.put("new.txt", "one\ntwo\n")
    gate.whiteout("old.txt")
    step("extended")
    changes = gate.collect()
    assert behind(gate, change_at(changes, b"new.txt")) == [("@@ -0,0 +1,2 @@", ["made", "extended"])]
    assert behind(gate, change_at(changes, b"old.txt")) == [("@@ -1 +0,0 @@", ["extended"])]


def test_what_went_with_its_folder_is_the_doing_of_who_removed_that(gate, lay_out, step: Step, change_at) -> None:
    lay_out({"src/deep/a.txt": "a\n", "lib/b.txt": "b\n"})
    gate.whiteout("src")
    step("removed")
    gate.opaque("lib")
    step("emptied")
    changes = gate.collect()
    assert names(causes(gate.session, b"src/deep/a.txt")) == ["removed"]
    assert behind(gate, change_at(changes, b"lib/b.txt")) == [("@@ -1 +0,0 @@", ["emptied"])]


def test_what_has_been_applied_is_no_cause_of_what_is_new(gate, lay_out, step: Step, change_at) -> None:
    lay_out({"a.txt": numbered()})
    gate.put("a.txt", numbered({3: "by first"}))
    step("first")
    gate.apply_all()
    gate.put("a.txt", numbered({3: "by first", 30: "by second"}))
    step("second")
    assert behind(gate, change_at(gate.collect(), b"a.txt")) == [("@@ -27,7 +27,7 @@", ["second"])]


def test_lines_of_a_merge_or_of_an_edit_at_the_gate_are_the_users(gate, lay_out, step: Step, change_at) -> None:
    from dataclasses import replace

    lay_out({"a.txt": numbered()})
    gate.put("a.txt", numbered({3: "by first"}))
    step("first")
    change = change_at(gate.collect(), b"a.txt")
    edited = gate.blobs.put(numbered({3: "by first", 20: "mine"}).encode())
    amended = replace(change, after=edited, settles=change.after)
    assert behind(gate, amended) == [("@@ -1,6 +1,6 @@", ["first"]), ("@@ -17,7 +17,7 @@", ["user"])]


def test_what_a_process_left_running_did_is_not_the_doing_of_the_next_call(
    gate, lay_out, step: Step, change_at
) -> None:
    lay_out({"a.txt": "a\n"})
    gate.put("a.txt", "b\n")
    step("server", "after")
    (cause,) = causes(gate.session, b"a.txt")
    assert cause.sentence == "after Bash did server, by a process it left running"


def test_what_nobody_noted_is_unknown_and_not_the_last_calls(gate, lay_out, step: Step, change_at) -> None:
    lay_out({"a.txt": numbered()})
    gate.put("a.txt", numbered({3: "by first"}))
    step("first")
    gate.put("a.txt", numbered({3: "by first", 30: "later"}))
    assert [found for _, found in behind(gate, change_at(gate.collect(), b"a.txt"))] == [["first"], ["unknown"]]


def test_a_version_that_is_lost_names_all_calls_it_may_have_been(gate, lay_out, step: Step, change_at) -> None:
    lay_out({"a.txt": "one\n"})
    gate.put("a.txt", "two\n")
    step("first")
    gate.put("a.txt", "three\n")
    step("second")
    gate.put("a.txt", "four\n")
    step("third")
    change = change_at(gate.collect(), b"a.txt")
    (gate.blobs.folder / gate.blobs.put(b"three\n").digest).unlink()
    assert [set(found) for _, found in behind(gate, change)] == [{"first", "second", "third"}]


def test_a_discard_ends_the_account_of_a_file(gate, lay_out, step: Step) -> None:
    lay_out({"a.txt": "one\n"})
    file = gate.put("a.txt", "two\n")
    step("first")
    file.unlink()
    Ledger(gate.session).catch_up()
    assert causes(gate.session, b"a.txt") == ()
    gate.put("a.txt", "three\n")
    Ledger(gate.session).catch_up()
    assert names(causes(gate.session, b"a.txt")) == ["unknown"]


def test_the_account_is_private_and_a_torn_or_damaged_line_costs_only_itself(gate, lay_out, step: Step) -> None:
    lay_out({})
    gate.put("a", "a")
    step("first")
    file = path_of(gate.session)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open("ab") as end:
        end.write(b'{"call": 7}\n\xff\xfe\n{"call": "torn')
    gate.put("b", "b")
    step("second")
    assert names(causes(gate.session, b"a")) == ["first"]
    assert names(causes(gate.session, b"b")) == ["second"]
    assert b"torn" not in file.read_bytes()


def test_a_link_in_the_accounts_place_is_not_written_through(gate, lay_out, step: Step, tmp_path) -> None:
    from sandbox.errors import StateError

    lay_out({})
    target = tmp_path / "target"
    target.write_bytes(b"")
    path_of(gate.session).symlink_to(target)
    gate.put("a", "a")
    with pytest.raises(StateError, match="provenance"):
        step("first")
    assert target.read_bytes() == b""


def test_names_and_summaries_of_any_bytes_are_kept(gate, lay_out, step: Step) -> None:
    lay_out({})
    name = b"a\n\xff\x1b[2J"
    with open(os.path.join(os.fsencode(gate.upper), name), "w") as file:
        file.write("x")
    Ledger(gate.session).note(Call("1", "Bash", "echo \ud800\x1b[2J"), "by")
    (cause,) = causes(gate.session, name)
    assert cause.summary == "echo ?\x1b[2J"


@pytest.mark.root
def test_a_real_overlay_leaves_the_traces_that_are_looked_for(gate, lay_out, step: Step, mounted) -> None:
    lay_out({"a.txt": "a\n", "src/b.txt": "b\n", "lib/c.txt": "c\n", "same.txt": "same\n"})
    view = mounted()
    (view / "same.txt").touch()
    assert step("touched") == ()
    (view / "a.txt").unlink()
    assert step("deleted") == (b"a.txt",)
    shutil.rmtree(view / "lib")
    (view / "lib").mkdir()
    assert step("emptied") == (b"lib",)
    (view / "src" / "b.txt").write_text("bb\n")
    assert step("written") == (b"src/b.txt",)
    (view / "src" / "b.txt").rename(view / "src" / "d.txt")
    assert set(step("renamed")) == {b"src/b.txt", b"src/d.txt"}
    assert names(causes(gate.session, b"lib/c.txt")) == ["emptied"]
