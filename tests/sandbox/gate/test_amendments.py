"""What is approved as something else than it was proposed: single hunks and decisions, and never anything besides."""

from dataclasses import replace

import pytest

from sandbox.changes import Change, Link
from sandbox.errors import StateError
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.approval import Approved, records
from sandbox.gate.decisions import SIDE, approval, theirs
from sandbox.gate.hunks import with_hunks

TEXT = "".join(f"{number}\n" for number in range(1, 31))
USERS, AGENTS = TEXT.replace("2\n", "two\n", 1), TEXT.replace("15\n", "fifteen\n")


def text_of(gate, name="a"):
    return (gate.checkout / name).read_text()


def test_the_record_says_what_was_amended(gate, conflict, decide):
    changes, change = conflict()
    decide(changes, theirs(change))
    (approved,) = [record for record in records(gate.session) if isinstance(record, Approved)]
    assert (approved.amended, [one.settles for one in approved.restored()]) == ((0,), [change.after])


def forge(change, origin, blobs):
    """Amendments that nobody could have made of the original."""
    other = replace(blobs.put(b"forged\n"), executable=True)
    return [
        replace(change, after=other, settles=blobs.put(b"another")),
        replace(change, after=other, settles=None),
        replace(change, before=other),
        replace(change, after=Link(b"x")),
        replace(change, after=None),
        replace(change, path=b"elsewhere"),
        replace(change, path=b"elsewhere" + SIDE, before=None),
        replace(change, path=origin.path + SIDE, before=None, settles=None),
        Change(origin.path + SIDE, None, other),
    ]


@pytest.mark.parametrize("number", range(9))
def test_v22_an_amendment_is_of_something_that_was_proposed_or_it_is_refused(gate, conflict, tree, number):
    changes, change = conflict()
    before = tree(gate.checkout)
    forged = forge(theirs(change), change, gate.blobs)[number]
    with pytest.raises(StateError, match="nothing was written"):
        gate.apply(approval(changes, [forged], "tester"), change_set=changes)
    assert tree(gate.checkout) == before
    assert isinstance(gate.apply(approval(changes, [theirs(change)], "tester"), change_set=changes), Applied)


def test_v22_a_path_is_amended_only_if_it_is_approved(gate, conflict):
    changes, change = conflict()
    forged = replace(approval(changes, [theirs(change)], "tester"), amended=frozenset({b"a", b"b"}))
    with pytest.raises(StateError, match="nothing was written"):
        gate.apply(forged, change_set=changes)


def test_some_hunks_now_and_the_rest_later(gate, lay_out, decide, change_at):
    lay_out({"a": TEXT})
    gate.put("a", AGENTS.replace("29\n", "29!\n"), 0o755)
    changes = gate.collect()
    decide(changes, with_hunks(change_at(changes, b"a"), [2], gate.blobs))
    assert text_of(gate) == TEXT.replace("29\n", "29!\n")
    rest = change_at(gate.collect(), b"a")
    assert (rest.kind, rest.moved, rest.before.executable) == ("modified", False, True)
    assert gate.apply_all() == Applied((b"a",))
    assert text_of(gate) == AGENTS.replace("29\n", "29!\n")
    assert gate.collect().changes == ()


def test_some_hunks_of_a_merge_do_not_take_the_users_edits_back_later(gate, lay_out, decide, change_at):
    lay_out({"a": TEXT})
    gate.put("a", AGENTS.replace("29\n", "29!\n"))
    gate.collect()
    (gate.checkout / "a").write_text(USERS)
    changes = gate.collect()
    change = change_at(changes, b"a")
    assert change.settles is not None
    decide(changes, with_hunks(change, [1], gate.blobs))
    assert text_of(gate) == USERS.replace("15\n", "fifteen\n")
    assert gate.apply_all() == Applied((b"a",))
    assert text_of(gate) == USERS.replace("15\n", "fifteen\n").replace("29\n", "29!\n")
    assert gate.collect().changes == ()


@pytest.mark.parametrize("again", ["15\n", "FIFTEEN\n"])
def test_what_the_sandbox_makes_later_of_a_hunk_that_was_taken_is_its_edit(gate, lay_out, decide, change_at, again):
    lay_out({"a": TEXT})
    theirs = AGENTS.replace("29\n", "29!\n")
    gate.put("a", theirs)
    gate.collect()
    (gate.checkout / "a").write_text(USERS)
    changes = gate.collect()
    decide(changes, with_hunks(change_at(changes, b"a"), [1], gate.blobs))
    gate.put("a", theirs.replace("fifteen\n", again))
    assert gate.apply_all() == Applied((b"a",))
    assert text_of(gate) == USERS.replace("15\n", again).replace("29\n", "29!\n")


def test_a_decision_of_one_look_is_void_after_another_change(gate, conflict, decide):
    changes, change = conflict()
    gate.put("b", "new\n")
    with pytest.raises(StateError, match="the sandbox has changed since"):
        gate.apply(approval(changes, [theirs(change)], "tester"), change_set=gate.collect())


def test_a_file_that_both_made_is_a_conflict_until_somebody_decides(gate, lay_out, change_at, decide):
    lay_out({})
    gate.put("n", "agent\n")
    (gate.checkout / "n").write_text("user\n")
    changes = gate.collect()
    assert change_at(changes, b"n").moved
    assert isinstance(gate.apply_all(), Conflicts)
    decide(changes, theirs(change_at(changes, b"n")))
    assert text_of(gate, "n") == "agent\n"
