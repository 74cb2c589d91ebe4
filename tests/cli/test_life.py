"""Conversations that wait: no container runs that nobody needs, and the next message finds everything as it was."""

import json
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.engine


def session_of(tmp_path):
    """The one session's folder."""
    (session,) = (tmp_path / "state" / "paddock" / "sessions").iterdir()
    return session


def containers(engine, session):
    return [one for one in engine.containers() if one.owner.session == session.name]


def test_a_conversation_that_is_only_talk_starts_no_container(terminal, project, script, engine, tmp_path):
    turns = script("{text: Hello.}", '{tools: [{Bash: {command: "echo hi > new.txt"}}]}', "{text: Written.}")
    seen = terminal("--script", turns, cwd=project)
    seen.wait_for("/help")
    session = session_of(tmp_path)
    assert containers(engine, session) == []
    seen.send("hello\r")
    seen.wait_for("Hello.")
    seen.wait_for("default · host unchanged")
    assert containers(engine, session) == []
    seen.send("write\r")
    seen.wait_for("default · 1 file pending")
    assert len(containers(engine, session)) == 1
    seen.send("\x04")
    assert seen.end() == 0
    assert containers(engine, session) == []


def test_r29_while_a_conversation_waits_its_container_goes_and_the_next_message_brings_it_back(
    terminal, paddock, project, script, engine, tmp_path
):
    first = script("{text: Hello.}")
    assert paddock("run", "--apply", "never", "--script", first, "hello", cwd=project).returncode == 0
    session = session_of(tmp_path)
    meta = json.loads((session / "meta.json").read_text())
    meta["choice"]["idle"] = 1.0
    (session / "meta.json").write_text(json.dumps(meta))
    turns = script(
        "{text: Hello.}",
        '{tools: [{Bash: {command: "echo kept > kept.txt; echo lost > /tmp/lost"}}]}',
        "{text: First.}",
        '{tools: [{Bash: {command: "cat kept.txt; test -e /tmp/lost || echo no more"}}]}',
        "{text: Second.}",
    )
    seen = terminal("--continue", "--script", turns, cwd=project)
    seen.wait_for("/help")
    seen.send("write\r")
    seen.wait_for("default · 1 file pending")
    deadline = time.monotonic() + 30
    while containers(engine, session):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    seen.send("/status\r")
    seen.wait_for("A kept.txt")
    seen.wait_for("1 file pending", times=3)  # twice said, and once below the next prompt
    assert containers(engine, session) == []
    seen.send("read\r")
    seen.wait_for("no more")
    seen.wait_for("was stopped after 1 s without a call")
    seen.wait_for("done · 2 turns", times=2)
    seen.wait_for("default · 1 file pending")
    seen.send("\x04")
    assert seen.end() == 0


def test_a_run_goes_on_when_its_container_is_killed_under_a_call(project, script, variables, engine, tmp_path):
    turns = script(
        '{tools: [{Bash: {command: "echo half > half.txt; sleep 100; echo never > never.txt"}}]}',
        '{expect: "outcome of this call is unknown", tools: [{Bash: {command: "cat half.txt; ls"}}]}',
        '{expect: "half", text: Done.}',
    )
    command = [sys.executable, "-m", "cli.main", "run", "go", "--apply", "never", "--script", turns]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=project, env=dict(variables), **streams) as process:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "state").glob("paddock/sessions/*/upper/half.txt")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (one,) = containers(engine, session_of(tmp_path))
        engine.remove(one.id)
        said, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "Done." in said
    assert "the model is told, and a new one takes its place" in told
    assert "had ended by itself and was started again" in told
    assert "1 file pending" in said + told
    assert containers(engine, session_of(tmp_path)) == []


def test_a_run_whose_container_is_killed_again_ends_with_an_error_and_keeps_its_files(
    project, script, variables, engine, tmp_path
):
    call = '{tools: [{Bash: {command: "echo x >> count.txt; sleep 100"}}]}'
    turns = script(call, call, "{text: Never.}")
    command = [sys.executable, "-m", "cli.main", "run", "go", "--apply", "never", "--script", turns]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=project, env=dict(variables), **streams) as process:
        for lines in (1, 2):
            deadline = time.monotonic() + 60
            while not any(
                len(path.read_text().splitlines()) == lines
                for path in (tmp_path / "state").glob("paddock/sessions/*/upper/count.txt")
            ):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            for one in containers(engine, session_of(tmp_path)):
                engine.remove(one.id)
        said, told = process.communicate(timeout=60)
    assert process.returncode == 1, told
    assert "it was the second time in this turn, so the turn ends here" in said + told
    assert "1 file pending" in said + told
