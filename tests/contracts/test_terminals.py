"""What a terminal of a background command means, whatever the sandbox."""

import anyio
import pytest

from sandbox.base import Command, Process, Sandbox
from tests.contracts.test_background import said

pytestmark = pytest.mark.anyio


async def start(sandbox: Sandbox, script: str, size: tuple[int, int] = (30, 90)) -> Process:
    return await sandbox.start(Command(["bash", "-c", script], sandbox.root, terminal=size))


async def test_a_program_has_a_terminal_of_the_size_that_was_asked_for(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "tty -s && stty size; exit 3")
    assert await said(process, b"\n") == b"30 90\r\n"
    assert (await process.wait()).exit_code == 3


async def test_what_is_typed_arrives_and_is_echoed(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "read line; echo got $line")
    await process.send(b"hello\r")
    assert b"got hello" in await said(process, b"got hello")
    assert (await process.wait()).exit_code == 0


async def test_keys_that_are_signals_are(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "trap 'echo caught' INT; echo up; while :; do sleep 0.1; done")
    await said(process, b"up")
    await process.send(b"\x03")
    await said(process, b"caught")
    await process.kill()
    quits = await start(any_sandbox, "exec cat")
    await quits.send(b"x\r")
    await said(quits, b"x\r\nx\r\n")
    await quits.send(b"\x1c")
    with anyio.fail_after(20):
        assert (await quits.wait()).signal == 3


async def test_the_end_of_input_can_be_typed(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "cat; echo over")
    await process.send(b"one\r\x04")
    assert b"over" in await said(process, b"over")


async def test_a_new_size_is_told_to_the_program(any_sandbox: Sandbox) -> None:
    process = await start(any_sandbox, "trap 'stty size' WINCH; echo up; while :; do sleep 0.1; done")
    await said(process, b"up")
    await process.resize(41, 121)
    await said(process, b"41 121")
    await process.kill()
    assert process.status == "killed"


async def test_who_types_at_what_has_ended_or_has_no_terminal_does_nothing(any_sandbox: Sandbox) -> None:
    ended = await start(any_sandbox, "true")
    await ended.wait()
    await ended.send(b"x")
    await ended.resize(10, 10)
    plain = await any_sandbox.start(Command(["cat"], any_sandbox.root))
    await plain.wait()
    await plain.send(b"x")
    assert plain.status == "exited"


async def test_several_terminals_are_apart(any_sandbox: Sandbox) -> None:
    one, other = [await start(any_sandbox, "tty; read line; echo =$line") for _ in range(2)]
    await one.send(b"first\r")
    await other.send(b"second\r")
    first, second = await said(one, b"=first"), await said(other, b"=second")
    assert (b"second" in first, b"first" in second) == (False, False)
    assert (b"/dev/pts/" in first, b"/dev/pts/" in second) == (True, True)
    assert first.split(b"/dev/pts/")[1].split()[0] != second.split(b"/dev/pts/")[1].split()[0]


@pytest.mark.parametrize("script", ["read line", "exec cat", "stty -echo; exec cat", "exec python3 -c 'input()'"])
async def test_a_program_that_waits_for_keys_is_known_to(any_sandbox: Sandbox, script: str) -> None:
    process = await start(any_sandbox, script)
    with anyio.fail_after(20):
        while not await process.waits():  # noqa: ASYNC110 - it has to get that far
            await anyio.sleep(0.05)


@pytest.mark.parametrize("script", ["echo up; exec sleep 1000", "echo up; while :; do :; done"])
async def test_a_program_that_is_busy_does_not_wait_for_keys(any_sandbox: Sandbox, script: str) -> None:
    process = await start(any_sandbox, script)
    await said(process, b"up")
    assert [await process.waits() for _ in range(20)] == [False] * 20
    await process.kill()
    assert not await process.waits()
