"""`--allow`, the questions on a terminal, and `paddock network`, with a server on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.egress.world import World, world

HERE = json.dumps({"sandbox": {"network": {"allowedAddresses": ["127.0.0.0/8", "::1/128"]}}})
CURL = "env", "NO_PROXY=", "no_proxy=", "curl", "-sS"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[World]:
    """A world; `localhost` is a name that leads to it."""
    with world(tmp_path) as found:
        yield found


@pytest.fixture
def near(variables, monkeypatch):
    """No proxy of this machine's own."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        variables.pop(name, None)


def test_allow_needs_a_profile_with_a_network_and_a_host(paddock, project):
    done = paddock("exec", "--allow", "a.example", "--", "true", cwd=project)
    assert done.returncode == 2
    assert "--allow is for a profile with a network, and default has none: --profile egress has" in done.stderr
    done = paddock("exec", "--profile", "egress", "--allow", "*.com", "--", "true", cwd=project)
    assert done.returncode == 2
    assert "would be every host there is below com" in done.stderr


@pytest.mark.engine
def test_what_was_asked_is_listed(paddock, project, outside, near):
    at = f"localhost:{outside.plain}"
    options = ("--profile", "egress", "--settings", HERE, "--allow", at)
    ask = f"{' '.join(CURL)} http://{at}/a?key=1; {' '.join(CURL)} -d x http://{at}/b; {' '.join(CURL)} http://evil.example/"
    done = paddock("exec", *options, "--", "sh", "-c", ask, cwd=project)
    assert f"profile egress · network: {at} · " in done.stderr
    assert done.stdout.startswith("hello\n")
    assert f"paddock: network: POST {at} refused: it may be read from only" in done.stderr
    assert "paddock: network: GET evil.example:80 refused: it is on no list; `--allow evil.example`" in done.stderr
    listed = paddock("network", cwd=project)
    first, second, third = listed.stdout.splitlines()
    assert first.endswith(f"GET {at}/a  200, 6 bytes")
    assert second.endswith(f"POST {at}/b  refused: it may be read from only (GET, HEAD)")
    assert third.endswith("GET evil.example/  refused: it is on no list")
    told = json.loads(paddock("network", "--refused", "--json", cwd=project).stdout)
    assert [one["refused"] for one in told["requests"]] == ["method", "unlisted"]
    assert "key=1" not in paddock("network", "--json", cwd=project).stdout


@pytest.mark.engine
def test_a_session_that_asked_for_nothing_says_so(paddock, project):
    paddock("exec", "--", "true", cwd=project)
    assert "has asked for nothing" in paddock("network", cwd=project).stdout
    assert "has been refused nothing" in paddock("network", "--refused", cwd=project).stdout


@pytest.mark.engine
@pytest.mark.parametrize(
    ("answer", "read", "told"),
    [("r", "hello", "may be read from only"), ("w", "hello", "hello"), ("", "you said no", "you said no")],
)
def test_a_person_is_asked_once_for_a_host(terminal, project, outside, near, answer, read, told):
    at = f"localhost:{outside.plain}"
    ask = f"{' '.join(CURL)} http://{at}/a; echo; {' '.join(CURL)} -d x http://{at}/b; echo done"
    seen = terminal("exec", "--profile", "egress", "--settings", HERE, "--", "sh", "-c", ask, cwd=project)
    seen.wait_for("[n]o")
    assert f"may what runs inside reach {at}?" in seen.screen.replace("\n", "")
    seen.send(f"{answer}\r")
    assert seen.end() == 0
    before, _, after = seen.screen.partition("[n]o")[2].partition("\n")[2].partition("\n")
    assert read in before + after
    assert told in after
    assert seen.screen.count("[n]o") == 1


@pytest.mark.engine
def test_a_question_goes_with_the_command_it_is_about(terminal, project, near):
    options = ("--profile", "egress", "--timeout", "3", "--settings", HERE)
    seen = terminal("exec", *options, "--", *CURL, "http://localhost:1/", cwd=project)
    seen.wait_for("[n]o")
    assert seen.end(30) == 3
    assert "ran out of time" in seen.screen


@pytest.mark.engine
def test_ctrl_c_at_a_question_ends_the_command(terminal, project, near):
    seen = terminal("exec", "--profile", "egress", "--settings", HERE, "--", *CURL, "http://localhost:1/", cwd=project)
    seen.wait_for("[n]o")
    seen.send("\x03")
    assert seen.end(30) == 130


@pytest.mark.engine
def test_a_question_from_the_background_takes_the_terminal_from_the_prompt(terminal, project, near, script, outside):
    ask = f"sleep 6; for i in 1 2 3; do {' '.join(CURL)} http://h$i.example:{outside.plain}/; done; sleep 1000"
    turns = script(f'{{tools: [{{Bash: {{command: "{ask}", run_in_background: true}}}}]}}', "{text: Started.}")
    seen = terminal("--profile", "egress", "--settings", HERE, "--script", turns, cwd=project)
    seen.press("go", "> go")
    seen.send("\r")
    seen.wait_for("host unchanged")
    seen.press("half a sen", "> half a sen")
    for number in (1, 2, 3):
        seen.wait_for(f"h{number}.example", 60)
        seen.send("read")
        seen.send("\x7f\x7f\x7f\x7fno\r")
    seen.wait_for("> half a sen\n", 20)
    seen.press("tence", "> half a sentence")
    seen.send("\x15")
    seen.press("/exit", "> /exit")
    seen.send("\r")
    assert seen.end() == 0
