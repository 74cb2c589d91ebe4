"""Group II of the attack list: floods, bombs and processes that will not die. The session goes on."""

import resource
import time
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import anyio
import pytest

from images.image import Image
from sandbox.base import Command
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.opening import opened, prepare
from sandbox.profile import HOME, profile_of
from sandbox.sessions import Session, Sessions
from tests.attacks.scene import shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]
HERE = PurePosixPath(HOME)


async def assert_alive(sandbox: DockerSandbox) -> None:
    began = time.monotonic()
    assert (await shell(sandbox, "echo alive")).stdout.all == b"alive\n"
    assert time.monotonic() - began < 5


async def test_r02_a_fork_bomb_meets_the_process_limit_and_the_session_goes_on(sandbox: DockerSandbox) -> None:
    bomb = "import os, time\nwhile True:\n try: os.fork()\n except OSError: time.sleep(0.01)"
    result = await sandbox.run(Command(["python3", "-c", bomb], sandbox.root, timeout=2))
    assert result.timed_out
    await assert_alive(sandbox)


async def test_r02_when_no_process_is_left_the_caller_is_told(sandbox: DockerSandbox) -> None:
    holders = "(while :; do sleep 30 & done) 2>/dev/null; echo full; exec sleep 20"  # dash, which gives up at once
    full = anyio.Event()
    results = []

    def see(_stream: str, data: bytes) -> None:
        if b"full" in data:
            full.set()

    async def use_two_more() -> None:
        results.append(await sandbox.run(Command(["sleep", "1"], sandbox.root, timeout=10)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sandbox.run, Command(["dash", "-c", holders], sandbox.root, timeout=15), see)
        with anyio.fail_after(10):
            await full.wait()
        async with anyio.create_task_group() as callers:
            for _ in range(8):
                callers.start_soon(use_two_more)
        tasks.cancel_scope.cancel()
    refused = [result for result in results if result.exit_code]
    assert refused
    for result in refused:
        assert (result.exit_code, result.signal, result.is_unwatched) == (126, None, False)
        assert result.stderr.all == b"sleep: process limit reached\n"
    await assert_alive(sandbox)


@pytest.mark.profiles("default", "egress")
async def test_r04_scratch_folders_are_bounded(sandbox: DockerSandbox) -> None:
    result = await shell(sandbox, "df --output=size -k /tmp /home/agent /dev/shm /run | tail -4")
    assert [int(size) for size in result.stdout.all.split()] == [1048576, 1048576, 262144, 16384]


async def test_r04_memory_is_bounded(sandbox: DockerSandbox, choice: Choice) -> None:
    result = await shell(
        sandbox, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
    )
    assert 0 < int(result.stdout.all.split()[0]) <= profile_of(choice).memory


@pytest.mark.parametrize(
    "flood",
    [
        "yes | head -c 80000000",
        "head -c 80000000 /dev/zero | tr '\\0' a",
        "yes | head -c 40000000 >&2; yes | head -c 40000000",
    ],
    ids=["lines", "one line", "both streams"],
)
async def test_r10_r11_r12_a_flood_of_output_is_bounded_here(sandbox: DockerSandbox, flood: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await shell(sandbox, flood)
    assert result.exit_code == 0
    total = sum(len(output.all) + output.omitted for output in (result.stdout, result.stderr))
    assert total == 80_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # kilobytes


async def test_r10_endless_output_ends_with_the_timeout(sandbox: DockerSandbox) -> None:
    result = await shell(sandbox, "cat /dev/zero", timeout=1)
    assert result.timed_out
    await assert_alive(sandbox)


async def test_r15_no_setsid_child_outlives_a_timeout(sandbox: DockerSandbox) -> None:
    script = "setsid nohup sh -c 'while :; do date >> ~/hb; sleep 0.05; done' & sleep 60"
    assert (await shell(sandbox, script, timeout=1)).timed_out
    first = await sandbox.read(HERE / "hb")
    await anyio.sleep(0.5)
    assert await sandbox.read(HERE / "hb") == first


async def test_r16_a_chain_that_forks_into_new_sessions_is_caught(sandbox: DockerSandbox) -> None:
    chain = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
    open("/home/agent/beat", "a").write("x")
"""
    result = await shell(sandbox, f"python3 -c '{chain}' & sleep 60", timeout=1)
    assert result.timed_out
    first = await sandbox.read(HERE / "beat")
    await anyio.sleep(0.5)
    assert await sandbox.read(HERE / "beat") == first
    await assert_alive(sandbox)


async def test_r19_a_stopped_process_meets_the_deadline_too(sandbox: DockerSandbox) -> None:
    assert (await shell(sandbox, "kill -STOP $$", timeout=1)).timed_out
    await assert_alive(sandbox)


async def test_r22_a_crash_leaves_no_core_file(sandbox: DockerSandbox) -> None:
    assert (await shell(sandbox, "ulimit -c unlimited; bash -c 'kill -SEGV $$'; exit 0")).exit_code == 0
    assert not [entry.name for entry in await sandbox.list(sandbox.root) if "core" in entry.name]


WATCHES = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
while libc.inotify_init() >= 0:
    pass
raise OSError(ctypes.get_errno(), "no more")
"""


@dataclass(frozen=True)
class Held:
    """What a sandbox holds, here and inside. `memory` is that of the guest and ours, in kilobytes."""

    descriptors: int
    guests_descriptors: int
    threads: int
    guests_threads: int
    processes: int
    containers: int
    memory: int


async def held(sandbox: DockerSandbox, session: Session, engine: Engine) -> Held:
    (container,) = [one.id for one in engine.containers() if one.owner.session == session.id]
    guest = Path(f"/proc/{(engine.inspect(container) or {})['State']['Pid']}")
    inside = await shell(sandbox, "sleep 0.5; set -- /proc/[0-9]*; echo $#")  # meanwhile the next crew is forked
    return Held(
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        guests_descriptors=len(list((guest / "fd").iterdir())),
        threads=status(Path("/proc/self"), "Threads"),
        guests_threads=status(guest, "Threads"),
        processes=int(inside.stdout.all),
        containers=len([one for one in engine.containers() if one.owner.session == session.id]),
        memory=status(Path("/proc/self"), "VmRSS") + status(guest, "VmRSS"),
    )


def status(process: Path, field: str) -> int:
    (line,) = [line for line in (process / "status").read_text().splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1])


@pytest.mark.root  # it looks at what the guest has open
@pytest.mark.parametrize(
    "count", [500, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])], ids=["500", "10000"]
)
async def test_r24_many_calls_leak_nothing(
    sandbox: DockerSandbox, session: Session, engine: Engine, count: int
) -> None:
    for _ in range(100):
        await sandbox.run(Command(["true"], sandbox.root))
        await sandbox.read(sandbox.root / "hello.txt")
    before = await held(sandbox, session, engine)
    for number in range(count):
        await sandbox.run(Command(["true"], sandbox.root, stdin=b"x" if number % 7 == 0 else None))
        if number % 10 == 0:
            await sandbox.read(sandbox.root / "hello.txt")
    after = await held(sandbox, session, engine)
    assert after == replace(before, memory=after.memory, threads=min(before.threads, after.threads))
    assert after.memory - before.memory < 4096


