"""Whole commands on a terminal, as a person uses them."""

import pytest

pytestmark = pytest.mark.engine


def test_review_asks_change_by_change_and_no_keeps_it_pending(paddock, terminal, project):
    paddock("exec", "--", "sh", "-c", "echo two >> a.txt; echo b > b.txt", cwd=project)
    seen = terminal("review", "--plain", cwd=project)
    seen.wait_for("apply a.txt?")
    seen.send("n\r")
    seen.wait_for("apply b.txt?")
    seen.send("y\r")
    assert seen.end() == 0
    assert "applied 1 file · 1 file pending: paddock review" in seen.screen
    assert ((project / "a.txt").read_text(), (project / "b.txt").read_text()) == ("one\n", "b\n")


@pytest.mark.parametrize("keys", ["q\r", "\r\r", "\x04\x04", "\x1b[200~y\ry\r\x1b[201~q\r"])
def test_anything_but_a_typed_yes_applies_nothing(paddock, terminal, project, keys):
    paddock("exec", "--", "sh", "-c", "touch b c", cwd=project)
    seen = terminal("review", "--plain", cwd=project)
    seen.wait_for("apply b?")
    seen.send(keys[:-1] if keys == "\r\r" else keys)
    if keys in ("\r\r", "\x04\x04"):
        seen.wait_for("apply c?")
        seen.send(keys[-1])
    assert seen.end() == 0
    assert "2 files pending" in seen.screen
    assert not (project / "b").exists()


def test_ctrl_c_in_a_review_applies_nothing(paddock, terminal, project):
    paddock("exec", "--", "touch", "b", cwd=project)
    seen = terminal("review", "--plain", cwd=project)
    seen.wait_for("apply b?")
    seen.send("\x03")
    assert seen.end() == 130
    assert not (project / "b").exists()


def test_all_says_first_what_deserves_a_look(paddock, terminal, project):
    (project / "z.txt").write_text("z\n")
    paddock("exec", "--", "sh", "-c", "rm z.txt a.txt; touch Makefile b", cwd=project)
    seen = terminal("review", cwd=project, TERM="dumb")  # which is the same as --plain
    seen.wait_for("apply Makefile?")
    seen.send("a\r")
    seen.wait_for("these 2 among them?")
    seen.send("y\r")
    assert seen.end() == 0
    assert "applied 4 files" in seen.screen


def test_a_change_not_shown_in_full_is_not_approved_with_one_key(paddock, terminal, project):
    paddock("exec", "--", "sh", "-c", "seq 2000 > long.txt", cwd=project)
    seen = terminal("review", "--plain", cwd=project)
    seen.wait_for("not shown in full")
    seen.send("y\r")
    assert seen.end() == 0
    assert not (project / "long.txt").exists()


def test_a_run_asks_at_its_end(terminal, project, script):
    turns = script('{tools: [{Write: {file_path: "{{cwd}}/new.txt", content: "new\\n"}}]}', "{text: Written.}")
    seen = terminal("run", "--script", turns, "go", cwd=project)
    seen.wait_for("1 file pending: [r]eview [a]pply [l]ater")
    assert "new.txt" in seen.screen
    seen.send("a\r")
    assert seen.end() == 0
    assert seen.screen.endswith("applied 1 file")
    assert (project / "new.txt").exists()


def test_a_run_applies_nothing_later_and_nothing_by_a_bare_enter(terminal, project, script):
    turns = script('{tools: [{Write: {file_path: "{{cwd}}/new.txt", content: "new\\n"}}]}', "{text: Written.}")
    seen = terminal("run", "--script", turns, "go", cwd=project)
    seen.wait_for("[a]pply [l]ater")
    seen.send("\r")
    assert seen.end() == 0
    assert "1 file pending: paddock review" in seen.screen
    assert not (project / "new.txt").exists()


def test_a_run_applies_what_is_ordinary_although_something_else_is_a_conflict(paddock, terminal, project, script):
    turns = script('{tools: [{Bash: {command: "echo theirs > a.txt; echo new > new.txt"}}]}', "{text: Written.}")
    paddock("run", "--script", turns, "go", cwd=project)
    (project / "a.txt").write_text("mine\n")
    seen = terminal("run", "--continue", "--script", script("{text: Still there.}"), "again", cwd=project)
    seen.wait_for("[a]pply the 1 ordinary")
    seen.send("a\r")
    assert seen.end() == 0
    assert "applied 1 file · 1 file pending" in seen.screen
    assert ((project / "a.txt").read_text(), (project / "new.txt").read_text()) == ("mine\n", "new\n")


def test_a_run_can_go_straight_into_the_review(terminal, project, script):
    turns = script('{tools: [{Write: {file_path: "{{cwd}}/new.txt", content: "new\\n"}}]}', "{text: Written.}")
    seen = terminal("run", "--script", turns, "go", cwd=project)
    seen.wait_for("[r]eview")
    seen.send("r\r")
    seen.wait_for("[  pending ]")
    seen.press(" ", "✓ 1 ")
    seen.press("a", "y applies")
    seen.press("y", "applied 1 file")
    assert seen.end() == 0
    assert (project / "new.txt").read_text() == "new\n"


def test_no_byte_from_inside_acts_on_the_terminal(terminal, project):
    seen = terminal("exec", "--", "printf", "\\033]0;owned\\007\\033[2Jx\\n", cwd=project)
    assert seen.end() == 0
    assert "\\x1b]0;owned\\x07\\x1b[2Jx" in seen.screen
    assert b"\x1b]0;" not in seen.raw


