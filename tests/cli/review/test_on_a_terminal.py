"""The review as a process on a terminal, without an engine: what reaches the terminal, and what it leaves behind."""

import os

import pytest

from cli.editor import edited
from cli.screen.review.sitting import Editor, amended, subject_of
from cli.screen.review.state import Edited, State
from tests.cli.test_screen import HOSTILE

THEIRS = ("\x1b]0;", "\x1b]52;", "\x1bP$q", "\x9b", "\x90", "\u202e", "\u2066", "\u200b", "\x0b", "\x85", "\u2028")


def test_v03_v04_nothing_from_inside_acts_on_the_terminal_or_leaves_its_place(desk, lay_out, terminal):
    lay_out({"a": "x\n"})
    for text in HOSTILE:
        raw = text.encode("utf-8", "surrogateescape")
        desk.gate.put(os.fsdecode(raw.replace(b"/", b"_")) + ".txt", raw + b"\n" + raw * 50)
    seen = terminal("review", cwd=desk.gate.checkout)
    seen.wait_for("1 of 1")
    seen.wait_for("? help")
    for number in range(len(HOSTILE)):
        seen.press(")" if number else "j", "1 of 1")
        seen.wait_for("? help")
        rows = seen.screen.splitlines()
        assert rows[0].startswith(" session ")
        assert rows[-1].startswith("spc accept x reject")
        assert all(row.isprintable() for row in rows)
    seen.press("q", f"{len(HOSTILE)} files pending")
    assert seen.end() == 0
    sent = seen.raw.decode("utf-8")
    assert [code for code in THEIRS if code in sent] == []


def test_without_colours_it_is_as_usable(desk, lay_out, terminal):
    lay_out({"a": "x\n"})
    desk.gate.put("b", "y\n")
    seen = terminal("review", cwd=desk.gate.checkout, NO_COLOR="1")
    seen.wait_for("1 of 1")
    seen.press(" ", "✓ accepted")
    seen.press("a", "y applies")
    seen.press("y", "applied 1 file")
    assert seen.end() == 0
    assert (desk.gate.checkout / "b").read_text() == "y\n"


def test_without_a_terminal_it_says_what_to_do(desk, lay_out, paddock):
    lay_out({"a": "x\n"})
    desk.gate.put("b", "y\n")
    done = paddock("review", cwd=desk.gate.checkout)
    assert (done.returncode, "a review needs a terminal" in done.stderr) == (4, True)


def test_a_mass_deletion_takes_its_number_once(desk, lay_out, terminal):
    lay_out({f"{number}.txt": "x\n" for number in range(60)})
    for number in range(60):
        desk.gate.whiteout(f"{number}.txt")
    seen = terminal("review", cwd=desk.gate.checkout)
    seen.wait_for("DELETE")
    seen.press("A", "✓ 60 ")
    seen.press("a", "type their number")
    seen.press("60\r", "applied 60 files")
    assert seen.end() == 0
    assert os.listdir(desk.gate.checkout) == []


@pytest.fixture
def editor(tmp_path):
    """An editor that runs a script on the file."""

    def make(script):
        program = tmp_path / "editor"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return str(program)

    return make


@pytest.fixture
def opened(desk, editor):
    """Opens the one change there is in an editor: the state afterwards, and what is said."""

    def run(script, state=None):
        case = desk.case
        subject = subject_of(case, case.changes.pending)
        state = state or State({item.path: item for item in subject.items})
        (item,) = state.items.values()
        return amended(state, item, Editor(subject.blobs, editor(script), case.session.path))

    return run


def test_an_edited_text_is_what_is_approved(desk, lay_out, opened):
    lay_out({"a.py": "1\n"})
    desk.gate.put("a.py", "2\n", 0o755)
    state, said = opened("echo 3 > $1")
    choice = state.choice(b"a.py")
    assert isinstance(choice, Edited)
    assert (desk.gate.blobs.read(choice.change.after.digest), choice.change.after.executable) == (b"3\n", True)
    assert said.startswith("edited by you")
    again, _ = opened("echo 4 >> $1", state)
    assert desk.gate.blobs.read(again.choice(b"a.py").change.after.digest) == b"3\n4\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [("true", "nothing was changed"), ("echo 3 > $1; exit 1", "it failed"), ("rm $1", "it failed")],
)
def test_an_editor_that_changes_nothing_or_fails_decides_nothing(desk, lay_out, opened, script, said):
    lay_out({"a.py": "1\n"})
    desk.gate.put("a.py", "2\n")
    state, found = opened(script)
    assert (dict(state.choices), said in found) == ({}, True)


def test_an_emptied_text_is_an_empty_file_and_said(desk, lay_out, opened):
    lay_out({"a.py": "1\n"})
    desk.gate.put("a.py", "2\n")
    state, said = opened(": > $1")
    assert state.choice(b"a.py").change.after.size == 0
    assert "the file will be empty" in said


def test_a_conflict_is_opened_with_both_sides_and_marks_left_in_it_decide_nothing(desk, lay_out, opened):
    lay_out({"a.py": "1\n"})
    desk.gate.put("a.py", "2\n")
    (desk.gate.checkout / "a.py").write_text("3\n")
    state, said = opened("echo more >> $1")
    assert (dict(state.choices), "markers left" in said) == ({}, True)
    state, _ = opened("sed -i '/^[<>|=]/d' $1")
    choice = state.choice(b"a.py")
    assert isinstance(choice, Edited)
    assert {b"2", b"3"} <= set(desk.gate.blobs.read(choice.change.after.digest).split())
    assert not choice.change.moved


def test_the_text_lies_in_a_private_file_of_the_session_and_not_for_long(desk, tmp_path, editor):
    report = tmp_path / "report"
    edited(b"x", b"d/na me.py", editor(f"stat -c %a $1 > {report}; dirname $1 >> {report}"), desk.gate.session.path)
    mode, folder = report.read_text().split()
    assert mode == "600"
    assert folder.startswith(f"{desk.gate.session.path}/paddock-")
    assert not os.path.exists(folder)


def test_vim_reads_no_modeline_out_of_a_sandbox(tmp_path):
    program = tmp_path / "vim.basic"
    program.write_text('#!/bin/sh\nfor last; do :; done\necho "$1 $2" > "$last"\n')
    program.chmod(0o755)
    assert edited(b"x", b"a.py", str(program)) == b"--cmd set nomodeline\n"
