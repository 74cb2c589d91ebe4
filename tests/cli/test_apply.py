"""`paddock apply`: hunks, conflicts and void approvals, as a script and as a person at a terminal meet them."""

import json
import os
from dataclasses import dataclass

import pytest

from cli.main import main
from sandbox.gate.freeze import frozen
from sandbox.gate.manifest import Manifest
from sandbox.sessions import Meta, Sessions, new_id, now

TEXT = "".join(f"line {number}\n" for number in range(1, 31))
AGENT = TEXT.replace("line 3\n", "LINE 3\n").replace("line 15\n", "LINE 15\n").replace("line 28\n", "LINE 28\n")
USER = TEXT.replace("line 9\n", "line nine\n")


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def paddock(monkeypatch, capsys, variables):
    """Runs `paddock` in this process, with nobody to ask: a process each would be most of the time of these tests."""

    def run(*arguments, cwd):
        for name in ("HOME", "XDG_STATE_HOME"):
            monkeypatch.setenv(name, variables[name])
        monkeypatch.chdir(cwd)
        code = main(arguments)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def session(tmp_path, project):
    """A session on the project that edited one file and made one; no engine is needed."""
    (project / "src").mkdir()
    (project / "src" / "app.py").write_text(TEXT)
    sessions = Sessions(tmp_path / "state" / "paddock")
    facts = {"image": "sha256:0", "image_name": "none", "uid": os.getuid(), "gid": os.getgid()}
    made = sessions.create(Meta(id=new_id(), kind="exec", checkout=str(project), created=now(), **facts))
    made.upper.mkdir()
    Manifest.take(project).save(made.manifest)
    (made.upper / "src").mkdir()
    (made.upper / "src" / "app.py").write_text(AGENT)
    (made.upper / "new.txt").write_text("new\n")
    return made


@pytest.fixture
def conflict(session, project):
    """The same, with another version of the file in the checkout, and no base to merge with."""
    (project / "src" / "app.py").write_text("mine\n")
    return session


def app(project):
    return (project / "src" / "app.py").read_text()


def test_single_hunks_arrive_and_the_rest_waits(paddock, session, project):
    done = paddock("apply", "--yes", "--hunks", "src/app.py:1,3", cwd=project)
    assert done.returncode == 0, done.stderr
    assert app(project) == AGENT.replace("LINE 15\n", "line 15\n")
    assert not (project / "new.txt").exists()
    assert done.stdout.splitlines()[-1] == f"applied 1 file · 2 files pending: paddock review {session.id[:8]}"
    assert paddock("apply", "--yes", cwd=project).returncode == 0
    assert app(project) == AGENT


def test_hunks_may_be_ranges_beside_whole_paths_and_relative_to_where_one_stands(paddock, session, project):
    done = paddock("apply", "--yes", "-C", "..", "../new.txt", "--hunks", "app.py:2-3", cwd=project / "src")
    assert done.returncode == 0, done.stderr
    assert app(project) == AGENT.replace("LINE 3\n", "line 3\n")
    assert (project / "new.txt").exists()


@pytest.mark.parametrize(
    ("hunks", "said"),
    [
        ("src/app.py", "is not FILE:NUMBERS"),
        ("src/app.py:", "is not FILE:NUMBERS"),
        ("src/app.py:1,,2", "is not FILE:NUMBERS"),
        ("src/app.py:0", "has no hunk 0: it has 3"),
        ("src/app.py:4", "has no hunk 4: it has 3"),
        ("src/app.py:1-999999", "has no hunk 4: it has 3"),
        ("src/app.py:3-1", "no hunk of src/app.py is chosen"),
        ("src:1", "names a folder"),
        ("other.py:1", "has no change at 'other.py'"),
    ],
)
def test_hunks_that_are_not_there_are_a_usage_error(paddock, session, project, hunks, said):
    done = paddock("apply", "--yes", "--hunks", hunks, cwd=project)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert app(project) == TEXT


def test_both_edits_are_in_the_file_where_they_can_be_merged(paddock, session, project):
    frozen(session)  # what a look does, and every tool call: the file is read before the user edits it
    (project / "src" / "app.py").write_text(USER)
    done = paddock("apply", "--yes", cwd=project)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "applied 2 files")
    assert app(project) == AGENT.replace("line 9\n", "line nine\n")
    assert paddock("apply", "--yes", cwd=project).stdout.splitlines()[-1] == "host unchanged"


def test_k01_a_conflict_without_a_terminal_writes_nothing_and_names_what_resolves_it(paddock, conflict, project):
    done = paddock("apply", "--yes", cwd=project)
    assert done.returncode == 5
    assert "src/app.py  was changed in the checkout since the session began" in done.stdout
    for way in ("mine", "theirs", "markers"):
        assert f"paddock apply {conflict.id[:8]} src/app.py --on-conflict {way}" in done.stdout
    assert (app(project), (project / "new.txt").exists()) == ("mine\n", False)


def test_each_command_that_is_named_does_what_is_said(paddock, conflict, project):
    said = json.loads(paddock("apply", "--yes", "--json", cwd=project).stdout)
    (one,) = said["conflicts"]
    assert one["path"] == "src/app.py"
    mine, theirs, markers = (command.split()[1:] for command in one["commands"][:3])
    assert paddock(*markers, "--yes", cwd=project).returncode == 0
    assert (project / "src" / "app.py.paddock-merge").read_text().startswith("<<<<<<< yours\nmine\n=======\n")
    assert paddock(*mine, cwd=project).returncode == 0
    assert app(project) == "mine\n"
    (conflict.upper / "src" / "app.py").write_text("again\n")
    assert paddock(*theirs, "--yes", cwd=project).returncode == 0
    assert app(project) == "again\n"
    assert paddock("undo", "--yes", cwd=project).returncode == 0
    assert app(project) == "mine\n"


