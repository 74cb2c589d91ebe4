"""Continuous sync: what the rules allow is in the checkout while the agent works on; the rest waits, and says why."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

UNTIL_STOP = "while ! grep -q stop a.txt; do sleep 0.1; done"
"""A command that runs until the user writes the word into the checkout: an edit in place is seen inside at once."""


@pytest.fixture
def rules(tmp_path):
    """Settings that allow what is below src/."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"permissions": {"allow": ["Edit(src/**)", "Edit(a.txt)"], "deny": ["Edit(no/**)"]}}))
    return str(path)


def bash(command):
    """A turn of a script that runs a command."""
    return json.dumps({"tools": [{"Bash": {"command": command}}]})


def test_run_sync_applies_what_is_allowed_after_each_answer(paddock, project, script, rules):
    turns = (
        bash("mkdir src; echo 1 > src/one.py; echo 'all:' > Makefile; mkdir no; echo n > no/n"),
        bash("echo 2 > src/two.py; rm src/one.py"),
        "{text: done}",
    )
    done = paddock("run", "go", "--sync", "--settings", rules, "--script", script(*turns), cwd=project)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "synced" in line]
    assert lines == [
        "synced 1 file · 2 pending: Makefile (runs later), no/n (denied by a rule)",
        "synced 2 files · 2 pending: Makefile (runs later), no/n (denied by a rule)",
    ]
    assert sorted(os.listdir(project / "src")) == ["two.py"]
    assert not (project / "Makefile").exists()
    assert "2 files pending" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_sync_without_rules_applies_nothing_and_with_auto_what_nothing_holds_back(paddock, project, script):
    turns = (bash("echo b > b.txt; echo 'all:' > Makefile"), "{text: done}")
    plain = paddock("run", "go", "--sync", "--apply", "ask", "--script", script(*turns), cwd=project)
    assert "2 pending: Makefile (runs later), b.txt (no rule allows it)" in plain.stderr
    assert not (project / "b.txt").exists()
    blanket = paddock("run", "go", "--sync", "--apply", "auto", "--script", script(*turns), cwd=project)
    assert "synced 1 file · 1 pending: Makefile (runs later)" in blanket.stderr
    assert (project / "b.txt").read_text() == "b\n"


def test_a_conflict_keeps_only_itself_pending_and_the_run_goes_on(paddock, project, script, rules):
    turns = (
        bash("echo agent > a.txt; mkdir src; echo 1 > src/one.py"),
        "{text: done}",
        bash("echo 2 > src/two.py; echo other > a.txt"),
        "{text: done}",
    )
    (project / "a.txt").write_text("one\n")
    done = paddock("run", "go", "--sync", "--settings", rules, "--script", script(*turns), cwd=project)
    assert "synced 2 files" in done.stderr
    assert (project / "a.txt").read_text() == "agent\n"
    (project / "a.txt").write_text("user\n")
    again = paddock("run", "go", "-c", "--sync", "--settings", rules, "--script", script(*turns), cwd=project)
    assert "1 pending: a.txt (you changed it too)" in again.stderr, again.stderr
    assert (project / "a.txt").read_text() == "user\n"
    assert again.returncode == 0


def test_k16_what_runs_on_in_the_background_is_said(paddock, project, script, rules):
    turns = (bash("mkdir src; echo 1 > src/a; sleep 60 >/dev/null 2>&1 & true"), "{text: done}")
    done = paddock("run", "go", "--sync", "--settings", rules, "--script", script(*turns), cwd=project)
    assert "synced 1 file · workspace still changing: 1 process left running" in done.stderr


def test_sync_and_never_exclude_each_other(paddock, project):
    done = paddock("run", "go", "--sync", "--apply", "never", cwd=project)
    assert (done.returncode, "give one of them" in done.stderr) == (2, True)


@pytest.fixture
def running(start, script):
    """Starts `paddock run` with a script that waits for an edit of the user's to show inside."""
    return lambda *turns: start("run", "go", "--base", "live", "--script", script(*turns))


@pytest.fixture
def start(variables, project):
    """Starts `paddock` in a process of its own, which is ended with the test."""
    started = []

    def run(*arguments):
        command = [sys.executable, "-m", "cli.main", *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=project, env=variables, **streams))
        return started[-1]

    yield run
    for process in started:
        process.terminate()
        process.communicate(timeout=60)


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_noted(variables):
    """Whether a call of the only session has been noted."""
    return any((Path(variables["XDG_STATE_HOME"]) / "paddock" / "sessions").glob("*/provenance.jsonl"))


def test_apply_watch_syncs_a_session_that_another_process_runs(project, running, start, variables, rules):
    process = running(
        bash("mkdir src; echo 1 > src/one.py; echo x > other"),
        bash(f"{UNTIL_STOP}; rm src/one.py; echo 2 > src/two.py"),
        "{text: done}",
    )
    wait_until(lambda: is_noted(variables))
    watch = start("apply", "--watch", "--json", "--settings", rules)
    wait_until(lambda: (project / "src" / "one.py").exists() or watch.poll() is not None)
    assert not (project / "other").exists()
    (project / "a.txt").write_text("stop\n")
    assert process.wait(60) == 0
    out, err = watch.communicate(timeout=60)
    assert watch.returncode == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows[0]["applied"] == [{"path": "src"}, {"path": "src/one.py"}] or rows[0]["applied"] == [
        {"path": "src/one.py"}
    ]
    assert rows[0]["pending"] == [{"path": "other", "reason": "no rule allows it"}]
    assert rows[-1]["pending"] == 1
    assert sorted(os.listdir(project / "src")) == ["two.py"]


@pytest.mark.slow
def test_apply_watch_ends_with_ctrl_c_and_leaves_the_session_running(project, running, start, variables, rules):
    process = running(bash("mkdir src; echo 1 > src/one.py"), bash(UNTIL_STOP), "{text: done}")
    wait_until(lambda: is_noted(variables))
    watch = start("apply", "--watch", "--settings", rules)
    wait_until((project / "src" / "one.py").exists)
    time.sleep(0.5)
    watch.send_signal(signal.SIGINT)
    out, err = watch.communicate(timeout=30)
    assert (watch.returncode, out.splitlines()) == (0, ["synced 1 file", "host unchanged"]), err
    assert process.poll() is None


def test_apply_watch_of_a_session_that_does_not_run_says_what_to_do(paddock, project, script):
    paddock("run", "go", "--script", script(bash("echo x > x"), "{text: done}"), cwd=project)
    done = paddock("apply", "--watch", cwd=project)
    assert (done.returncode, "is not running: `paddock apply" in done.stderr) == (2, True)
    named = paddock("apply", "--watch", "x", cwd=project)
    assert (named.returncode, "leave the paths out" in named.stderr) == (2, True)


def test_a_host_edit_during_a_run_is_seen_by_the_user_and_told_to_the_model(project, start, script, variables):
    (project / "b.txt").write_text("b\n")
    turns = script(
        '{tools: [{Read: {file_path: "{{cwd}}/a.txt"}}, {Bash: {command: "echo agent > b.txt"}}]}',
        bash(UNTIL_STOP),
        "{text: done}",
    )
    process = start("run", "go", "--base", "live", "--output-format", "stream-json", "--script", turns)
    wait_until(lambda: is_noted(variables))
    stopping = threading.Event()
    editor = threading.Thread(target=edit_until, args=(stopping, project / "a.txt", project / "b.txt"))
    editor.start()
    files = {}
    for line in process.stdout:
        if "host_edited" in line:
            files |= {file["path"]: file["shows"] for file in json.loads(line)["files"]}
        if len(files) == 2:
            stopping.set()
    editor.join()
    assert files == {"a.txt": "now", "b.txt": "merged"}
    (transcript,) = (Path(variables["XDG_STATE_HOME"]) / "paddock" / "sessions").glob("*/transcript.jsonl")
    reminders = [line for line in transcript.read_text().splitlines() if "system-reminder" in line]
    assert len(reminders) == 1
    assert '\\"a.txt\\": the user edited it' in reminders[0]
    assert '\\"b.txt\\": the user edited it, and it was changed in the sandbox too' in reminders[0]
    assert "user 1" not in reminders[0]


def edit_until(stopping, first, second):
    """Edit two files in place until told to stop, since nobody says when the watcher has begun; end with the word."""
    number = 0
    while not stopping.wait(0.5):
        number += 1
        first.write_text(f"user {number}\n")
        second.write_text(f"user {number}\n")
    first.write_text("stop\n")


def test_k16_a_conversation_syncs_once_it_is_told_to_and_says_what_still_runs(terminal, project, script, rules):
    turns = script(
        bash("mkdir src; echo 1 > src/one.py"),
        "{text: First.}",
        bash("echo 2 > src/two.py; sleep 60 >/dev/null 2>&1 & true"),
        "{text: Second.}",
    )
    seen = terminal("--settings", rules, "--script", turns, cwd=project)
    seen.wait_for("/help")
    seen.send("go\r")
    seen.wait_for("default · 1 file pending")
    assert not (project / "src").exists()
    seen.send("/sync on\r")
    seen.wait_for("default · sync · 1 file pending")
    seen.send("go on\r")
    seen.wait_for("synced 2 files")
    seen.wait_for("default · sync · host unchanged")
    seen.send("/status\r")
    seen.wait_for("workspace still changing: 1 process left running")
    seen.send("\x04")
    assert seen.end() == 0
    assert sorted(os.listdir(project / "src")) == ["one.py", "two.py"]
