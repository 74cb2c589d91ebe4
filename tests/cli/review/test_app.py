"""The review's screen, driven by keys and clicks: what is seen, what is decided, and what never is."""

import os
import re

import anyio
import pytest
from textual import events
from textual.widgets import Input

from cli.screen.review.diff_view import DiffView
from cli.screen.review.state import ACCEPTED, OPEN, REJECTED, Item, Parts, Side, State
from cli.screen.review.subject import Apply, Edit, Interrupted, Leave, Subject
from cli.screen.review.tree import FileTree
from sandbox.gate.effects import MassDeletion
from tests.cli.test_screen import HOSTILE

pytestmark = pytest.mark.anyio

LINES = [f"line {number}\n" for number in range(60)]


@pytest.fixture
def several(desk, lay_out):
    """An ordinary edit with two hunks, one that runs later, a deletion, a conflict, an ignored file."""
    lay_out(
        {"src/a.py": "".join(LINES), "Makefile": "all:\n", "old.txt": "x\n", "both": "1\n", ".gitignore": "*.log\n"}
    )
    desk.gate.put("src/a.py", "".join(["first\n", *LINES[1:58], "needle\n", LINES[59]]))
    desk.gate.put("src/b.py", "def b() -> None: ...\n")
    desk.gate.put("Makefile", "all:\n\techo\n")
    desk.gate.put("run.log", "log\n")
    desk.gate.whiteout("old.txt")
    desk.gate.put("both", "2\n")
    (desk.gate.checkout / "both").write_text("3\n")
    return desk


async def settled(pilot):
    """Let it read what it has to and draw it."""
    app = pilot.app
    for _ in range(200):
        await pilot.pause()
        is_shown = app.diff.loaded is not None or app.files.row.refused is not None
        if app.wanted is None and is_shown and app.takes_keys:
            return
        await anyio.sleep(0.01)
    raise AssertionError("it never came to rest")


async def press(pilot, *keys):
    for key in keys:
        await settled(pilot)
        await pilot.press(key)
    await settled(pilot)


async def asked(pilot):
    """Wait for a page over the review."""
    for _ in range(200):
        await pilot.pause()
        if len(pilot.app.screen_stack) > 1 and pilot.app.takes_keys:
            return
        await anyio.sleep(0.01)
    raise AssertionError("nothing was asked")


def text_of(app):
    """What is on the screen, row by row."""
    height = app.size.height
    lines = app.screen._compositor.render_strips()
    assert len(lines) == height
    return [line.text for line in lines]


def choices(app):
    return {path.decode(): choice for path, choice in app.state.choices.items()}


async def go_to(pilot, path):
    await settled(pilot)
    pilot.app.files.select(path.encode())
    pilot.app.draw()
    await settled(pilot)


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (20, 5)])
async def test_it_can_be_read_at_any_size(several, size):
    app = several.app()
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        rows = text_of(app)
        assert all(len(row) == size[0] for row in rows)
        if size[0] >= 80:
            assert "needs a look" in rows[1]
            assert "RUNS LATER" in "".join(rows)
            assert "? help" in rows[-1]


async def test_what_needs_a_look_comes_first_and_by_name_is_a_key_away(several):
    app = several.app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        assert [item.path for item in app.listing.leaves[:3]] == [b"Makefile", b"both", b"old.txt"]
        await press(pilot, "s")
        assert [item.path for item in app.listing.leaves[-3:]] == [b"src/a.py", b"src/b.py", b"run.log"]


async def test_space_accepts_and_x_rejects_file_by_file(several):
    app = several.app()
    async with app.run_test() as pilot:
        await press(pilot, "space", "x", "down", "space")
        assert choices(app)["Makefile"] == ACCEPTED
        assert "both" not in choices(app) or choices(app)["both"] == REJECTED