async def test_r26_what_a_command_is_given_arrives_whole_and_needs_no_taker(sandbox: DockerSandbox) -> None:
    data = bytes(50 * 1024 * 1024)
    counted = await sandbox.run(Command(["wc", "-c"], sandbox.root, stdin=data, timeout=60))
    assert counted.stdout.all.split() == [b"52428800"]
    for ignoring in ("true", "sleep 0.3", "exec 0<&-; sleep 0.3", "head -c 1 >/dev/null"):
        result = await sandbox.run(Command(["bash", "-c", ignoring], sandbox.root, stdin=data, timeout=30))
        assert (result.exit_code, result.timed_out) == (0, False)
    await assert_alive(sandbox)


async def test_r20_a_hundred_busy_loops_get_no_more_than_their_share(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    chosen = Choice(cpus=0.5)
    session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=chosen)
    async with opened(session, engine) as sandbox:
        loops = """
import os, time
began = time.monotonic()
for _ in range(64):
    if os.fork() == 0:
        while time.monotonic() < began + 3:
            pass
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
spent = os.times()
print((spent.children_user + spent.children_system) / (time.monotonic() - began))
"""
        result = await sandbox.run(Command(["python3", "-c", loops], sandbox.root, timeout=60))
    assert 0 < float(result.stdout.all) < 0.75


@pytest.mark.parametrize(
    "hoard",
    [
        "import os\nwhile True: os.open('/dev/null', os.O_RDONLY)",
        "import os\nwhile True: os.pipe()",
        "import socket\nkept = []\nwhile True: kept.append(socket.socket(socket.AF_UNIX))",
        WATCHES,
    ],
    ids=["files", "pipes", "sockets", "watches"],
)
async def test_r21_a_process_that_opens_all_it_can_takes_nothing_from_the_next(
    sandbox: DockerSandbox, hoard: str
) -> None:
    assert (await shell(sandbox, "ulimit -Hn")).stdout.all == b"8192\n"
    result = await sandbox.run(Command(["python3", "-c", hoard], sandbox.root, timeout=60))
    assert b"[Errno 24]" in result.stderr.all
    await assert_alive(sandbox)
    await sandbox.write(HERE / "new", b"x")


async def test_r27_orphans_are_reaped(sandbox: DockerSandbox) -> None:
    await shell(sandbox, "for i in $(seq 300); do (true &) ; done; sleep 0.2")
    await anyio.sleep(0.3)
    result = await shell(sandbox, "grep -lE '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l")
    assert int(result.stdout.all) == 0


async def test_r10_nothing_is_lost_when_the_host_is_slow(sandbox: DockerSandbox) -> None:
    """The process ends with its pipe full and the host's credit used up."""

    def dawdle(stream: str, data: bytes) -> None:
        time.sleep(0.001)

    for size in (600_000, 1_100_000, 3_000_000):
        command = Command(["head", "-c", str(size), "/dev/zero"], sandbox.root, timeout=60)
        result = await sandbox.run(command, dawdle)
        assert len(result.stdout.all) + result.stdout.omitted == size


async def test_r25_many_calls_in_a_row_lose_nothing(sandbox: DockerSandbox) -> None:
    for number in range(150):
        result = await sandbox.run(Command(["echo", str(number)], sandbox.root))
        assert (result.exit_code, result.stdout.all, result.stderr.all) == (0, b"%d\n" % number, b"")
