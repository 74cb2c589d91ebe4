"""The guest under attack from inside: out of a tool's reach, and never without an answer."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import PurePosixPath

import anyio
import pytest

from sandbox.base import Command, ExecResult
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import FileError
from sandbox.guest.processes import descendants, kill_below
from sandbox.guest.rights import GUEST_ID
from sandbox.opening import opened
from sandbox.sessions import Session

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

OTHERS = """
import os
def is_ours(pid):
    uids = [line.split()[1:] for line in open(f"/proc/{pid}/status") if line.startswith("Uid:")][0]
    return uids[0] != str(os.getuid())
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
ours = [pid for pid in pids if is_ours(pid)]
"""


async def python(sandbox: DockerSandbox, script: str, timeout: float = 30) -> ExecResult:
    return await sandbox.run(Command(["python3", "-c", script], sandbox.root, timeout=timeout))


async def shell(sandbox: DockerSandbox, script: str, timeout: float = 30) -> ExecResult:
    return await sandbox.run(Command(["bash", "-c", script], sandbox.root, timeout=timeout))


async def test_a_tool_can_open_its_own_streams_by_name(sandbox: DockerSandbox) -> None:
    script = "echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin"
    result = await sandbox.run(Command(["bash", "-c", script], sandbox.root, stdin=b"in\n"))
    assert (result.exit_code, result.stdout.all, result.stderr.all) == (0, b"out\nin\n", b"err\n")


async def test_i14_what_a_tool_takes_out_of_its_own_pipe_does_not_stop_the_guest(sandbox: DockerSandbox) -> None:
    thief = """
import os, time
both = os.open("/proc/self/fd/1", os.O_RDWR | os.O_NONBLOCK)
end = time.monotonic() + 2
while time.monotonic() < end:
    os.write(both, b"x")
    try:
        os.read(both, 1)
    except BlockingIOError:
        pass
"""
    assert (await python(sandbox, thief)).exit_code == 0
    assert (await shell(sandbox, "echo alive", timeout=5)).stdout.all == b"alive\n"


async def test_i14_no_process_of_ours_can_be_signalled_slowed_or_named_for_the_next_oom(sandbox: DockerSandbox) -> None:
    await shell(sandbox, "sleep 60 >/dev/null 2>&1 &")
    await sandbox.list(sandbox.root)
    script = f"""{OTHERS}
import resource
def tries(pid):
    yield lambda: os.kill(pid, 0)
    yield lambda: open(f"/proc/{{pid}}/oom_score_adj", "w").write("1000")
    yield lambda: open(f"/proc/{{pid}}/autogroup", "w").write("19")
    yield lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)
    yield lambda: os.sched_setaffinity(pid, {{0}})
    yield lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3))
    yield lambda: os.listdir(f"/proc/{{pid}}/fd")
for pid in ours:
    for number, attempt in enumerate(tries(pid)):
        try:
            attempt()
            print("DONE", pid, number)
        except OSError:
            pass
print(len(ours) >= 4, 1 in ours)
os.setpriority(os.PRIO_PROCESS, os.getpid(), 1)
"""
    assert (await python(sandbox, script)).stdout.all == b"True True\n"


async def test_i14_a_stop_to_everybody_reaches_no_file_work(sandbox: DockerSandbox) -> None:
    await sandbox.write(sandbox.root / "before", b"1")
    await shell(sandbox, "kill -STOP -1")
    with anyio.fail_after(5):
        await sandbox.write(sandbox.root / "after", b"2")
    owner = await shell(sandbox, "stat -c %u:%g before after")
    assert owner.stdout.all.split() == [f"{os.getuid()}:{os.getgid()}".encode()] * 2


async def test_the_file_helper_has_the_tools_rights_and_no_more(sandbox: DockerSandbox) -> None:
    await shell(sandbox, "echo x > closed; chmod 000 closed; echo x > fixed; chmod 444 fixed")
    with pytest.raises(FileError) as caught:
        await sandbox.read(PurePosixPath("/proc/1/environ"))
    assert caught.value.kind == "denied"
    for name in ("closed", "fixed"):
        with pytest.raises(FileError) as caught:
            await sandbox.write(sandbox.root / name, b"y")
        assert caught.value.kind == "denied"
    with pytest.raises(FileError):
        await sandbox.read(sandbox.root / "closed")
    assert await sandbox.read(sandbox.root / "fixed") == b"x\n"


async def test_a11_a_tool_that_empties_dev_harms_only_itself(sandbox: DockerSandbox) -> None:
    await shell(sandbox, "rm -rf /dev/null /dev/ptmx; mkfifo -m 666 /dev/null /dev/ptmx")
    for _ in range(3):
        assert (await shell(sandbox, "echo alive", timeout=5)).stdout.all == b"alive\n"
    assert (await python(sandbox, "import sys; print(repr(sys.stdin.read()))", timeout=5)).stdout.all == b"''\n"
    await shell(sandbox, "rm -rf /dev/null; ln -s /nowhere /dev/null")
    assert (await shell(sandbox, "echo alive", timeout=5)).stdout.all == b"alive\n"


async def test_i14_a_pipe_handed_to_an_earlier_call_does_not_keep_a_later_one(sandbox: DockerSandbox) -> None:
    daemon = """
