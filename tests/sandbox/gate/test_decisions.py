"""What a person made of a change: written as decided, remembered, and never an excuse for anything else."""

from dataclasses import replace

import pytest

from sandbox.changes import Change, Directory, Gone, Link
from sandbox.errors import StateError
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.approval import Approved, records
from sandbox.gate.decisions import SIDE, approval, both, edited, markers, mine, theirs
from sandbox.gate.discard import discard_all, discard_paths
from sandbox.gate.hunks import with_hunks
from sandbox.gate.manifest import Manifest

TEXT = "".join(f"{number}\n" for number in range(1, 31))
USERS, AGENTS = TEXT.replace("2\n", "two\n", 1), TEXT.replace("15\n", "fifteen\n")


@pytest.fixture
def conflict(gate, lay_out, change_at):
    """A file that both sides made something else of, of which no base is known."""

    def make(users="user\n", agents="agent\n"):
        lay_out({"a": "base\n"})
        (gate.checkout / "a").write_text(users)
        gate.put("a", agents)
        changes = gate.collect()
        return changes, change_at(changes, b"a")

    return make


@pytest.fixture
def decide(gate):
    """Approves and applies decided changes of a change set."""
    return lambda changes, *decided: gate.apply(approval(changes, decided, "tester"), change_set=changes)


def text_of(gate, name="a"):
    return (gate.checkout / name).read_text()


def test_an_edited_text_is_what_is_applied_and_nothing_is_left_until_the_sandbox_changes_it_again(
    gate, lay_out, decide, change_at
):
    lay_out({"a": TEXT})
    gate.put("a", AGENTS)
    changes = gate.collect()
    better = AGENTS.replace("fifteen", "XV")
    assert decide(changes, edited(change_at(changes, b"a"), better.encode(), gate.blobs)) == Applied((b"a",))
    assert text_of(gate) == better
    assert gate.collect().changes == ()
    gate.put("a", AGENTS + "31\n")
    assert gate.apply_all() == Applied((b"a",))
    assert text_of(gate) == better + "31\n"


def test_what_contradicts_an_edited_text_later_is_a_conflict_and_not_overwritten(gate, lay_out, decide, change_at):
    lay_out({"a": TEXT})
    gate.put("a", AGENTS)
    changes = gate.collect()
    decide(changes, edited(change_at(changes, b"a"), b"mine alone\n", gate.blobs))
    gate.put("a", AGENTS.replace("fifteen", "other"))
    assert isinstance(gate.apply_all(), Conflicts)
    assert text_of(gate) == "mine alone\n"


def test_an_edited_text_stays_settled_in_the_next_process(gate, lay_out, decide, change_at):
    lay_out({"a": TEXT})
    gate.put("a", AGENTS)
    changes = gate.collect()
    decide(changes, edited(change_at(changes, b"a"), b"mine\n", gate.blobs))
    gate.manifest = Manifest.load(gate.session.manifest)
    assert gate.collect().changes == ()


def test_a_text_that_takes_all_back_settles_the_change(gate, lay_out, decide, change_at):
    lay_out({"a": TEXT})
    gate.put("a", AGENTS)
    changes = gate.collect()
    decide(changes, edited(change_at(changes, b"a"), TEXT.encode(), gate.blobs))
    assert gate.collect().changes == ()
    assert text_of(gate) == TEXT


def test_the_sandboxs_own_text_is_no_amendment(gate, lay_out, change_at):
    lay_out({"a": TEXT})
    gate.put("a", AGENTS)
    change = change_at(gate.collect(), b"a")
    assert edited(change, AGENTS.encode(), gate.blobs) == change


def test_a_deletion_can_become_a_text(gate, lay_out, decide, change_at):
    lay_out({"a": TEXT})
    gate.whiteout("a")
    changes = gate.collect()
    decide(changes, edited(change_at(changes, b"a"), b"deprecated\n", gate.blobs))
    assert text_of(gate) == "deprecated\n"
    assert gate.collect().changes == ()


