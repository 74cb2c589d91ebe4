"""`paddock apply`: hunks, merges, void approvals, and what programs are told."""

import json
import os

import pytest

from sandbox.gate.freeze import frozen
from tests.cli.apply.texts import AGENT, TEXT, USER


def app(project):
    return (project / "src" / "app.py").read_text()


def test_single_hunks_arrive_and_the_rest_waits(paddock, session, project):
    done = paddock("apply", "--yes", "--hunks", "src/app.py:1,3", cwd=project)
    assert done.returncode == 0, done.stderr
    assert app(project) == AGENT.replace("LINE 15\n", "line 15\n")
    assert not (project / "new.txt").exists()
    assert done.stdout.splitlines()[-1] == f"applied 1 file · 2 files pending: paddock review {session.id[:8]}"
    told = json.loads(paddock("apply", "--yes", "--json", "--hunks", "src/app.py:1", cwd=project).stdout)
    assert (app(project), [one["path"] for one in told["left"]]) == (AGENT, ["new.txt"])


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


def test_programs_are_told_that_the_rest_of_a_file_still_waits(paddock, session, project):
    told = json.loads(paddock("apply", "--yes", "--json", "--hunks", "src/app.py:1", cwd=project).stdout)
    assert [one["path"] for one in told["paths"]] == ["src/app.py"]
    assert [one["path"] for one in told["left"]] == ["new.txt", "src/app.py"]
