"""Group II of the attack list, time: the host's clock decides, nothing survives it, a stop of ours costs no call."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from sandbox.base import Command
from sandbox.docker_sandbox import DockerSandbox
from sandbox.sessions import Session
from tests.attacks.scene import shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

HOST = """
import sys, pathlib, anyio
from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session

async def one(sandbox, seconds):
    command = Command(["sh", "-c", f"sleep {seconds}; head -c 2000000 /dev/zero; echo end"], sandbox.root, timeout=3)
    result = await sandbox.run(command)
    print(result.exit_code, result.timed_out, result.stdout.tail[-4:], flush=True)

async def main():
    async with opened(Session(pathlib.Path(sys.argv[1])), Engine.connect()) as sandbox:
        await sandbox.run(Command(["true"], sandbox.root))
        print("ready", flush=True)
        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(one, sandbox, 1 + number / 4)
        print((await sandbox.read(sandbox.root / "hello.txt")).decode(), flush=True)

anyio.run(main)
"""


async def test_r14_a_deadline_is_kept_and_nothing_of_the_call_is_left(sandbox: DockerSandbox) -> None:
    await shell(sandbox, "true")
    with anyio.fail_after(10):
        result = await shell(sandbox, "sleep 60 & sleep 60", timeout=1)
    assert result.timed_out
    assert await sandbox.running() == 0


LEADERLESS = """
import ctypes, threading, time
def beat():
    while True:
        open("beat", "a").write("x")
        time.sleep(0.01)
threading.Thread(target=beat).start()
ctypes.CDLL(None).syscall(60, 0)
"""


async def test_r16_a_process_whose_first_thread_has_ended_is_counted_and_killed(sandbox: DockerSandbox) -> None:
    await sandbox.write(sandbox.root / "leaderless.py", LEADERLESS.encode())
    with anyio.fail_after(10):
        result = await shell(sandbox, "python3 leaderless.py", timeout=1)
    assert result.timed_out
    assert await sandbox.running() == 0
    assert (await shell(sandbox, "python3 leaderless.py & sleep 0.5")).left_running == 1


async def test_r16_nothing_of_a_tree_that_hides_survives(sandbox: DockerSandbox) -> None:
    hiding = """
import ctypes, os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        ctypes.CDLL(None).prctl(15, b"kworker/0:1")
        time.sleep(600)
time.sleep(600)
"""
    result = await sandbox.run(Command(["python3", "-c", hiding], sandbox.root, timeout=1))
    assert result.timed_out
    assert await sandbox.running() == 0


async def test_r17_a_call_ends_with_its_command_although_a_child_holds_its_output(sandbox: DockerSandbox) -> None:
    with anyio.fail_after(20):
        result = await shell(sandbox, "sleep 600 & echo started")
    assert (result.stdout.all, result.timed_out, result.left_running) == (b"started\n", False, 1)


@pytest.mark.parametrize("waiting", ["cat", "read line", "cat </dev/tty", "kill -TTIN $$", "kill -TSTP 0"])
async def test_r19_who_waits_for_a_person_ends_by_itself_or_at_the_deadline(
    sandbox: DockerSandbox, waiting: str
) -> None:
    with anyio.fail_after(20):
        await shell(sandbox, waiting, timeout=1)
    assert (await shell(sandbox, "echo alive", timeout=5)).stdout.all == b"alive\n"


async def test_c10_a_host_that_is_stopped_for_longer_than_every_deadline_loses_no_call(session: Session) -> None:
    root = Path(__file__).parents[2]
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(session.path)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout is not None
    assert host.stdout.readline() == "ready\n"
    host.send_signal(signal.SIGSTOP)
    await anyio.sleep(6)
    host.send_signal(signal.SIGCONT)
    said, _ = await anyio.to_thread.run_sync(host.communicate)
    assert said.splitlines() == ["0 False b'end\\n'"] * 6 + ["hello", ""]