def test_mine_settles_the_file_applies_the_others_and_is_not_asked_again(paddock, conflict, project):
    done = paddock("apply", "--yes", "--on-conflict", "mine", cwd=project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["kept your version of 1 file", "applied 1 file"]
    assert (app(project), (project / "new.txt").read_text()) == ("mine\n", "new\n")
    assert paddock("apply", "--yes", cwd=project).stdout.splitlines()[-1] == "host unchanged"


def test_who_kept_the_own_version_can_still_ask_for_theirs_by_name(paddock, conflict, project):
    paddock("apply", "--yes", "--on-conflict", "mine", cwd=project)
    assert paddock("apply", "--yes", "--on-conflict", "theirs", cwd=project).stdout.splitlines()[-1] == "host unchanged"
    done = paddock("apply", "--yes", "--on-conflict", "theirs", "src/app.py", cwd=project)
    assert (done.returncode, app(project)) == (0, AGENT), done.stderr
    assert paddock("undo", "--yes", cwd=project).returncode == 0
    assert app(project) == "mine\n"


def test_theirs_needs_a_yes_and_can_be_undone(paddock, conflict, project):
    assert paddock("apply", "--on-conflict", "theirs", cwd=project).returncode == 4
    assert app(project) == "mine\n"
    assert paddock("apply", "--yes", "--on-conflict", "theirs", cwd=project).returncode == 0
    assert app(project) == AGENT
    assert paddock("undo", "--yes", cwd=project).returncode == 0
    assert app(project) == "mine\n"
    assert paddock("apply", "--yes", cwd=project).returncode == 5  # undone, it is the conflict that it was


def test_after_the_user_mended_the_file_the_same_command_applies(paddock, conflict, project):
    assert paddock("apply", "--yes", cwd=project).returncode == 5
    (project / "src" / "app.py").write_text(AGENT)
    done = paddock("apply", "--yes", cwd=project)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "applied 1 file")


def test_the_other_files_can_be_applied_alone(paddock, conflict, project):
    assert paddock("apply", "--yes", "new.txt", cwd=project).returncode == 0
    assert (app(project), (project / "new.txt").exists()) == ("mine\n", True)


def test_a_change_set_that_moved_is_void_and_the_same_one_is_not(paddock, session, project):
    identity = json.loads(paddock("status", "--json", cwd=project).stdout)["change_set"]
    (session.upper / "new.txt").write_text("newer\n")
    done = paddock("apply", "--yes", "--change-set", identity, cwd=project)
    assert done.returncode == 5
    assert "nothing was written; look again with `paddock diff" in done.stderr
    assert app(project) == TEXT
    identity = json.loads(paddock("status", "--json", cwd=project).stdout)["change_set"]
    assert paddock("apply", "--yes", "--change-set", identity[:4], cwd=project).returncode == 5
    assert paddock("apply", "--yes", "--change-set", identity[:12], cwd=project).returncode == 0
    assert app(project) == AGENT


def test_programs_are_told_what_was_written_what_waits_and_why(paddock, session, project):
    os.mkfifo(session.upper / "pipe")
    (session.upper / "setup.sh").write_text("#!/bin/sh\n")
    (session.upper / "setup.sh").chmod(0o755)
    done = paddock("apply", "--yes", "--json", cwd=project)
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["applied"], told["session"]) == (0, "applied", 2, session.id)
    assert [one["path"] for one in told["paths"]] == ["new.txt", "src/app.py"]
    assert [(one["path"], bool(one["reason"])) for one in told["left"]] == [("setup.sh", True)]
    assert [one["path"] for one in told["refused"]] == ["pipe"]
    assert (told["conflicts"], told["mine"], told["kept"]) == ([], [], [])


def test_json_never_asks_and_says_nothing_else_on_stdout(paddock, conflict, project):
    done = paddock("apply", "--json", cwd=project)
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["paths"]) == (5, "pending", [])
    done = paddock("apply", "--json", "new.txt", cwd=project)
    assert (done.returncode, done.stdout) == (4, "")


def test_names_that_could_be_read_as_something_else_are_shown_harmless(paddock, session, project):
    name = b"two\nlines \x1b[2J$(id)"
    (session.upper / os.fsdecode(name)).write_text("agent\n")
    (project / os.fsdecode(name)).write_text("user\n")
    done = paddock("apply", "--yes", cwd=project)
    assert done.returncode == 5
    assert "\x1b" not in done.stdout
    assert "$(id) --on-conflict" not in done.stdout
    assert " PATH --on-conflict mine" in done.stdout


def test_k06_many_files_that_moved_are_one_message(paddock, session, project):
    for number in range(300):
        (session.upper / f"f{number:03}").write_text("agent\n")
        (project / f"f{number:03}").write_text("other branch\n")
    done = paddock("apply", "--yes", cwd=project)
    assert done.returncode == 5
    shown = done.stdout[done.stdout.index("nothing was written") :]
    assert "300 of these files were changed in the checkout" in shown
    assert "git checkout" in shown
    assert len(shown.splitlines()) < 25
    assert len(json.loads(paddock("apply", "--yes", "--json", cwd=project).stdout)["conflicts"]) == 300


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