@pytest.mark.parametrize(
    "change",
    [Change(b"x", None, Link(b"a")), Change(b"x", Directory(), None), Change(b"x", None, Directory())],
)
def test_only_a_file_can_be_edited(gate, change):
    with pytest.raises(StateError, match="x is no file that can be edited"):
        edited(change, b"text", gate.blobs)


def test_theirs_overwrites_the_users_version_and_an_undo_would_find_it(gate, conflict, decide):
    changes, change = conflict()
    assert isinstance(gate.apply(gate.approval(changes), change_set=changes), Conflicts)
    assert decide(changes, theirs(change)) == Applied((b"a",))
    assert text_of(gate) == "agent\n"
    assert gate.blobs.read(change.before.digest) == b"user\n"
    assert gate.collect().changes == ()
    gate.put("a", "\0binary now")
    assert gate.apply_all() == Applied((b"a",))


def test_theirs_does_not_overwrite_what_the_user_saved_after_the_decision(gate, conflict, decide):
    changes, change = conflict()
    (gate.checkout / "a").write_text("user again\n")
    assert isinstance(decide(changes, theirs(change)), Conflicts)
    assert text_of(gate) == "user again\n"


def test_mine_writes_nothing_and_is_not_asked_again(gate, conflict, decide):
    _, change = conflict()
    before = (gate.checkout / "a").stat()
    mine(gate.manifest, [change])
    gate.manifest = Manifest.load(gate.session.manifest)
    assert gate.collect().changes == ()
    assert (gate.checkout / "a").stat() == before


def test_after_mine_the_sandboxs_next_edit_alone_is_merged(gate, lay_out, change_at):
    lay_out({"a": TEXT})
    (gate.checkout / "a").write_text(USERS)
    gate.put("a", AGENTS)
    changes = gate.collect()
    assert change_at(changes, b"a").moved  # nobody read the file in time
    mine(gate.manifest, [change_at(changes, b"a")])
    gate.put("a", AGENTS.replace("30\n", "thirty\n"))
    assert gate.apply_all() == Applied((b"a",))
    assert text_of(gate) == USERS.replace("30\n", "thirty\n")


def test_after_mine_a_next_edit_that_does_not_merge_is_a_conflict_again(gate, conflict, change_at):
    _, change = conflict()
    mine(gate.manifest, [change])
    gate.put("a", "\0agent")
    assert change_at(gate.collect(), b"a").moved
    gate.put("a", "agent again\n")
    assert isinstance(gate.apply_all(), Conflicts)
    assert text_of(gate) == "user\n"


def test_mine_for_a_file_that_the_sandbox_deleted(gate, lay_out, change_at):
    lay_out({"a": "base\n"})
    (gate.checkout / "a").write_text("user\n")
    gate.whiteout("a")
    change = change_at(gate.collect(), b"a")
    assert (change.moved, change.after) == (True, None)
    mine(gate.manifest, [change])
    gate.manifest = Manifest.load(gate.session.manifest)
    assert gate.manifest.settled(b"a") == Gone()
    assert gate.collect().changes == ()
    (gate.upper / "a").unlink()
    gate.put("a", "made anew\n")
    assert change_at(gate.collect(), b"a").moved


def test_mine_for_a_file_that_the_user_deleted(gate, lay_out, change_at):
    lay_out({"a": "base\n"})
    gate.put("a", "agent\n")
    (gate.checkout / "a").unlink()
    change = change_at(gate.collect(), b"a")
    assert (change.moved, change.before) == (True, None)
    mine(gate.manifest, [change])
    assert gate.collect().changes == ()
    gate.put("a", "agent again\n")
    assert change_at(gate.collect(), b"a").moved


