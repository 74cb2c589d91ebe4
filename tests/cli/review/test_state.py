"""What a key may decide: nothing is accepted that was not asked for, and nothing that a rule forbids."""

from dataclasses import replace

import pytest

from cli.screen.review import deciding
from cli.screen.review.badges import badges
from cli.screen.review.decided import Decided, decided
from cli.screen.review.deciding import Place
from cli.screen.review.halves import follow, said
from cli.screen.review.loading import Loaded, Loader
from cli.screen.review.ordinary import take_ordinary
from cli.screen.review.state import (
    ACCEPTED,
    OPEN,
    REJECTED,
    Edited,
    Item,
    Parts,
    Refusal,
    Renamed,
    Side,
    State,
    Unseen,
    accept,
    accept_hunk,
    accept_unseen,
    amend,
    reject,
    reject_hunk,
    reopen_hunk,
    settle,
)
from sandbox.changes import Change, File
from sandbox.gate.blobs import Blobs
from sandbox.gate.diff import FileDiff
from sandbox.gate.effects import effects

A, B = File("a" * 64, 1), File("b" * 64, 2)
PLAIN = Item(Change(b"plain.py", A, B))
GRAVE = Item(Change(b"Makefile", A, B), needs_look=True)
DENIED = Item(Change(b"locked", A, B), denied="Edit(locked) denies it")
CONFLICT = Item(Change(b"both", A, B, moved=True))
IGNORED = Item(Change(b"x.log", None, B, ignored=True))
EVERY = (PLAIN, GRAVE, DENIED, CONFLICT, IGNORED)


OLD = Item(Change(b"old.md", A, None), renamed=Renamed(b"new.md", 100))
NEW = Item(Change(b"new.md", None, A), renamed=Renamed(b"old.md", 100, A))


def state_of(*items):
    """Items that fit the screen, all of them."""
    return State({item.path: item for item in items}).with_whole(item.path for item in items)


def paths(state):
    return [item.path for item, _ in state.to_apply()]


@pytest.mark.parametrize("item", [PLAIN, GRAVE, IGNORED])
def test_a_change_is_accepted_on_its_own(item):
    assert paths(accept(state_of(*EVERY), item.path, is_whole=True)) == [item.path]


def test_accept_all_takes_only_what_is_ordinary_and_says_what_is_left():
    found = take_ordinary(state_of(*EVERY), EVERY)
    assert (paths(found.state), found.number, found.apart) == ([b"plain.py"], 1, 3)
    assert found.sentence == "accepted 1 ordinary · 3 need a decision of their own"


def test_accept_all_overrules_no_decision():
    found = take_ordinary(reject(state_of(*EVERY), PLAIN.path), EVERY)
    assert (paths(found.state), found.number) == ([], 0)


def test_v11_accept_all_leaves_what_was_never_shown_in_full():
    big = Item(Change(b"big.txt", A, B))
    state = State({item.path: item for item in (PLAIN, big)}).with_whole([PLAIN.path])
    found = take_ordinary(state, (PLAIN, big))
    assert (paths(found.state), found.cut) == ([b"plain.py"], 1)
    assert "1 needs its name typed: it is too big to be shown in full" in found.sentence
    assert paths(take_ordinary(state.with_whole([big.path]), (PLAIN, big)).state) == [b"plain.py", b"big.txt"]


def test_of_a_rename_both_halves_are_decided_by_one_key():
    before = state_of(OLD, NEW)
    for one, other in ((OLD, NEW), (NEW, OLD)):
        once = follow(before, before.with_choice(one.path, ACCEPTED), one)
        assert once.choices == {b"old.md": ACCEPTED, b"new.md": ACCEPTED}
        assert other.path.decode() in said(before, once, one)
        assert follow(once, once.with_choice(one.path, OPEN), one).choices == {}
    both = follow(before, before.with_choice(NEW.path, ACCEPTED), NEW)
    assert follow(both, reject(both, NEW.path), NEW).choices == {b"old.md": REJECTED, b"new.md": REJECTED}


def test_the_old_name_can_stay_beside_the_new_one_and_that_is_said():
    before = state_of(OLD, NEW)
    both = follow(before, before.with_choice(NEW.path, ACCEPTED), NEW)
    copy = follow(both, reject(both, OLD.path), OLD)
    assert copy.choices == {b"old.md": REJECTED, b"new.md": ACCEPTED}
    assert "the file is there twice" in said(both, copy, OLD)