def test_no_color_is_obeyed(terminal, project):
    seen = terminal("status", cwd=project, NO_COLOR="1")
    seen.end()
    assert b"\x1b[" not in seen.raw


def test_a_conversation_from_hello_to_ctrl_d(terminal, project, script):
    turns = script(
        '{text: "Hello.", tools: [{Write: {file_path: "{{cwd}}/new.txt", content: "new\\n"}}]}',
        "{text: Written.}",
        '{tools: [{Bash: {command: "sleep 60"}}]}',
        "{text: Third.}",
    )
    seen = terminal("--script", turns, cwd=project)
    seen.wait_for("/help")
    seen.send("hello\r")
    seen.wait_for("default · 1 file pending")
    seen.send("sleep now\r")
    seen.wait_for("● Bash  sleep 60")
    seen.send("\x1b")
    seen.wait_for("interrupted · 1 turn")
    seen.wait_for("default · 1 file pending")
    seen.send("/review\r")
    seen.wait_for("[  pending ]")
    seen.press(" ", "✓ 1 ")
    seen.press("a", "y applies")
    seen.press("y", "default · applied 1 file · /help")
    seen.send("and now\r")
    seen.wait_for("Third.")
    seen.wait_for("default · host unchanged · /help")
    seen.send("\x04")
    assert seen.end() == 0
    assert seen.screen.endswith("host unchanged")
    assert (project / "new.txt").read_text() == "new\n"


def test_a_shell_is_a_terminal_and_then_the_gate(terminal, project):
    seen = terminal("shell", cwd=project)
    seen.wait_for("@sandbox:")
    seen.send("tty && echo hi > new.txt && exit\r")
    seen.wait_for("[a]pply [l]ater")
    assert "/dev/pts" in seen.screen
    seen.send("a\r")
    assert seen.end() == 0
    assert (project / "new.txt").read_text() == "hi\n"


def test_a_review_rejects_a_hunk_applies_the_other_and_leaves_the_terminal_as_it_was(paddock, terminal, project):
    lines = [f"{number}\n" for number in range(1, 41)]
    (project / "a.txt").write_text("".join(lines))
    paddock("exec", "--", "sed", "-i", "2s/.*/two/; 38s/.*/thirty-eight/", "a.txt", cwd=project)
    seen = terminal("review", cwd=project)
    seen.wait_for("1 of 2")
    seen.press("\t", "1 of 2")
    seen.press("x", "✗ rejected")
    seen.press("]", "2/2")
    seen.press(" ", "✓ accepted")
    seen.press("a", "1 of 2 hunks")
    seen.press("y", "applied 1 file · 1 file pending")
    assert seen.end() == 0
    lines[37] = "thirty-eight\n"
    assert (project / "a.txt").read_text() == "".join(lines)
    assert seen.raw.count(b"\x1b[?1049h") == seen.raw.count(b"\x1b[?1049l") == 1
    assert seen.raw.count(b"\x1b[?2004l") >= 1


def test_v17_what_is_typed_before_the_review_appears_and_what_is_pasted_approves_nothing(paddock, terminal, project):
    paddock("exec", "--", "sh", "-c", "echo b > b.txt", cwd=project)
    seen = terminal("review", cwd=project)
    seen.send("Aay")
    seen.wait_for("[  pending ]")
    seen.send("\x1b[200~Aay\x1b[201~")
    seen.press("?", "keys")
    seen.press("\x1b", "✓ 0")
    seen.send("\x1b[200~Aay\x1b[201~")
    seen.press("q", "1 file pending: paddock review")
    assert seen.end() == 0
    assert not (project / "b.txt").exists()


def test_ctrl_c_in_the_full_screen_applies_nothing(paddock, terminal, project):
    paddock("exec", "--", "touch", "b", cwd=project)
    seen = terminal("review", cwd=project)
    seen.wait_for("ordinary")
    seen.press("A", "✓ 1 ")
    seen.send("\x03")
    assert seen.end() == 130
    assert not (project / "b").exists()


def test_an_editor_amends_what_is_applied(paddock, terminal, project, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ncase "$1" in *.txt) sed -i s/theirs/mine/ "$1" ;; esac\n')
    editor.chmod(0o755)
    paddock("exec", "--", "sh", "-c", "echo theirs >> a.txt", cwd=project)
    seen = terminal("review", cwd=project, EDITOR=str(editor))
    seen.wait_for("[  pending ]")
    seen.press("e", "edited by you")
    seen.press("a", "as edited by you")
    seen.press("y", "applied 1 file")
    assert seen.end() == 0
    assert (project / "a.txt").read_text() == "one\nmine\n"
    assert "host unchanged" in paddock("status", cwd=project).stdout


def test_what_runs_in_the_background_outlives_the_turn_is_listed_and_ended(terminal, project, script):
    turns = script('{tools: [{Bash: {command: "sleep 1000", run_in_background: true}}]}', "{text: Started.}")
    seen = terminal("--script", turns, cwd=project)

    def say(text, then):
        seen.press(text, f"> {text}")
        seen.send("\r")
        seen.wait_for(then)

    say("go", "1 background command running until the session ends: bash_1 `sleep 1000`")
    seen.wait_for("host unchanged")
    say("/jobs", "s  sleep 1000")
    say("/kill bash_9", "/kill all: bash_1 runs in the background")
    say("/kill all", "bash_1 was killed with all its processes")
    say("/jobs", "nothing runs in the background")
    seen.press("/exit", "> /exit")
    seen.send("\r")
    assert seen.end() == 0
