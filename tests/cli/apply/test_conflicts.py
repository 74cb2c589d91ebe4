"""`paddock apply` where you and the sandbox changed the same: nothing is written until somebody decides."""

import json
import os
import shutil
import stat
import subprocess
import sys

from sandbox.gate.manifest import Manifest
from tests.cli.apply.texts import AGENT


def app(project):
    return (project / "src" / "app.py").read_text()


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


def test_the_folder_of_a_file_that_is_kept_stays_and_what_else_was_deleted_goes(paddock, session, project):
    (project / "src" / "other.py").write_text("x\n")
    Manifest.take(project).save(session.manifest)
    (project / "src" / "app.py").write_text("mine\n")
    shutil.rmtree(session.upper / "src")
    os.mknod(session.upper / "src", stat.S_IFCHR, os.makedev(0, 0))
    done = paddock("apply", "--yes", "--on-conflict", "mine", cwd=project)
    assert done.returncode == 0, done.stderr
    assert (app(project), os.listdir(project / "src")) == ("mine\n", ["app.py"])
    assert paddock("apply", "--yes", cwd=project).stdout.splitlines()[-1] == "host unchanged"


def test_what_lies_in_a_folder_that_stays_a_file_goes_with_the_decision(paddock, session, project):
    (project / "a.txt").write_text("mine\n")
    (session.upper / "a.txt").mkdir()
    os.setxattr(session.upper / "a.txt", "user.overlay.opaque", b"y")
    (session.upper / "a.txt" / "inside").write_text("x\n")
    done = paddock("apply", "--yes", "--on-conflict", "mine", cwd=project)
    assert done.returncode == 0, done.stderr
    assert ((project / "a.txt").read_text(), app(project)) == ("mine\n", AGENT)
    assert paddock("apply", "--yes", cwd=project).stdout.splitlines()[-1] == "host unchanged"


def test_a_file_of_the_sandbox_in_the_place_of_a_side_file_waits(paddock, conflict, project):
    (conflict.upper / "src" / "app.py.paddock-merge").write_text("no merge\n")
    done = paddock("apply", "--yes", "--on-conflict", "markers", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert (project / "src" / "app.py.paddock-merge").read_text().startswith("<<<<<<< yours\nmine\n=======\n")
    assert ((project / "new.txt").exists(), app(project)) == (True, "mine\n")


def test_markers_in_what_has_no_lines_are_refused_and_nothing_is_written(paddock, conflict, project):
    (conflict.upper / "src" / "app.py").write_bytes(b"\0binary")
    done = paddock("apply", "--yes", "--on-conflict", "markers", cwd=project)
    assert (done.returncode, "take mine or theirs" in done.stderr) == (1, True)
    assert (app(project), (project / "new.txt").exists()) == ("mine\n", False)


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


def test_what_a_killed_session_wrote_is_found_although_its_look_at_the_checkout_was_cut_short(
    paddock, session, project
):
    session.manifest.unlink()
    assert "2 files pending" in paddock("status", cwd=project).stdout
    assert "pending" in paddock("sessions", "list", cwd=project).stdout
    done = paddock("apply", "--yes", cwd=project)
    assert (done.returncode, app(project) == AGENT) == (5, False)  # nobody knows what the user had before
    assert paddock("apply", "--yes", "--on-conflict", "theirs", cwd=project).returncode == 0
    assert (app(project), (project / "new.txt").read_text()) == (AGENT, "new\n")


def test_nothing_is_compared_while_the_session_is_still_looking_at_what_it_began_with(paddock, session, project):
    session.manifest.unlink()
    holder = """
import sys; from pathlib import Path; from sandbox.sessions import Session
with Session(Path(sys.argv[1])).hold(): print(flush=True); sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holder, session.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        running.stdout.readline()
        assert "host unchanged" in paddock("status", cwd=project).stdout
        assert not session.manifest.exists()
        running.stdin.close()
    assert "2 files pending" in paddock("status", cwd=project).stdout