async def test_hunks_are_decided_one_by_one(several):
    app = several.app()
    async with app.run_test(size=(120, 30)) as pilot:
        await go_to(pilot, "src/a.py")
        await press(pilot, "enter", "x", "space")
        assert choices(app) == {"src/a.py": Parts(frozenset({2}), frozenset({1}), 2)}
        assert app.diff.hunk == 2
        assert any("[✓ accepted]" in row for row in text_of(app))
        await press(pilot, "u")
        assert choices(app) == {"src/a.py": Parts(frozenset(), frozenset({1}), 2)}


async def test_the_mouse_decides_too(several):
    app = several.app()
    async with app.run_test(size=(120, 30)) as pilot:
        await go_to(pilot, "src/a.py")
        diff = app.query_one(DiffView)
        head = next(index for index, row in enumerate(text_of(app)) if "@@ -1" in row)
        await pilot.click(offset=(diff.region.right - 6, head))
        await settled(pilot)
        assert choices(app) == {"src/a.py": Parts(frozenset({1}), frozenset(), 2)}
        await pilot.click(FileTree, offset=(10, 1))
        await settled(pilot)
        assert app.files.row.path == b"Makefile"


async def test_accept_all_leaves_what_needs_its_own_decision(several):
    app = several.app()
    async with app.run_test() as pilot:
        await press(pilot, "A")
        assert set(choices(app)) == {"old.txt", "src/a.py", "src/b.py"}
        assert any("need a decision of their own" in row for row in text_of(app))


async def test_a_conflict_offers_mine_theirs_and_a_side_file(several):
    app = several.app()
    async with app.run_test() as pilot:
        await go_to(pilot, "both")
        await press(pilot, "space")
        assert choices(app) == {}
        for key, side in (("m", Side.MINE), ("t", Side.THEIRS), ("M", Side.MARKERS)):
            await press(pilot, key)
            assert choices(app) == {"both": side}


async def test_apply_lists_what_is_written_and_what_stays_and_takes_a_y(several):
    app = several.app()
    async with app.run_test(size=(100, 40)) as pilot:
        await press(pilot, "A", "a")
        await asked(pilot)
        shown = "\n".join(text_of(app))
        assert "will be written  3" in shown
        assert "not opened" in shown
        assert "stays pending  2" in shown
        await pilot.press("y")
    assert app.return_value == Apply()


async def test_v17_keys_that_came_before_the_question_are_no_answer(several):
    app = several.app()
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        await pilot.press("A")
        early = events.Key("y", "y")
        await pilot.press("a")
        await asked(pilot)
        app.post_message(early)
        await pilot.pause()
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        await settled(pilot)
        await pilot.press("q")
    assert app.return_value == Leave()


async def test_v17_keys_that_came_before_the_first_frame_decide_nothing(several):
    early = [events.Key(key, key) for key in ("A", "a", "y")]
    app = several.app()
    async with app.run_test() as pilot:
        await settled(pilot)
        for event in early:
            app.post_message(event)
        await pilot.pause()
        assert (choices(app), len(app.screen_stack)) == ({}, 1)


async def test_v17_a_paste_is_no_command_and_no_confirmation(several):
    subject = several.subject
    much = Subject(
        subject.title, subject.items, subject.blobs, too_much=lambda _: MassDeletion(9, 10, "deletes 9 files")
    )
    app = type(several.app())(much, State({item.path: item for item in subject.items}))
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        app.post_message(events.Paste("Aay"))
        await pilot.pause()
        assert choices(app) == {}
        await press(pilot, "A", "a")
        await asked(pilot)
        app.post_message(events.Paste("9"))
        await pilot.pause()
        assert app.screen.query_one(Input).value == ""
        await pilot.press("8", "enter")
        await pilot.pause()
        assert len(app.screen_stack) == 2
        await pilot.press("9", "enter")
    assert app.return_value == Apply()


async def test_v11_a_change_too_long_to_be_shown_takes_its_name_typed(desk, lay_out):
    lay_out({"a": "x\n"})
    desk.gate.put("long.txt", "".join(f"{number}\n" for number in range(60_000)))
    app = desk.app()
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "A")
        assert choices(app) == {}
        assert any("its name typed: it is too big to be shown in full" in row for row in text_of(app))
        await press(pilot, "space")
        await asked(pilot)
        assert "not shown in full" in "\n".join(text_of(app))
        await pilot.press("y", "enter")
        await pilot.pause()
        assert choices(app) == {}
        await pilot.press(*"long.txt", "enter")
        await settled(pilot)
        assert choices(app) == {"long.txt": ACCEPTED}


