"""What a person made of a change: written as decided, remembered, and never an excuse for anything else."""

import pytest

from sandbox.changes import Change, Directory, Gone, Link
from sandbox.errors import StateError
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.decisions import SIDE, both, edited, markers, mine, theirs
from sandbox.gate.discard import discard_all, discard_paths
from sandbox.gate.manifest import Manifest
from sandbox.gate.merge import LARGEST

TEXT = "".join(f"{number}\n" for number in range(1, 31))
USERS, AGENTS = TEXT.replace("2\n", "two\n", 1), TEXT.replace("15\n", "fifteen\n")


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


def test_what_is_too_large_to_compare_has_no_side_file(gate):
    large = gate.blobs.put(b"x\n" * (LARGEST // 2 + 1))
    with pytest.raises(StateError, match="too large"):
        markers(Change(b"x", gate.blobs.put(b"a\n"), large, moved=True), gate.blobs)


def test_a_deletion_against_an_edit_can_be_seen_in_a_side_file(gate):
    change = Change(b"x", None, gate.blobs.put(b"agent\n"), moved=True)
    assert both(change, gate.blobs).text == b"<<<<<<< yours\n=======\nagent\n>>>>>>> sandbox\n"


def test_a_name_too_long_for_a_side_file_is_refused(gate):
    change = Change(b"x" * 250, gate.blobs.put(b"a"), gate.blobs.put(b"b"), moved=True)
    with pytest.raises(StateError, match="too long"):
        markers(change, gate.blobs)


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
