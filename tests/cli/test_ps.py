"""`paddock ps` and `paddock gc`: what runs, for whom, and what of it nobody will end any more."""

import io
import json
import os
import subprocess
import sys

import pytest

from cli.ps import table
from cli.screen.terminal import Terminal
from sandbox.census import Member
from sandbox.labels import Owner, labels
from sandbox.sessions import new_id, now

pytestmark = pytest.mark.engine
DEAD = "00000000-0000-0000-0000-000000000000:1:1"


@pytest.fixture
def orphan(engine, image):
    """A container that a killed process left, of a session that nobody has."""
    session = new_id()
    made = engine.create(
        "", {"Image": image.id, "Entrypoint": ["sleep", "60"], "Labels": dict(labels(Owner(session, DEAD)))}
    )
    yield session
    engine.remove(made)


@pytest.fixture
def running(project, variables):
    """A `paddock exec` that has written something and goes on."""
    argv = [sys.executable, "-m", "cli.main", "exec", "--", "sh", "-c", "echo '\x1b[2J' > new.txt; echo here; sleep 60"]
    with subprocess.Popen(argv, cwd=project, env=dict(variables), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "here\n"
        yield process
        process.terminate()


def rows(paddock, *options):
    return json.loads(paddock("ps", "--json", *options).stdout)


def test_what_runs_is_listed_with_its_use(paddock, running, project):
    (mine,) = [row for row in rows(paddock) if row.get("checkout") == str(project)]
    assert (mine["state"], mine["orphan"], mine["pid"], mine["kind"]) == ("running", False, running.pid, "exec")
    assert 1 <= mine["processes"] < 100
    assert 1024 * 1024 < mine["memory"] < 1024**3
    assert mine["started"] > mine["created"][:19]
    shown = paddock("ps").stdout
    assert "\x1b" not in shown
    assert "\\x1b[2J" in shown
    assert f"{mine['session'][:8]}  running" in shown


def test_an_orphan_is_pointed_out():
    out = Terminal(io.StringIO())
    table(out, [Member(new_id(), "running", 4711, is_orphan=True, started=now(), memory=3 * 2**30, processes=7)])
    head, row, what = out.stream.getvalue().splitlines()
    assert row.split() == [row[:8], "orphan", "0", "s", "3", "GiB", "7", "?", "4711"]
    assert what.strip() == "its owner was killed: paddock gc · a session of another state folder"
    assert len(head) == len(row)


def test_a_session_that_is_held_without_a_container_is_idle(paddock, terminal, project, script):
    seen = terminal("--script", script("{text: Hello.}"), cwd=project)
    seen.wait_for("/help")
    (mine,) = [row for row in rows(paddock) if row.get("checkout") == str(project)]
    assert (mine["state"], mine["pid"], mine["container"], mine["changed"]) == ("idle", seen.process.pid, None, 0)
    seen.send("\x04")
    assert seen.end() == 0
    assert [row for row in rows(paddock) if row.get("checkout") == str(project)] == []


def test_sessions_of_other_state_folders_are_counted_and_shown_on_demand(paddock, running, tmp_path):
    other = {"XDG_STATE_HOME": str(tmp_path / "other")}
    assert running.pid not in [row["pid"] for row in json.loads(paddock("ps", "--json", **other).stdout)]
    assert running.pid in [row["pid"] for row in json.loads(paddock("ps", "--json", "--all", **other).stdout)]
    assert "more of other state folders: paddock ps --all" in paddock("ps", **other).stdout


def test_gc_says_first_and_removes_then_what_the_dead_left(paddock, running, project, orphan, engine, tmp_path):
    assert paddock("exec", "--apply", "never", "--", "true", cwd=project).returncode == 0
    sessions = tmp_path / "state" / "paddock" / "sessions"
    gone = sessions / f".{new_id()}.removed"
    gone.mkdir()
    (gone / "rest").write_bytes(b"x" * 100_000)
    planned = json.loads(paddock("gc", "--dry-run", "--json", "--days", "0").stdout)
    assert planned["dry_run"]
    assert (planned["sessions"], planned["leftovers"], planned["bytes"] > 100_000) == (1, 1, True)
    assert len(os.listdir(sessions)) == 3
    refused = paddock("gc", "--days", "0")
    assert (refused.returncode, "1 session would be removed" in refused.stderr) == (4, True)
    done = json.loads(paddock("gc", "--yes", "--json", "--days", "0").stdout)
    assert not done["dry_run"]
    assert (done["sessions"], done["leftovers"], done["bytes"] > 100_000) == (1, 1, True)
    assert not any(one.owner.session == orphan for one in engine.containers())
    (left,) = os.listdir(sessions)  # the one that runs
    assert any(one.owner.session == left for one in engine.containers())


def test_gc_keeps_what_waits(paddock, project):
    assert paddock("exec", "--apply", "never", "--", "touch", "new", cwd=project).returncode == 0
    assert json.loads(paddock("gc", "--yes", "--json", "--days", "0").stdout)["sessions"] == 0
    assert "A new" in paddock("status", cwd=project).stdout