@pytest.mark.parametrize("new", [replace(NEW, denied="a rule"), replace(NEW, needs_look=True)])
def test_no_half_of_a_rename_is_accepted_by_a_key_on_the_other_if_it_takes_its_own_decision(new):
    before = state_of(OLD, new)
    after = follow(before, before.with_choice(OLD.path, ACCEPTED), OLD)
    assert after.choices == {b"old.md": ACCEPTED}
    assert said(before, after, OLD).endswith("is not accepted: it takes a decision of its own")
    found = take_ordinary(before, (OLD, new))
    assert (paths(found.state), found.halves) == ([], 1)
    assert paths(take_ordinary(before.with_choice(new.path, ACCEPTED), (OLD,)).state) == [b"old.md", b"new.md"]


def test_v11_no_half_that_cannot_be_shown_in_full_follows_the_other():
    before = replace(state_of(OLD, NEW), whole=frozenset({OLD.path}))
    assert follow(before, before.with_choice(OLD.path, ACCEPTED), OLD).choices == {b"old.md": ACCEPTED}


def test_a_new_name_is_shown_against_what_the_old_one_held_and_applied_as_it_is():
    changed = Item(Change(b"new.md", None, B), renamed=Renamed(b"old.md", 90, A))
    assert changed.drawn == Change(b"new.md", A, B)
    assert changed.change.before is None
    assert OLD.drawn == OLD.change


def test_a_denied_change_can_be_accepted_in_no_way():
    state = state_of(*EVERY)
    for found in (
        accept(state, DENIED.path, is_whole=True),
        accept_unseen(state, DENIED.path),
        accept_hunk(state, DENIED.path, 1, of=2),
        amend(state, DENIED.path, DENIED.change),
    ):
        assert found == Refusal("this can never be applied: Edit(locked) denies it")


def test_v11_what_was_not_shown_in_full_takes_its_own_confirmation():
    state = state_of(PLAIN)
    assert accept(state, PLAIN.path, is_whole=False) == Unseen(PLAIN)
    assert paths(accept_unseen(state, PLAIN.path)) == [PLAIN.path]


def test_a_conflict_is_settled_and_not_just_accepted():
    state = state_of(CONFLICT)
    assert isinstance(accept(state, b"both", is_whole=True), Refusal)
    assert list(settle(state, b"both", Side.THEIRS).to_apply()) == [(CONFLICT, Side.THEIRS)]
    assert list(settle(state, b"both", Side.MARKERS).to_apply()) == [(CONFLICT, Side.MARKERS)]
    mine = settle(state, b"both", Side.MINE)
    assert (list(mine.to_apply()), mine.kept()) == ([], (CONFLICT,))


def test_what_is_no_conflict_has_no_sides():
    assert isinstance(settle(state_of(PLAIN), PLAIN.path, Side.MINE), Refusal)


def test_hunks_are_accepted_one_by_one():
    state = accept_hunk(state_of(PLAIN), PLAIN.path, 2, of=3)
    assert state.choice(PLAIN.path) == Parts(frozenset({2}), frozenset(), 3)
    state = reject_hunk(state, PLAIN.path, 1, of=3)
    assert paths(state) == [PLAIN.path]
    assert reopen_hunk(reopen_hunk(state, PLAIN.path, 1, of=3), PLAIN.path, 2, of=3).choice(PLAIN.path) == OPEN


def test_all_hunks_are_the_file_and_none_are_nothing():
    state = state_of(PLAIN)
    both = accept_hunk(accept_hunk(state, PLAIN.path, 1, of=2), PLAIN.path, 2, of=2)
    assert both.choice(PLAIN.path) == ACCEPTED
    assert reject_hunk(both, PLAIN.path, 2, of=2).choice(PLAIN.path) == Parts(frozenset({1}), frozenset({2}), 2)
    neither = reject_hunk(reject_hunk(state, PLAIN.path, 1, of=2), PLAIN.path, 2, of=2)
    assert (neither.choice(PLAIN.path), paths(neither)) == (REJECTED, [])


def test_all_hunks_of_a_conflict_are_the_sandboxs_side():
    state = accept_hunk(accept_hunk(state_of(CONFLICT), b"both", 1, of=2), b"both", 2, of=2)
    assert state.choice(b"both") is Side.THEIRS


def loaded(item, hunks=1, *, is_read=True):
    return Loaded(item, OPEN, FileDiff(item.path, (), 0, 0, False, ()), hunks, is_read)


def test_a_key_decides_nothing_before_the_change_is_there_to_see():
    assert deciding.accept(state_of(PLAIN), Place(None, PLAIN)) == Refusal("still being read")


