"""What a background command means, whatever the sandbox."""

import anyio
import pytest

from sandbox.background import KEPT, MOST
from sandbox.base import Command, Process, Sandbox
from sandbox.errors import FileError, TooManyProcesses
from tests.contracts.test_commands import NAP, left_over, shell

pytestmark = pytest.mark.anyio


async def start(sandbox: Sandbox, script: str, **more: object) -> Process:
    return await sandbox.start(Command(["bash", "-c", script], sandbox.root, **more))  # type: ignore[arg-type]


async def said(process: Process, wanted: bytes) -> bytes:
    """What it says, as soon as that holds `wanted`."""
    seen = b""
    with anyio.fail_after(20):
        while wanted not in seen:
            await process.news()
            seen += process.take().all
    return seen


async def test_a_command_in_the_background_runs_on_while_others_are_run(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "while [ ! -e go ]; do sleep 0.05; done; echo went; exit 3")
    assert (process.id, process.status, process.result) == ("bash_1", "running", None)
    assert (await shell(any_sandbox, "touch go")).exit_code == 0
    with anyio.fail_after(20):
        result = await process.wait()
    assert (process.status, result.exit_code, result.signal, process.take().all) == ("exited", 3, None, b"went\n")


async def test_each_look_tells_only_what_is_new(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "echo one; echo err >&2; while [ ! -e go ]; do sleep 0.05; done; echo two")
    first = await said(process, b"err")
    assert sorted(first.split()) == [b"err", b"one"]
    assert process.take().all == b""
    await shell(any_sandbox, "touch go")
    assert await said(process, b"two") == b"two\n"


async def test_looking_without_taking_changes_nothing(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "echo one")
    await process.wait()
    assert process.unread() == process.unread() == process.take()


async def test_killing_ends_all_of_it(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, f"trap '' TERM; {NAP} & setsid {NAP} & (setsid {NAP} &); echo up; {NAP}")
    await said(process, b"up")
    await process.kill()
    assert process.status == "killed"
    assert process.result is not None
    assert process.result.signal == 9
    assert await left_over(any_sandbox) == b""


async def test_what_is_killed_at_its_birth_dies_too(any_sandbox: Sandbox) -> None:
    for _ in range(15):
        born = [await start(any_sandbox, NAP) for _ in range(3)]
        for process in reversed(born):
            await process.kill()
        assert [process.status for process in born] == ["killed"] * 3
    assert await left_over(any_sandbox) == b""


async def test_killing_one_leaves_the_others(any_sandbox: Sandbox) -> None:
    first, second = await start(any_sandbox, NAP), await start(any_sandbox, NAP)
    await first.kill()
    assert (first.status, second.status) == ("killed", "running")
    assert await left_over(any_sandbox) == f"{NAP} \n".encode()


async def test_what_has_ended_cannot_be_killed(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "exit 5")
    await process.wait()
    await process.kill()
    assert process.status == "exited"


async def test_a_time_limit_holds_in_the_background_too(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, f"setsid {NAP} & {NAP}", timeout=0.5)
    with anyio.fail_after(20):
        result = await process.wait()
    assert (process.status, result.timed_out) == ("timed out", True)
    assert await left_over(any_sandbox) == b""


async def test_cancelling_who_started_it_does_not_end_it(any_sandbox: Sandbox) -> None:
    started: list[Process] = []
    async with anyio.create_task_group() as tasks:

        async def caller() -> None:
            started.append(await start(any_sandbox, "sleep 1; echo survived"))
            tasks.cancel_scope.cancel()
            await anyio.sleep_forever()

        tasks.start_soon(caller)
    assert await said(started[0], b"survived") == b"survived\n"


async def test_a_flood_that_nobody_reads_neither_blocks_nor_is_kept(any_sandbox: Sandbox) -> None:
    size = 20_000_000
    process = await start(any_sandbox, f"yes flood | head -c {size}; echo last")
    assert (await shell(any_sandbox, "echo beside", timeout=20)).stdout.all == b"beside\n"
    with anyio.fail_after(60):
        await process.wait()
    output = process.take()
    assert len(output.all) <= KEPT
    assert output.all.endswith(b"last\n")
    assert len(output.all) + output.omitted == size + 5


async def test_what_it_says_can_be_followed_and_its_end_is_told_once(any_sandbox: Sandbox) -> None:
    chunks, ends = [], []
    command = Command(["bash", "-c", "echo out"], any_sandbox.root)
    process = await any_sandbox.start(command, lambda _, data: chunks.append(data), lambda: ends.append(len(chunks)))
    await process.wait()
    assert (b"".join(chunks), ends) == (b"out\n", [1])


async def test_a_directory_that_is_not_there_is_told_to_who_waits(any_sandbox: Sandbox) -> None:
    process = await any_sandbox.start(Command(["true"], any_sandbox.root / "nowhere"))
    with pytest.raises(FileError, match="nowhere"):
        await process.wait()


async def test_no_more_run_at_once_than_may(any_sandbox: Sandbox) -> None:
    running = [await start(any_sandbox, NAP) for _ in range(MOST)]
    for _ in range(100):
        with pytest.raises(TooManyProcesses, match="end one first"):
            await start(any_sandbox, NAP)
    await running[0].kill()
    assert (await start(any_sandbox, NAP)).status == "running"
    assert [one.id for one in any_sandbox.processes] == [f"bash_{number}" for number in range(1, MOST + 2)]
