"""What running a command means, whatever the sandbox."""

import os
import time

import anyio
import pytest

from sandbox.base import Command, ExecResult, Sandbox
from sandbox.errors import FileError

pytestmark = pytest.mark.anyio

NAP = f"sleep {987_000_000 + os.getpid()}"
"""A command line that no other test process has: the fake's processes are this machine's."""


async def shell(sandbox: Sandbox, script: str, **more: object) -> ExecResult:
    return await sandbox.run(Command(["bash", "-c", script], sandbox.root, **more))  # type: ignore[arg-type]  # fields by name


async def test_both_streams_and_the_exit_code_come_back(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, "printf out; printf err >&2; exit 70")
    assert (result.exit_code, result.stdout.all, result.stderr.all) == (70, b"out", b"err")
    assert (result.timed_out, result.left_running, result.stdout.omitted) == (False, 0, 0)


async def test_output_is_bytes_and_stays_what_it_was(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, r"printf '\377\000\342\202\254'")
    assert result.stdout.all == b"\xff\x00\xe2\x82\xac"


async def test_a_signal_is_128_plus_its_number(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, "kill -TERM $$", timeout=30)
    assert (result.exit_code, result.signal, result.timed_out) == (143, 15, False)


async def test_an_exit_code_that_looks_like_a_signal_is_none(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, "sh -c 'kill -9 $$'; exit $?", timeout=30)
    assert (result.exit_code, result.signal) == (137, None)


async def test_a_killed_call_says_by_what(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, "exec sleep 30", timeout=0.5)
    assert (result.timed_out, result.signal) == (True, 9)


async def test_a_program_that_is_not_there_is_127(any_sandbox: Sandbox) -> None:
    result = await any_sandbox.run(Command(["no-such-program"], any_sandbox.root))
    assert result.exit_code == 127
    assert b"no-such-program" in result.stderr.all


async def test_a_program_that_may_not_run_is_126(any_sandbox: Sandbox) -> None:
    result = await any_sandbox.run(Command(["/etc/passwd"], any_sandbox.root))
    assert result.exit_code == 126
    assert b"/etc/passwd" in result.stderr.all


async def test_a_directory_that_is_not_there_is_an_error_of_the_caller(any_sandbox: Sandbox) -> None:
    with pytest.raises(FileError, match="nowhere") as caught:
        await any_sandbox.run(Command(["true"], any_sandbox.root / "nowhere"))
    assert caught.value.kind == "not-a-directory"


async def test_commands_start_in_their_cwd(any_sandbox: Sandbox) -> None:
    result = await any_sandbox.run(Command(["pwd"], any_sandbox.root / "src"))
    assert result.stdout.all == bytes(any_sandbox.root / "src") + b"\n"


async def test_the_environment_is_what_was_asked_and_nothing_of_the_host(
    any_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "secret")
    result = await shell(any_sandbox, "echo $GIVEN; env", env={"GIVEN": "a b=c"})
    assert result.stdout.all.startswith(b"a b=c\n")
    assert b"CANARY_TOKEN" not in result.stdout.all