import os, socket
server = socket.socket(socket.AF_UNIX)
server.bind("/tmp/s"); server.listen(1)
if os.fork():
    os._exit(0)
null = os.open("/dev/null", os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(null, number)
pipe = socket.recv_fds(server.accept()[0], 1, 1)[1][0]
for _ in range(3):
    os.fork()
while True:
    os.write(pipe, b"y" * 65536)
"""
    assert (await python(sandbox, daemon)).left_running == 1
    hand_over = """
import socket, time
client = socket.socket(socket.AF_UNIX)
client.connect("/tmp/s"); socket.send_fds(client, [b"x"], [1]); time.sleep(0.3)
"""
    result = await python(sandbox, hand_over, timeout=10)
    assert (result.exit_code, result.timed_out) == (0, False)
    assert result.seconds < 5


async def test_r17_survivors_that_flood_do_not_keep_their_call(sandbox: DockerSandbox) -> None:
    result = await shell(sandbox, "echo first; for i in 1 2 3 4; do yes & done; exit 3", timeout=20)
    assert (result.exit_code, result.timed_out, result.left_running) == (3, False, 4)
    assert result.stdout.head.startswith(b"first\n")
    assert result.seconds < 5


async def test_r09_a_listing_too_large_is_refused_and_the_session_goes_on(sandbox: DockerSandbox) -> None:
    script = "import os\nos.mkdir('/tmp/l')\nfor i in range(60000):\n"
    script += " os.close(os.open(b'/tmp/l/%06d' % i + b'\\xff' * 249, os.O_CREAT))"
    assert (await python(sandbox, script, timeout=60)).exit_code == 0
    with pytest.raises(FileError) as caught:
        await sandbox.list(PurePosixPath("/tmp/l"))
    assert caught.value.kind == "too-large"
    assert [entry.name for entry in await sandbox.list(sandbox.root)] == ["hello.txt", "src"]


async def test_a_cancelled_write_leaves_nothing_behind(sandbox: DockerSandbox) -> None:
    await sandbox.ready()
    with anyio.move_on_after(0.3) as scope:
        await sandbox.write(sandbox.root / "large", b"x" * 1_000_000_000)
    assert scope.cancelled_caught
    assert [entry.name for entry in await sandbox.list(sandbox.root)] == ["hello.txt", "src"]
    assert (await sandbox.freeze()).changes == ()


async def test_a_user_with_the_guests_own_uid_gets_a_guest_of_another(session: Session, engine: Engine) -> None:
    session.save(session.meta().model_copy(update={"uid": GUEST_ID, "gid": GUEST_ID}))
    async with opened(session, engine) as sandbox:
        script = f"{OTHERS}\nprint(os.getuid(), sorted(ours)[0])\nfor pid in ours: os.kill(pid, 9)"
        result = await python(sandbox, script)
        assert result.stdout.all == b"%d 1\n" % GUEST_ID
        assert b"PermissionError" in result.stderr.all


def test_what_a_dead_supervisor_leaves_is_ended_and_others_are_spared() -> None:
    """Mostly only the kernel can kill a supervisor (no memory left), so what follows is tried on a tree here."""
    script = "sleep 60 & setsid sleep 60 & sleep 0.1; echo started; wait"
    with ExitStack() as stack:
        spared, doomed = (
            stack.enter_context(subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)) for _ in range(2)
        )
        assert [tree.stdout.readline() for tree in (spared, doomed) if tree.stdout] == [b"started\n"] * 2
        assert len(descendants(doomed.pid)) == len(descendants(spared.pid)) == 2
        below = descendants(os.getpid(), {spared.pid})
        assert below >= {doomed.pid, *descendants(doomed.pid)}
        assert below.isdisjoint({spared.pid, *descendants(spared.pid)})
        assert kill_below(doomed.pid)
        assert doomed.wait(5) == 0
        assert spared.poll() is None
        kill_below(spared.pid)
        assert spared.wait(5) == 0
    assert not kill_below(doomed.pid)
