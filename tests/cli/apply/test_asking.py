"""The same at a terminal: a person is asked file by file."""

import pytest

from tests.cli.apply.texts import AGENT, TEXT


def app(project):
    return (project / "src" / "app.py").read_text()


def at_conflict(terminal, project, **more):
    screen = terminal("apply", "--yes", cwd=project, **more)
    screen.wait_for("src/app.py?")
    return screen


@pytest.mark.parametrize(
    ("key", "expected", "code"),
    [("m", "mine\n", 0), ("t", AGENT, 0), ("l", "mine\n", 0), ("", "mine\n", 0)],
)
def test_a_person_is_asked_file_by_file(terminal, conflict, project, key, expected, code):
    screen = at_conflict(terminal, project)
    screen.send(f"{key}\r")
    assert screen.end() == code
    assert app(project) == expected
    assert (project / "new.txt").exists()
    assert ("1 file pending" in screen.screen) == (key in ("l", ""))


def test_a_side_file_shows_both_versions_and_the_conflict_stays(terminal, conflict, project):
    screen = at_conflict(terminal, project)
    screen.send("s\r")
    assert screen.end() == 0
    assert app(project) == "mine\n"
    assert "LINE 15" in (project / "src" / "app.py.paddock-merge").read_text()
    assert "1 file pending" in screen.screen


def test_quitting_applies_nothing(terminal, conflict, project):
    screen = at_conflict(terminal, project)
    screen.send("q\r")
    assert screen.end() == 0
    assert (app(project), (project / "new.txt").exists()) == ("mine\n", False)


def test_after_mending_the_file_elsewhere_one_can_retry(terminal, conflict, project):
    screen = at_conflict(terminal, project)
    (project / "src" / "app.py").write_text(TEXT + "line 31\n")
    screen.send("r\r")
    screen.wait_for("+line 31" if "+line 31" in screen.screen else "-line 31")
    (project / "src" / "app.py").write_text(AGENT)
    screen.send("r\r")
    assert screen.end() == 0
    assert (project / "new.txt").exists()


def editor(tmp_path, script):
    """An editor that does the same thing to every file."""
    program = tmp_path / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_the_merge_can_be_edited_and_that_is_what_is_applied(terminal, conflict, project, tmp_path):
    clean = """sed -i -e '/^<<<<<<</d' -e '/^=======/d' -e '/^>>>>>>>/d' "$1"; basename "$1" > edited"""
    screen = at_conflict(terminal, project, EDITOR=f"{editor(tmp_path, clean)}")
    screen.send("e\r")
    assert screen.end() == 0
    assert app(project) == f"mine\n{AGENT}"
    assert (project / "edited").read_text() == "app.py\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "markers left in the text"),
        ("echo other > $1; exit 1", "nothing is taken from the editor"),
        ("rm $1", "nothing is taken from the editor"),
    ],
)
def test_markers_left_in_a_text_and_an_editor_that_fails_decide_nothing(
    terminal, conflict, project, tmp_path, script, said
):
    screen = at_conflict(terminal, project, EDITOR=editor(tmp_path, script))
    screen.send("e\r")
    screen.wait_for(said)
    screen.wait_for("[m]ine", times=2)
    screen.send("q\r")
    assert screen.end() == 0
    assert app(project) == "mine\n"


def test_very_many_conflicts_are_asked_about_once(terminal, session, project):
    for number in range(20):
        (session.upper / f"f{number:03}").write_text("agent\n")
        (project / f"f{number:03}").write_text("other branch\n")
    screen = terminal("apply", "--yes", cwd=project)
    screen.wait_for("what about them?")
    screen.send("l\r")
    assert screen.end() == 0
    assert app(project) == AGENT
    assert (project / "f000").read_text() == "other branch\n"
    assert "20 files pending" in screen.screen
