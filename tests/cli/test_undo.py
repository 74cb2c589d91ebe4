"""`paddock undo`, as a person and as a script use it: what it says first, what it asks, and the truth in the end."""

import json
import os
import signal
import subprocess

import pytest

from sandbox.gate.manifest import Manifest
from sandbox.sessions import Meta, Sessions, new_id, now
from tests.cli.conftest import COMMAND


@pytest.fixture
def session(tmp_path, project):
    """A session on the project in which a file was edited and one made, not yet applied; no engine is needed."""
    sessions = Sessions(tmp_path / "state" / "paddock")
    facts = {"image": "sha256:0", "image_name": "none", "uid": os.getuid(), "gid": os.getgid()}
    made = sessions.create(Meta(id=new_id(), kind="exec", checkout=str(project), created=now(), **facts))
    made.upper.mkdir()
    Manifest.take(project).save(made.manifest)
    (made.upper / "a.txt").write_text("two\n")
    (made.upper / "deep").mkdir()
    (made.upper / "deep" / "new.txt").write_text("new\n")
    return made


@pytest.fixture
def applied(paddock, session, project):
    """The same, applied."""
    done = paddock("apply", "--yes", cwd=project)
    assert done.returncode == 0, done.stderr
    assert (project / "deep" / "new.txt").exists()
    return session


def test_an_undo_takes_back_the_last_apply_and_its_changes_wait_again(paddock, applied, project):
    done = paddock("undo", "--yes", cwd=project)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == f"took back 2 files · 2 files pending: paddock review {applied.id[:8]}"
    assert lines[0].startswith(f"session {applied.id[:8]} · applied ")
    assert sorted(os.listdir(project)) == [".gitignore", "a.txt"]
    assert (project / "a.txt").read_text() == "one\n"
    assert json.loads(paddock("status", "--json", cwd=project).stdout)["pending"] == 2
    assert paddock("apply", "--yes", cwd=project).returncode == 0
    assert (project / "a.txt").read_text() == "two\n"


def test_a_session_can_be_named_from_anywhere(paddock, applied, project):
    assert paddock("undo", "--yes", applied.id[:8]).returncode == 0
    assert (project / "a.txt").read_text() == "one\n"


def test_with_nothing_to_take_back_it_says_so(paddock, session, project):
    done = paddock("undo", "--yes", cwd=project)
    assert done.returncode == 2
    assert "nothing to take back" in done.stderr


def test_without_a_terminal_it_has_to_be_confirmed(paddock, applied, project):
    done = paddock("undo", cwd=project)
    assert done.returncode == 4
    assert "add --yes" in done.stderr
    assert (project / "a.txt").read_text() == "two\n"


def test_what_was_changed_since_is_named_and_nothing_is_written(paddock, applied, project):
    (project / "a.txt").write_text("mine\n")
    done = paddock("undo", "--yes", cwd=project)
    assert done.returncode == 5
    assert "a.txt  was changed in the checkout" in done.stdout
    assert done.stdout.splitlines()[-1] == "host unchanged"
    assert (project / "a.txt").read_text() == "mine\n"
    assert (project / "deep" / "new.txt").exists()


def test_programs_get_json(paddock, applied, project):
    told = json.loads(paddock("undo", "--yes", "--json", cwd=project).stdout)
    assert told["state"] == "taken back"
    assert (told["taken_back"], told["pending"], told["session"]) == (2, 2, applied.id)
    assert [one["path"] for one in told["paths"]] == ["a.txt", "deep", "deep/new.txt"]


def test_a_conflict_is_json_too(paddock, applied, project):
    (project / "a.txt").write_text("mine\n")
    done = paddock("undo", "--yes", "--json", cwd=project)
    assert done.returncode == 5
    assert [one["path"] for one in json.loads(done.stdout)["conflicts"]] == ["a.txt"]


def test_a_session_that_runs_is_not_touched(paddock, applied, project):
    with applied.hold():
        done = paddock("undo", "--yes", cwd=project)
    assert done.returncode == 1
    assert "is in use by process" in done.stderr
    assert (project / "a.txt").read_text() == "two\n"


def test_on_a_terminal_it_says_what_it_will_do_and_asks(terminal, applied, project):
    emulator = terminal("undo", cwd=project)
    emulator.wait_for("take back 2 files in")
    assert "D deep/new.txt" in emulator.screen
    assert "M a.txt" in emulator.screen
    emulator.send("n\r")
    assert emulator.end() == 0
    assert "host unchanged" in emulator.screen
    assert (project / "a.txt").read_text() == "two\n"
    emulator = terminal("undo", cwd=project)
    emulator.wait_for("take back 2 files in")
    emulator.send("y\r")
    assert emulator.end() == 0
    assert "took back 2 files" in emulator.screen
    assert (project / "a.txt").read_text() == "one\n"