async def test_stdin_is_closed_unless_given(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, "cat; echo end", timeout=10)
    assert result.stdout.all == b"end\n"


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\xff\x00\n$(`", b"y" * 5_000_000], ids=["empty", "one", "special", "5MB"]
)
async def test_stdin_arrives_whole(any_sandbox: Sandbox, data: bytes) -> None:
    result = await shell(any_sandbox, "sha256sum; echo done", stdin=data, timeout=30)
    expected = await shell(any_sandbox, f"head -c {len(data)} | sha256sum; echo done", stdin=data, timeout=30)
    assert result.exit_code == 0
    assert result.stdout == expected.stdout


async def test_a_command_that_never_reads_its_stdin_ends_all_the_same(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, "exit 3", stdin=b"z" * 5_000_000, timeout=10)
    assert result.exit_code == 3


async def test_long_output_keeps_head_and_tail_and_says_what_it_left_out(any_sandbox: Sandbox) -> None:
    seen = 0

    def count(stream: str, data: bytes) -> None:
        nonlocal seen
        seen += len(data)

    command = Command(["bash", "-c", "echo first; yes x | head -c 3000000; echo last"], any_sandbox.root, keep=1000)
    result = await any_sandbox.run(command, count)
    assert result.stdout.head.startswith(b"first\nx\n")
    assert result.stdout.tail.endswith(b"x\nlast\n")
    assert len(result.stdout.all) + result.stdout.omitted == seen == 3_000_011
    assert len(result.stdout.all) <= 1000


async def test_output_below_the_limit_is_whole(any_sandbox: Sandbox) -> None:
    result = await any_sandbox.run(Command(["seq", "100"], any_sandbox.root, keep=1000))
    assert result.stdout.omitted == 0
    assert result.stdout.all == b"".join(b"%d\n" % number for number in range(1, 101))


async def test_output_is_seen_while_it_is_made(any_sandbox: Sandbox) -> None:
    chunks: list[bytes] = []
    first = anyio.Event()

    def see(stream: str, data: bytes) -> None:
        chunks.append(data)
        first.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            any_sandbox.run, Command(["bash", "-c", "echo now; sleep 5"], any_sandbox.root, timeout=3), see
        )
        with anyio.fail_after(2):
            await first.wait()
    assert b"".join(chunks) == b"now\n"


async def test_a_report_comes_back_apart_from_the_output(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, "cd src; echo out; pwd >&3; exit 4", report=True)
    assert (result.exit_code, result.stdout.all) == (4, b"out\n")
    assert result.report == bytes(any_sandbox.root / "src") + b"\n"


async def test_a_timeout_is_the_hosts_and_kills_all_of_the_call(any_sandbox: Sandbox) -> None:
    began = time.monotonic()
    result = await shell(any_sandbox, f"{NAP} & setsid {NAP} & (setsid {NAP} &); {NAP}", timeout=0.5)
    assert result.timed_out
    assert time.monotonic() - began < 5
    assert (await left_over(any_sandbox)) == b""


async def test_a_command_that_ignores_signals_dies_too(any_sandbox: Sandbox) -> None:
    result = await shell(any_sandbox, f"trap '' TERM INT HUP; while :; do {NAP}; done", timeout=0.5)
    assert result.timed_out
    assert (await left_over(any_sandbox)) == b""


async def test_an_exit_code_of_137_is_no_limit_reached(any_sandbox: Sandbox) -> None:
    for script in ("exit 137", "kill -9 $$"):
        result = await shell(any_sandbox, script)
        assert (result.exit_code, result.limits) == (137, ())


async def test_an_exit_code_of_124_is_no_timeout(any_sandbox: Sandbox) -> None:
    assert not (await shell(any_sandbox, "exit 124", timeout=10)).timed_out


async def test_cancelling_a_call_kills_it(any_sandbox: Sandbox) -> None:
    with anyio.move_on_after(0.5):
        await shell(any_sandbox, f"setsid {NAP} & {NAP}")
    assert (await left_over(any_sandbox)) == b""


async def test_a_background_process_does_not_hold_the_call(any_sandbox: Sandbox) -> None:
    began = time.monotonic()
    result = await shell(any_sandbox, "sleep 30 & echo started", timeout=20)
    assert time.monotonic() - began < 5
    assert (result.stdout.all, result.left_running) == (b"started\n", 1)


async def test_calls_run_side_by_side(any_sandbox: Sandbox) -> None:
    began = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(shell, any_sandbox, "sleep 0.7")
    assert time.monotonic() - began < 2.4


async def test_no_output_is_ever_lost(any_sandbox: Sandbox) -> None:
    outputs: list[bytes] = []

    async def one(number: int) -> None:
        outputs.append((await shell(any_sandbox, f"printf {number}")).stdout.all)

    for start in range(0, 100, 10):
        async with anyio.create_task_group() as tasks:
            for number in range(start, start + 10):
                tasks.start_soon(one, number)
    assert sorted(outputs) == sorted(b"%d" % number for number in range(100))


async def left_over(sandbox: Sandbox) -> bytes:
    """The command lines of the naps that survived."""
    nap = f"{NAP[:-1]}[{NAP[-1]}] "  # a pattern that does not find the grep itself
    script = f"for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f 2>/dev/null | grep -x '{nap}'; done; true"
    return (await shell(sandbox, script)).stdout.all
