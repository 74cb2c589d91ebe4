"""A repository without a `.git` folder, in parts: no order and no choice of approvals puts one together."""

from dataclasses import replace

import pytest

from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.repositories import REASON
from tests.sandbox.conftest import make_gate

PARTS = ("HEAD", "objects/ab/cd", "refs/heads/main")


@pytest.mark.parametrize("parts", [PARTS, ("HEAD", "commondir")])
def test_s25_two_sessions_put_no_repository_together(gate, lay_out, tmp_path, parts):
    lay_out({})
    (tmp_path / "second").mkdir()
    second = replace(make_gate(tmp_path / "second"), checkout=gate.checkout)
    second.begin()
    gate.put(f"sub/{parts[0]}", "ref: refs/heads/main")
    for part in parts[1:]:
        second.put(f"sub/{part}", "x")
    mine, theirs = gate.collect(), second.collect()
    assert (mine.refused, theirs.refused) == ((), ())  # alone, neither is one
    assert isinstance(gate.apply(gate.approval(mine), change_set=mine), Applied)
    outcome = second.apply(second.approval(theirs), change_set=theirs)
    assert isinstance(outcome, Conflicts)
    assert {conflict.reason for conflict in outcome.conflicts} == {REASON}
    assert not (gate.checkout / "sub" / parts[1]).exists()


def test_s25_a_part_of_an_approval_puts_none_together_either(gate, lay_out):
    lay_out({"sub/objects/x": "o", "sub/refs/x": "r"})
    gate.put("sub/HEAD", "ref: refs/heads/main")
    gate.whiteout("sub/refs")
    changes = gate.collect()
    assert changes.refused == ()  # all of it leaves no repository behind
    assert isinstance(gate.apply(gate.approval(changes, b"sub/HEAD"), change_set=changes), Conflicts)
    assert not (gate.checkout / "sub" / "HEAD").exists()
    assert isinstance(gate.apply(gate.approval(changes), change_set=changes), Applied)
    assert (gate.checkout / "sub" / "HEAD").exists()


def test_s25_what_the_user_made_meanwhile_counts(gate, lay_out):
    lay_out({})
    gate.put("sub/HEAD", "ref: refs/heads/main")
    gate.put("sub/config", "[core]\nfsmonitor = evil\n")
    gate.put("fine", "x")
    changes = gate.collect()
    assert changes.refused == ()
    for folder in ("objects", "refs"):
        (gate.checkout / "sub" / folder).mkdir(parents=True)
    outcome = gate.apply(gate.approval(changes), change_set=changes)
    assert isinstance(outcome, Conflicts)
    assert {conflict.path for conflict in outcome.conflicts} == {b"sub/HEAD", b"sub/config"}
    assert isinstance(gate.apply(gate.approval(changes, b"fine"), change_set=changes), Applied)


@pytest.mark.parametrize("names", [("head", "Objects", "REFS"), ("Head", "CommonDir")])
def test_s25_s20_parts_in_another_case_count_as_git_would_find_them(gate, lay_out, names):
    lay_out({})
    for name in names:
        gate.put(f"sub/{name}/x" if name.lower() in ("objects", "refs") else f"sub/{name}", "x")
    assert [change.path for change in gate.collect().changes] == [b"sub"]


def test_folders_and_files_that_are_only_called_so_may_leave(gate, lay_out):
    lay_out({"src/objects/a.py": "1"})
    gate.put("src/objects/b.py", "2")
    gate.put("src/refs/c.py", "3")
    gate.put("src/config", "4")
    gate.put("HEAD", "5")
    assert isinstance(gate.apply_all(), Applied)
    assert (gate.checkout / "src" / "refs" / "c.py").read_text() == "3"
