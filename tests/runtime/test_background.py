"""Bash in the background, BashOutput and KillShell, each through its own input model, with real processes."""

import socket
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.tools.background import still_running
from runtime.tools.endings import UNWATCHED, ending
from sandbox.background import MOST
from sandbox.base import Command, ExecResult, Output
from sandbox.limits import LimitReached
from tests.fakes import FakeSandbox
from tests.runtime.stage import stage
from tests.runtime.test_tools import Bench, at_bench

UNTIL_GO = "while [ ! -e go ]; do sleep 0.05; done"


async def start(desk: Bench, command: str, **more: Any) -> str:
    result = await desk.use("Bash", {"command": command, "run_in_background": True, **more})
    return str(result.detail["backgroundTaskId"])


def test_bash_in_the_background_returns_at_once_with_an_id(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        with anyio.fail_after(10):
            result = await desk.use("Bash", {"command": "echo up; sleep 1000", "run_in_background": True})
        assert result.text == "bash_1 runs in the background; BashOutput tells what it says"
        assert (result.is_error, result.detail["backgroundTaskId"]) == (False, "bash_1")

    at_bench(tmp_path, test)


def test_what_fails_at_once_is_told_at_once(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        result = await desk.use("Bash", {"command": "echo port taken >&2; exit 98", "run_in_background": True})
        assert result.text == "bash_1 has ended after 0 s: exit code 98\nport taken"

    at_bench(tmp_path, test)


def test_bash_output_tells_what_is_new_and_how_it_stands(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        name = await start(desk, f"echo one; {UNTIL_GO}; echo two; exit 3")
        first = await desk.use("BashOutput", {"bash_id": name, "wait_for": "^one$"})
        assert first.text == "bash_1 is running, for 0 s\none"
        assert (first.detail["status"], first.detail["exitCode"], first.detail["stdout"]) == ("running", None, "one")
        assert (await desk.use("BashOutput", {"bash_id": name})).text.endswith("\n(no new output)")
        (desk.root / "go").touch()
        last = await desk.use("BashOutput", {"bash_id": name, "block": True})
        assert last.text.split(": ", 1)[1] == "exit code 3\ntwo"
        assert (last.is_error, last.detail["status"], last.detail["exitCode"]) == (False, "exited", 3)

    at_bench(tmp_path, test)


def test_a_limit_that_it_reached_is_told_with_its_end_and_counted_once(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert isinstance(desk.bench.sandbox, FakeSandbox)
        desk.bench.sandbox.limits = (LimitReached("memory", 4 * 1024**3),)
        name = await start(desk, "sleep 0.5")
        first = await desk.use("BashOutput", {"bash_id": name, "block": True})
        assert first.text.split(": ", 1)[1] == "exit code 0; memory limit 4 GiB reached\n(no new output)"
        assert first.limits == desk.bench.sandbox.limits
        assert (await desk.use("BashOutput", {"bash_id": name})).limits == ()

    at_bench(tmp_path, test)


def test_the_names_of_other_versions_are_known_too(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        name = await start(desk, "echo x; sleep 1000")
        assert "is running" in (await desk.use("TaskOutput", {"task_id": name, "block": False, "timeout": 1000})).text
        assert "was killed" in (await desk.use("TaskStop", {"task_id": name})).text
        assert "nothing to end" in (await desk.use("KillBash", {"shell_id": name})).text

    at_bench(tmp_path, test)


def test_a_filter_leaves_only_lines_that_match(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        name = await start(desk, "sleep 0.5; seq 1 20")
        result = await desk.use("BashOutput", {"bash_id": name, "block": True, "filter": "^1[0-2]$"})
        assert result.detail["stdout"] == "10\n11\n12"

    at_bench(tmp_path, test)


@pytest.mark.parametrize("key", ["filter", "wait_for"])
def test_a_pattern_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    async def test(desk: Bench) -> None:
        name = await start(desk, "echo x; sleep 1000")
        assert "pattern cannot be used" in await desk.refused("BashOutput", {"bash_id": name, key: "("})
        assert "NUL" in await desk.refused("BashOutput", {"bash_id": name, key: "a\0"})

    at_bench(tmp_path, test)


def test_a_wait_in_vain_says_so_and_ends(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        name = await start(desk, "echo up; sleep 1000")
        result = await desk.use("BashOutput", {"bash_id": name, "wait_for": "never", "timeout": 300})
        assert result.text.endswith("\nup\n(waited 0.3 s: `never` has not been said)")
        result = await desk.use("BashOutput", {"bash_id": name, "block": True, "timeout": 300})
        assert result.text.endswith("(waited 0.3 s: it has not ended)")

    at_bench(tmp_path, test)


def test_waiting_for_a_line_ends_with_the_command(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        name = await start(desk, "sleep 0.5; echo address in use; exit 1")
        with anyio.fail_after(20):
            result = await desk.use("BashOutput", {"bash_id": name, "wait_for": "listening"})
        assert result.text.split(": ", 1)[1] == "exit code 1\naddress in use\n(`listening` has not been said)"

    at_bench(tmp_path, test)


def test_waiting_for_a_port_ends_when_something_listens(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = (
            f"import socket, time; time.sleep(0.7); s = socket.create_server(('127.0.0.1', {port})); time.sleep(1000)"
        )
        name = await start(desk, f'python3 -c "{server}"')
        early = await desk.use("BashOutput", {"bash_id": name, "wait_for_port": port, "timeout": 100})
        assert early.text.endswith(f"(waited 0.1 s: nothing listens on {port})")
        with anyio.fail_after(20):
            result = await desk.use("BashOutput", {"bash_id": name, "wait_for_port": port})
        assert result.text.endswith("(no new output)")

    at_bench(tmp_path, test)


def test_kill_shell_ends_all_of_it(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        name = await start(desk, "setsid sleep 1000 & sleep 1000")
        assert (await desk.use("KillShell", {"shell_id": name})).text == "bash_1 was killed with all its processes"
        assert await desk.bench.sandbox.running() == 0
        assert (await desk.use("BashOutput", {"bash_id": name})).text.startswith("bash_1 was killed after")

    at_bench(tmp_path, test)


def test_an_id_that_is_none_names_those_there_are(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        assert "there are none" in await desk.refused("BashOutput", {"bash_id": "bash_7"})
        await start(desk, "sleep 1000")
        assert "bash_1 (running)" in await desk.refused("KillShell", {"shell_id": "bash_7"})
        assert "is running" in (await desk.use("BashOutput", {})).text
        assert (await desk.use("BashOutput", {})).text.endswith("s: sleep 1000")

    at_bench(tmp_path, test)


def test_a_time_limit_that_was_given_holds_and_no_other(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        limited = await start(desk, "sleep 1000", timeout=500)
        free = await start(desk, "sleep 1000")
        result = await desk.use("BashOutput", {"bash_id": limited, "block": True})
        assert result.text.split(": ", 1)[1].startswith("timed out after 0.5 s, and all its processes were stopped")
        processes = {one.id: one for one in desk.bench.sandbox.processes}
        assert processes[free].command.timeout is None

    at_bench(tmp_path, test)


def test_one_too_many_is_refused_with_a_way_out(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        for _ in range(MOST):
            await desk.bench.sandbox.start(Command(["sleep", "1000"], desk.bench.sandbox.root))
        refused = await desk.refused("Bash", {"command": "sleep 1000", "run_in_background": True})
        assert (
            refused == "not started: 32 background commands are running, and no more may: end one first with KillShell"
        )

    at_bench(tmp_path, test)


def test_a_background_command_starts_where_bash_stands_and_moves_it_nowhere(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Bash", {"command": "mkdir -p deep/er; cd deep"})
        result = await desk.use("Bash", {"command": "pwd; cd er", "run_in_background": True})
        assert result.text.endswith(f"\n{desk.root}/deep")
        assert (await desk.use("Bash", {"command": "pwd"})).text == f"{desk.root}/deep"

    at_bench(tmp_path, test)


def test_a_place_that_is_gone_is_left_before_a_background_command_starts(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        await desk.use("Bash", {"command": "mkdir gone; cd gone"})
        (desk.root / "gone").rmdir()
        result = await desk.use("Bash", {"command": "pwd", "run_in_background": True})
        assert f"\n{desk.root}\n(" in result.text
        assert "Shell cwd was reset" in result.text

    at_bench(tmp_path, test)


def test_the_whole_output_is_kept_beside(tmp_path: Path) -> None:
    async def test(desk: Bench) -> None:
        name = await start(desk, "sleep 0.5; seq 1 200000")
        result = await desk.use("BashOutput", {"bash_id": name, "block": True})
        assert "bytes omitted" in result.text
        assert len(result.text) < 32_000
        kept = (desk.bench.outputs / "toolu_1.txt").read_bytes()
        assert kept == b"".join(b"%d\n" % number for number in range(1, 200_001))

    at_bench(tmp_path, test)


def test_the_model_learns_once_that_a_command_has_ended(tmp_path: Path) -> None:
    script = """
turns:
- tools: [{Bash: {command: "sleep 0.7; exit 4", run_in_background: true}}]
- tools: [{Bash: {command: sleep 2}}]
- tools: [{Bash: {command: "true"}}]
- text: done
"""

    async def main() -> None:
        async with stage(tmp_path, script) as place:
            await place.run()
            reminded = [
                block["text"]
                for message in place.server.requests[-1]["messages"]
                for block in message["content"]
                if block["type"] == "text" and "Background commands have ended" in block["text"]
            ]
            assert len(reminded) == 1
            assert "- bash_1 has ended after 1 s: exit code 4" in reminded[0]

    anyio.run(main)


def test_a_turn_ends_and_the_user_is_told_what_goes_on(tmp_path: Path) -> None:
    script = """
turns:
- tools: [{Bash: {command: "sleep 1000", run_in_background: true}}]
- text: done
"""

    async def main() -> None:
        async with stage(tmp_path, script) as place:
            await place.run()
            notices = [event.text for event in place.events if type(event).__name__ == "Notice"]
            assert notices == ["1 background command running until the session ends: bash_1 `sleep 1000`"]
            assert [one.status for one in place.sandbox.processes] == ["running"]
            assert still_running(place.sandbox.processes) == notices[0]

    anyio.run(main)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (ExecResult(0, Output(), Output()), ""),
        (ExecResult(7, Output(), Output()), "exit code 7"),
        (ExecResult(137, Output(), Output(), signal=9), "killed by signal 9 (SIGKILL)"),
        (
            ExecResult(137, Output(), Output()),
            "exit code 137 (a shell's word for signal 9 (SIGKILL))",
        ),
        (ExecResult(137, Output(), Output(), is_unwatched=True), UNWATCHED),
        (ExecResult(255, Output(), Output()), "exit code 255"),
        (ExecResult(163, Output(), Output(), signal=35), "killed by signal 35"),
        (
            ExecResult(137, Output(), Output(), signal=9, timed_out=True, seconds=2),
            "timed out after 2 s, and all its processes were stopped",
        ),
    ],
)
def test_exit_code_signal_and_timeout_are_told_apart(result: ExecResult, words: str) -> None:
    assert ending(result) == words
