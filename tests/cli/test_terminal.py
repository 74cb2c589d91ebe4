"""Whole commands on a terminal, as a person uses them."""

import pytest

pytestmark = pytest.mark.engine


def test_review_asks_change_by_change_and_no_keeps_it_pending(paddock, terminal, project):
    paddock("exec", "--", "sh", "-c", "echo two >> a.txt; echo b > b.txt", cwd=project)
    seen = terminal("review", cwd=project)
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
    seen = terminal("review", cwd=project)
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
    seen = terminal("review", cwd=project)
    seen.wait_for("apply b?")
    seen.send("\x03")
    assert seen.end() == 130
    assert not (project / "b").exists()


def test_all_says_first_what_deserves_a_look(paddock, terminal, project):
    (project / "z.txt").write_text("z\n")
    paddock("exec", "--", "sh", "-c", "rm z.txt a.txt; touch Makefile b", cwd=project)
    seen = terminal("review", cwd=project)
    seen.wait_for("apply Makefile?")
    seen.send("a\r")
    seen.wait_for("these 2 among them?")
    seen.send("y\r")
    assert seen.end() == 0
    assert "applied 4 files" in seen.screen


def test_a_change_not_shown_in_full_is_not_approved_with_one_key(paddock, terminal, project):
    paddock("exec", "--", "sh", "-c", "seq 2000 > long.txt", cwd=project)
    seen = terminal("review", cwd=project)
    seen.wait_for("not shown in full")
    seen.send("y\r")
    assert seen.end() == 0
    assert not (project / "long.txt").exists()


def test_a_run_asks_at_its_end(terminal, project, script):
    turns = script('{tools: [{Write: {file_path: "{{cwd}}/new.txt", content: "new\\n"}}]}', "{text: Written.}")
    seen = terminal("run", "--script", turns, "go", cwd=project)
    seen.wait_for("apply new.txt?")
    seen.send("y\r")
    assert seen.end() == 0
    assert seen.screen.endswith("applied 1 file")
    assert (project / "new.txt").exists()


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
    seen.send("/apply\r")
    seen.wait_for("apply 1 file?")
    seen.send("y\r")
    seen.wait_for("default · applied 1 file · /help")
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
    seen.wait_for("apply new.txt?")
    assert "/dev/pts" in seen.screen
    seen.send("y\r")
    assert seen.end() == 0
    assert (project / "new.txt").read_text() == "hi\n"