def test_v11_no_hunk_of_a_change_that_is_cut_is_accepted_by_one_key():
    place = Place(loaded(PLAIN, 3, is_read=False), PLAIN, 1)
    assert isinstance(deciding.accept(state_of(PLAIN), place), Refusal)
    assert deciding.accept_file(state_of(PLAIN), place) == Unseen(PLAIN)


def test_a_second_press_takes_it_back():
    for place in (Place(loaded(PLAIN), PLAIN), Place(loaded(PLAIN, 2), PLAIN, 1)):
        once = deciding.accept(state_of(PLAIN), place)
        assert once.choices
        assert deciding.accept(once, place).choices == {}
        assert deciding.reject(deciding.reject(state_of(PLAIN), place), place).choices == {}
        assert deciding.undecide(once, place).choices == {}


def test_a_folder_accepts_what_is_ordinary_in_it():
    state = state_of(*EVERY)
    assert paths(take_ordinary(state, EVERY).state) == [PLAIN.path]
    assert take_ordinary(state, (GRAVE, DENIED)).number == 0
    assert deciding.reject(state, Place(below=EVERY)).choice(GRAVE.path) == REJECTED


def test_the_next_open_hunk_is_below():
    state = accept_hunk(reject_hunk(state_of(PLAIN), PLAIN.path, 2, of=4), PLAIN.path, 1, of=4)
    assert deciding.next_open(state, loaded(PLAIN, 4), 1) == 3
    assert deciding.next_open(state, loaded(PLAIN, 4), 4) == 0


def test_v14_badges_come_from_the_change_and_not_from_what_is_said():
    change = Change(b".github/workflows/x.yml", None, B)
    assert [badge.word for badge in badges(change, effects(change))] == ["RUNS LATER"]
    gone = Change(b"a", A, None, moved=True)
    assert [badge.word for badge in badges(gone, (), denied="a rule")] == ["DENIED", "CONFLICT", "DELETE"]
    assert [badge.word for badge in badges(gone, (), is_renamed=True)] == ["CONFLICT"]


def test_decisions_become_the_very_changes(desk, lay_out):
    lay_out({"edit": "".join(f"{n}\n" for n in range(40)), "gone": "x\n", "both": "a\nb\nc\n"})
    lines = [f"{n}\n" for n in range(40)]
    desk.gate.put("edit", "".join(["first\n", *lines[1:39], "last\n"]))
    desk.gate.put("new", "n\n")
    desk.gate.put("both", "a\nsandbox\nc\n")
    (desk.gate.checkout / "both").write_text("a\nuser\nc\n")
    changes = {change.path: change for change in desk.gate.collect().changes}
    blobs = desk.gate.blobs
    state = state_of(*(Item(change) for change in changes.values()))
    state = accept_hunk(state, b"edit", 2, of=2)
    state = settle(state, b"both", Side.THEIRS)
    found = {change.path: change for change in decided(state, blobs).changes}
    assert blobs.read(found[b"edit"].after.digest).decode() == "".join([*lines[:39], "last\n"])
    assert blobs.read(found[b"both"].after.digest) == b"a\nsandbox\nc\n"
    assert b"new" not in found
    state = settle(state.with_choice(b"new", ACCEPTED).with_choice(b"edit", REJECTED), b"both", Side.MINE)
    assert decided(state, blobs) == Decided((changes[b"new"],), (changes[b"both"],))
    state = settle(state.with_choice(b"new", Edited(changes[b"new"])), b"both", Side.MARKERS)
    side = decided(state, blobs).changes[0]
    assert (side.path, side.before) == (b"both.paddock-merge", None)


def test_what_needs_something_that_stays_waits_with_it(desk, lay_out):
    lay_out({"d/a": "x", "d/b": "x"})
    desk.gate.whiteout("d")
    changes = desk.gate.collect().changes
    folder = next(change for change in changes if change.path == b"d")
    state = state_of(*(Item(change) for change in changes)).with_choice(b"d", ACCEPTED).with_choice(b"d/a", ACCEPTED)
    found = decided(state, desk.gate.blobs)
    assert ([change.path for change in found.changes], found.waiting) == ([b"d/a"], (folder,))


def test_a_change_whose_content_is_lost_is_shown_as_such_and_is_not_whole(tmp_path):
    (tmp_path / "blobs").mkdir()
    found = Loader(Blobs(tmp_path / "blobs")).load(PLAIN, OPEN)
    assert not found.is_whole
    assert "cannot be read" in found.diff.notes[0]