async def test_a_denied_change_shows_its_rule_and_stays(several):
    subject = several.subject
    items = [Item(item.change, item.badges, "Edit(**) in settings.json denies it") for item in subject.items]
    app = type(several.app())(Subject("t", items, subject.blobs), State({item.path: item for item in items}))
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "space", "A", "f", "t", "e")
        assert choices(app) == {}
        assert any("can never be applied: Edit(**) in settings.json denies it" in row for row in text_of(app))


async def test_leaving_decides_nothing_and_ctrl_c_says_so(several):
    for key, outcome in (("q", Leave()), ("ctrl+c", Interrupted())):
        app = several.app()
        async with app.run_test() as pilot:
            await press(pilot, "A")
            await pilot.press(key)
        assert app.return_value == outcome


async def test_e_hands_the_file_over_to_an_editor(several):
    app = several.app()
    async with app.run_test() as pilot:
        await go_to(pilot, "src/a.py")
        await pilot.press("e")
    assert isinstance(app.return_value, Edit)
    assert app.return_value.item.path == b"src/a.py"


async def test_search_finds_names_and_lines_and_goes_round(several):
    app = several.app()
    async with app.run_test(size=(100, 20)) as pilot:
        await press(pilot, "slash")
        await pilot.press(*"needle", "enter")
        await settled(pilot)
        await pilot.pause(0.1)
        assert (app.files.row.path, app.diff.hunk) == (b"src/a.py", 2)
        await press(pilot, "slash")
        await pilot.press(*"b.py", "enter")
        await pilot.pause(0.1)
        await settled(pilot)
        assert app.files.row.path == b"src/b.py"
        await press(pilot, "slash")
        await pilot.press(*"nowhere", "enter")
        await pilot.pause(0.1)
        await settled(pilot)
        assert any("nowhere is nowhere" in row for row in text_of(app))


async def test_side_by_side_takes_room_and_comes_back_with_it(several):
    app = several.app()
    async with app.run_test(size=(120, 30)) as pilot:
        await go_to(pilot, "src/a.py")
        await press(pilot, "v")
        assert app.diff.is_split
        await pilot.resize_terminal(90, 30)
        await settled(pilot)
        assert not app.diff.is_split
        await pilot.resize_terminal(120, 30)
        await settled(pilot)
        assert app.diff.is_split


async def test_folders_close_and_open(several):
    app = several.app()
    async with app.run_test() as pilot:
        await go_to(pilot, "src/a.py")
        await press(pilot, "left", "enter")
        assert app.files.row.path == b"src"
        assert not any("a.py" in row[:28] for row in text_of(app))
        await press(pilot, "right")
        assert any("a.py" in row[:28] for row in text_of(app))


async def test_the_models_words_are_marked_as_its_own(several):
    subject = several.subject
    said = Subject("t", subject.items, subject.blobs, summary="only docs \x1b]0;x\x07 [red]changed[/red]")
    app = type(several.app())(said, State({item.path: item for item in subject.items}))
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("i")
        await asked(pilot)
        shown = "\n".join(text_of(app))
        assert "nothing of it was checked" in shown
        assert "┃ only docs \\x1b]0;x\\x07 [red]changed[/red]" in shown


async def test_why_and_help_are_pages_that_go_away(several):
    app = several.app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        for key, word in (("w", "unknown"), ("question_mark", "deciding")):
            await pilot.press(key)
            await asked(pilot)
            assert word in "\n".join(text_of(app))
            await pilot.press("escape")
            await settled(pilot)
            assert len(app.screen_stack) == 1


