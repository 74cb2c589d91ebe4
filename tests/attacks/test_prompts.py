"""Programs that would ask somebody: without a terminal they fail at once, and hold up nobody."""

import pytest

from sandbox.base import Command
from sandbox.docker_sandbox import DockerSandbox

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

COMMIT = "git init -q . && git add -A && git commit"


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("read answer", 1, b""),
        ("read answer </dev/tty", 1, b"/dev/tty"),
        ("python3 -c 'input()'", 1, b"EOFError"),
        ("python3 -Wignore -c 'import getpass; getpass.getpass()'", 1, b"EOFError"),
        (COMMIT, 1, b"empty commit message"),
        ("git -c credential.helper= ls-remote https://127.0.0.1:9/x", 128, b"unable to access"),
        ("cat", 0, b""),
    ],
    ids=["read", "tty", "input", "password", "commit", "credentials", "cat"],
)
async def test_r19_what_asks_without_a_terminal_ends_by_itself(
    sandbox: DockerSandbox, script: str, code: int, words: bytes
) -> None:
    result = await sandbox.run(Command(["bash", "-c", script], sandbox.root, timeout=30))
    assert not result.timed_out
    assert (result.exit_code, result.signal) == (code, None)
    assert words in result.stderr.all + result.stdout.all


@pytest.mark.parametrize("script", ["kill -STOP $$", "exec 0<>/dev/ptmx; exec cat", "cat <&1"])
async def test_r19_what_stops_or_reads_elsewhere_meets_the_hosts_time_limit(
    sandbox: DockerSandbox, script: str
) -> None:
    result = await sandbox.run(Command(["bash", "-c", f"{script}; sleep 1000"], sandbox.root, timeout=1))
    assert result.timed_out
    assert await sandbox.running() == 0