def test_removing_a_session_says_that_its_applies_cannot_be_taken_back_then(paddock, applied, project):
    done = paddock("sessions", "rm", applied.id[:8], "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"removed session {applied.id[:8]}: 1 apply can no longer be taken back\n"
    assert paddock("undo", "--yes", cwd=project).returncode == 2


def test_removing_a_session_that_applied_nothing_says_nothing_of_it(paddock, session, project):
    done = paddock("sessions", "rm", session.id[:8], "--yes", "--discard")
    assert done.stdout == f"removed session {session.id[:8]}\n"


def test_c22_an_undo_that_was_cut_short_is_finished_by_the_next_command(paddock, applied, project):
    from sandbox.gate.undo import last_apply, undo
    from tests.faults import hit, points, traced, watched

    def work():
        plan = last_apply(project, [applied])
        undo(plan, checkout=project, by="tester")
        return 0

    renames = points(traced(work, project.parent, *watched("renameat2")).calls)
    assert paddock("apply", "--yes", cwd=project).returncode == 0
    traced(work, project.parent, *hit(*renames[-2], "signal=KILL"))
    done = paddock("status", cwd=project)
    short = applied.id[:8]
    assert (
        done.stderr == f"paddock: an undo that was cut short has been finished: took back 3 files (session {short})\n"
    )
    assert (project / "a.txt").read_text() == "one\n"
    assert "2 files pending" in done.stdout


@pytest.mark.parametrize("command", ["apply", "undo"])
def test_c11_a_pipe_that_closes_early_does_not_tear_an_apply(paddock, session, project, variables, command):
    if command == "undo":
        assert paddock("apply", "--yes", cwd=project).returncode == 0
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, command, "--yes"], cwd=project, env=variables, stdout=writer, stderr=writer)
    os.close(writer)
    assert done.returncode == 141
    applied = sorted(os.listdir(project)) == [".gitignore", "a.txt", "deep"]
    assert (project / "a.txt").read_text() == ("two\n" if applied else "one\n")
    told = json.loads(paddock("status", "--json", cwd=project).stdout)
    assert told["pending"] == (0 if applied else 2)


@pytest.mark.parametrize("command", ["apply", "undo"])
def test_c11_a_terminal_that_closes_at_the_question_changes_nothing(paddock, terminal, session, project, command):
    if command == "undo":
        assert paddock("apply", "--yes", cwd=project).returncode == 0
    before = (project / "a.txt").read_text()
    emulator = terminal(command, cwd=project)
    emulator.wait_for(" 2 files ")
    emulator.process.send_signal(signal.SIGHUP)
    assert emulator.process.wait(20) != 0
    assert (project / "a.txt").read_text() == before
    assert paddock(command, "--yes", cwd=project).returncode == 0
    assert (project / "a.txt").read_text() != before


@pytest.mark.parametrize("command", ["apply", "undo"])
def test_two_terminals_at_once_do_it_once(paddock, session, project, variables, command):
    if command == "undo":
        assert paddock("apply", "--yes", cwd=project).returncode == 0
    before = session.approvals.read_bytes() if session.approvals.exists() else b""
    argv = [*COMMAND, command, "--yes"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(argv, cwd=project, env=variables, **pipes) for _ in range(2)]
    told = [process.communicate(timeout=60) for process in running]
    assert (project / "a.txt").read_text() == ("two\n" if command == "apply" else "one\n"), told
    outcomes = [json.loads(line)["kind"] for line in session.approvals.read_bytes()[len(before) :].splitlines()]
    assert outcomes == ["approved", "applied"], told
    assert 0 in [process.returncode for process in running], told


def test_c15_hand_edited_records_are_refused_in_one_sentence(paddock, applied, project):
    applied.approvals.write_text(applied.approvals.read_text()[10:])
    done = paddock("undo", "--yes", cwd=project)
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1
    assert "approvals.jsonl is damaged" in done.stderr
    assert (project / "a.txt").read_text() == "two\n"


def test_c15_a_damaged_manifest_is_named_and_nothing_is_written(paddock, applied, project):
    applied.manifest.write_bytes(applied.manifest.read_bytes()[:-1])
    done = paddock("undo", "--yes", cwd=project)
    assert done.returncode == 1
    assert "manifest is damaged or from another version" in done.stderr
    assert (project / "a.txt").read_text() == "two\n"