async def test_v03_v04_v06_v15_names_and_lines_from_inside_are_only_text(desk, lay_out):
    lay_out({"a": "x\n"})
    for text in HOSTILE:
        raw = text.encode("utf-8", "surrogateescape")
        desk.gate.put(os.fsdecode(raw.replace(b"/", b"_")) + ".txt", raw + b"\n" + raw * 50)
    app = desk.app()
    async with app.run_test(size=(120, 40)) as pilot:
        for _ in HOSTILE:
            await press(pilot, "right_parenthesis")
            rows = text_of(app)
            assert all(row.isprintable() and len(row) >= 100 for row in rows)
            assert not set("".join(rows)) & set("\u202e\u2066\u2069\u200b\u2028\x85")
        assert sum("[link=file" in row for row in rows[:20]) >= 1
        await pilot.press("w")
        await asked(pilot)
        assert all(row.isprintable() for row in text_of(app))


async def test_twenty_thousand_lines_are_drawn_only_as_far_as_they_are_seen(desk, lay_out):
    lay_out({"a": "x\n"})
    desk.gate.put("big.py", "".join(f"value_{number} = {number}\n" for number in range(20_000)))
    app = desk.app()
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "enter", "end")
        assert any("value_19999 = 19999" in row for row in text_of(app))
        assert len(app.diff._drawn) < 200


async def test_a_bug_of_ours_ends_the_screen_and_is_told_outside(several):
    class Broken(type(several.app())):
        def action_accept(self):
            raise ZeroDivisionError("ours \x1b]0;x\x07")

    subject = several.subject
    app = Broken(subject, State({item.path: item for item in subject.items}))
    with pytest.raises(ZeroDivisionError):
        async with app.run_test() as pilot:
            await settled(pilot)
            app.simulate_key("space")
            while app.failure is None:  # noqa: ASYNC110 - an app that has failed tells nobody
                await anyio.sleep(0.01)
    assert isinstance(app.failure, ZeroDivisionError)
    assert app.state.choice(b"Makefile") == OPEN


async def test_what_never_leaves_is_shown_with_its_reason_and_takes_no_key(desk, lay_out):
    lay_out({"a": "x\n"})
    desk.gate.put("a", "y\n")
    (desk.gate.upper / "out").symlink_to("/etc/passwd")
    desk.gate.put("sub/.git/config", "[core]\n")
    app = desk.app()
    async with app.run_test(size=(100, 24)) as pilot:
        await settled(pilot)
        assert any("never leaves" in row and " 2" in row for row in text_of(app))
        await press(pilot, "end")
        shown = "\n".join(text_of(app))
        assert "NEVER LEAVES" in shown
        assert app.subject.refused[-1].reason[:20] in shown
        for key in ("space", "x", "f", "F", "e", "w", "m", "u"):
            await press(pilot, key)
            assert (choices(app), len(app.screen_stack), app.return_value) == ({}, 1, None)
        assert any("nothing to decide" in row for row in text_of(app))
        await go_to(pilot, "a")
        assert app.diff.loaded.item.path == b"a"


async def test_a_renamed_file_is_one_in_both_places_and_decided_by_one_key(desk, lay_out):
    lay_out({"docs/a.md": "".join(LINES), "gone": "x\n"})
    desk.gate.put("docs/b.md", "".join(["first\n", *LINES[1:]]))
    desk.gate.whiteout("docs/a.md")
    desk.gate.whiteout("gone")
    app = desk.app()
    async with app.run_test(size=(140, 30)) as pilot:
        await go_to(pilot, "docs/b.md")
        assert [item.path for item in app.listing.leaves] == [b"gone", b"docs/a.md", b"docs/b.md"]
        shown = "\n".join(text_of(app))
        assert re.search("R b.md +← docs/a.md 98 % ", shown)
        assert re.search("R a.md +→ docs/b.md ", shown)
        assert "probably renamed from docs/a.md (98 % the same): only what differs is shown" in shown
        assert ("- line 0" in shown, "+ first" in shown, "line 9" in shown) == (True, True, False)
        await press(pilot, "space")
        assert choices(app) == {"docs/a.md": ACCEPTED, "docs/b.md": ACCEPTED}
        assert any("docs/a.md, its old name, is accepted too" in row for row in text_of(app))
