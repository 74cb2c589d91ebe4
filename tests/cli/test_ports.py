"""`paddock ports` and `--publish`, with a server in a real sandbox."""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.cli.conftest import COMMAND

SERVE = ("exec", "--apply", "never", "--", "python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "8123")


@pytest.fixture
def running(variables, project) -> Iterator[subprocess.Popen[str]]:
    """A web server in a sandbox, published on a free port."""
    process = subprocess.Popen(
        [*COMMAND, SERVE[0], "--publish", "0:8123", *SERVE[1:]],
        cwd=project,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.terminate()
    process.communicate(timeout=60)


def fetched(url: str) -> str:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} never answered")


def url_in(stream) -> str:
    for line in stream:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError("no address was said")


@pytest.mark.engine
def test_a_server_is_published_listed_and_reached_a_second_way(running, paddock, project, variables):
    url = url_in(running.stderr)
    assert "Directory listing" in fetched(url)
    listed = paddock("ports", cwd=project)
    assert (listed.returncode, listed.stdout) == (0, f" 8123  {url}\n")
    told = json.loads(paddock("ports", "--json", cwd=project).stdout)
    assert told["listening"] == [8123]
    assert [one["url"] for one in told["forwarded"]] == [url]
    again = subprocess.Popen(
        [*COMMAND, "ports", told["session"][:8], "0:8123"],
        cwd=project, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "Directory listing" in fetched(url_in(again.stdout))
    assert len(json.loads(paddock("ports", "--json", cwd=project).stdout)["forwarded"]) == 2
    running.terminate()
    assert running.wait(timeout=60) == 143
    rest, _ = again.communicate(timeout=30)
    assert (again.returncode, rest.splitlines()[-1]) == (0, "the session has ended")


@pytest.mark.engine
def test_without_a_running_session_there_is_nothing_to_list(paddock, project):
    done = paddock("ports", cwd=project)
    assert done.returncode == 2
    assert "no session runs on" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("exec", "--publish", "0.0.0.0:80", "--", "true"),
        ("run", "--publish", "x", "y"),
        ("run", "--publish", "80:", "y"),
    ],
)
def test_a_port_is_published_on_the_loopback_address_or_not_at_all(paddock, arguments):
    done = paddock(*arguments)
    assert done.returncode == 2
    assert "it is always 127.0.0.1 that is listened on" in done.stderr