def test_mine_for_one_file_in_a_folder_that_the_sandbox_deleted(gate, lay_out, change_at):
    lay_out({"d/a": "base\n", "d/b": "base\n"})
    (gate.checkout / "d" / "a").write_text("user\n")
    gate.whiteout("d")
    mine(gate.manifest, [change_at(gate.collect(), b"d/a")])
    assert [change.path for change in gate.collect().changes] == [b"d/b"]
    assert gate.apply_all() == Applied((b"d/b",))
    assert text_of(gate, "d/a") == "user\n"
    assert gate.collect().changes == ()


def test_the_side_file_holds_both_versions_and_the_path_itself_stays_as_it_is(gate, conflict, decide, change_at):
    changes, change = conflict("same\nuser\nend\n", "same\nagent\nend\n")
    side = markers(change, gate.blobs)
    assert decide(changes, side) == Applied((b"a" + SIDE,))
    assert text_of(gate, "a.paddock-merge") == ("same\n<<<<<<< yours\nuser\n=======\nagent\n>>>>>>> sandbox\nend\n")
    assert text_of(gate) == "same\nuser\nend\n"
    assert change_at(gate.collect(), b"a") == change
    assert decide(gate.collect(), side) == Applied((b"a" + SIDE,))


def test_a_side_file_of_another_is_not_overwritten(gate, conflict, decide):
    changes, change = conflict()
    (gate.checkout / "a.paddock-merge").write_text("half resolved\n")
    assert isinstance(decide(changes, markers(change, gate.blobs)), Conflicts)
    assert text_of(gate, "a.paddock-merge") == "half resolved\n"


def test_where_the_base_is_known_the_side_file_shows_it_and_merges_the_rest(gate, lay_out, change_at):
    lay_out({"a": TEXT})
    gate.collect()
    gate.put("a", AGENTS.replace("2\n", "agent\n", 1))
    gate.collect()
    (gate.checkout / "a").write_text(USERS)
    change = change_at(gate.collect(), b"a")
    assert change.moved
    text = gate.blobs.read(markers(change, gate.blobs).after.digest).decode()
    assert "<<<<<<< yours\ntwo\n||||||| base\n2\n=======\nagent\n>>>>>>> sandbox\n" in text
    assert "\nfifteen\n" in text


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (b"\0a", b"b", "binary"),
        (Link(b"x"), b"b", "no file on both sides"),
        (b"a", Directory(), "no file on both sides"),
    ],
)
def test_what_has_no_lines_has_no_side_file(gate, before, after, reason):
    nodes = [gate.blobs.put(node) if isinstance(node, bytes) else node for node in (before, after)]
    with pytest.raises(StateError, match=reason):
        markers(Change(b"x", *nodes, moved=True), gate.blobs)


def test_a_deletion_against_an_edit_can_be_seen_in_a_side_file(gate):
    change = Change(b"x", None, gate.blobs.put(b"agent\n"), moved=True)
    assert both(change, gate.blobs).text == b"<<<<<<< yours\n=======\nagent\n>>>>>>> sandbox\n"


def test_a_name_too_long_for_a_side_file_is_refused(gate):
    change = Change(b"x" * 250, gate.blobs.put(b"a"), gate.blobs.put(b"b"), moved=True)
    with pytest.raises(StateError, match="too long"):
        markers(change, gate.blobs)


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


def test_what_was_discarded_and_is_written_again_is_a_new_change(gate, conflict, change_at):
    _, change = conflict()
    mine(gate.manifest, [change])
    discard_paths(gate.session, gate.checkout, [b"a"])
    gate.put("a", "agent\n")
    gate.manifest = Manifest.load(gate.session.manifest)
    assert change_at(gate.collect(), b"a").after == change.after


def test_what_went_with_everything_and_is_written_again_is_a_new_change(gate, conflict, change_at):
    _, change = conflict()
    mine(gate.manifest, [change])
    discard_all(gate.session)
    gate.put("a", "agent\n")
    gate.manifest = Manifest.load(gate.session.manifest)
    assert change_at(gate.collect(), b"a").after == change.after
