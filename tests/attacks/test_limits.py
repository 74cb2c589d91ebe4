"""Group II of the attack list, the limits by name: what is reached is said, and the session goes on."""

import os
import signal
from pathlib import Path, PurePosixPath

import anyio
import pytest

from sandbox.base import Command, ExecResult
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import FileError, SandboxLost
from sandbox.guest.limits import SCRATCH
from sandbox.labels import Owner
from sandbox.limits import LimitReached
from sandbox.profile import GIB, MIB, User, profile_of, request
from tests.attacks.scene import Limited, shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


GREEDY = "data = bytearray()\nwhile True: data += b'x' * 2**24"
CHILD = f'python3 -c "{GREEDY}"'
BOMB = ":(){ :|:& };:"
HOLD = """
import os, time
try:
    while True:
        if os.fork() == 0:
            time.sleep(600)
except OSError:
    print("full", flush=True)
time.sleep(600)
"""
LIBC = "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.shmat.restype = ctypes.c_void_p\n"
SEGMENTS = f"""{LIBC}
for _ in range(20):
    segment = libc.shmget(0, 2**24, 0o1600)
    if segment < 0:
        break
    ctypes.memset(libc.shmat(segment, None, 0), 1, 2**24)
"""
QUEUES = f"""{LIBC}
letter = ctypes.create_string_buffer(8192)
letter[0] = b"x"
while (queue := libc.msgget(0, 0o1600)) >= 0:
    while libc.msgsnd(queue, letter, 8000, 0o4000) == 0:
        pass
"""
SEMAPHORES = f"""{LIBC}
while libc.semget(0, 32000, 0o1600) >= 0 or libc.semget(0, 250, 0o1600) >= 0:
    pass
"""
TAKE_ALL = """
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        print("full", flush=True)
        time.sleep(0.01)
"""
NAMES = """
import os, sys
try:
    for number in range(10**6):
        os.close(os.open(f"{sys.argv[1]}/{number}", os.O_CREAT | os.O_WRONLY))
except OSError:
    pass
"""


async def goes_on(sandbox: DockerSandbox) -> ExecResult:
    """The next call, which works, and comes to its end within the five seconds a session may take to recover."""
    with anyio.fail_after(5):
        result = await shell(sandbox, "ls | cat >/dev/null; echo alive")
    assert (result.exit_code, result.stdout.all) == (0, b"alive\n")
    return result


def said(result: ExecResult) -> list[str]:
    return [str(limit) for limit in result.limits]


async def test_r04_memory_that_runs_out_is_said_by_name(limited: Limited) -> None:
    async with limited(Choice(memory=256 * MIB)) as sandbox:
        result = await sandbox.run(Command(["python3", "-c", GREEDY], sandbox.root, timeout=60))
        assert (result.exit_code, result.limits) == (137, (LimitReached("memory", 256 * MIB),))
        assert said(result) == ["memory limit 256 MiB reached"]
        assert (await goes_on(sandbox)).limits == ()


async def test_r04_memory_that_runs_out_in_a_child_is_said_although_the_command_ends_well(limited: Limited) -> None:
    async with limited(Choice(memory=256 * MIB)) as sandbox:
        result = await shell(sandbox, f"{CHILD}; exit 0")
        assert (result.exit_code, said(result)) == (0, ["memory limit 256 MiB reached"])


async def test_r04_of_many_hungry_processes_none_of_ours_dies(limited: Limited) -> None:
    async with limited(Choice(memory=128 * MIB)) as sandbox:
        small = "data = bytearray(4 * 2**20); import time; time.sleep(60)"
        for _ in range(2):
            result = await shell(sandbox, f"for i in $(seq 60); do python3 -c '{small}' & done; wait", timeout=4)
            assert said(result) == ["memory limit 128 MiB reached"]
            await goes_on(sandbox)


async def test_r04_who_has_our_own_part_killed_for_memory_loses_its_sandbox_and_is_told_why(limited: Limited) -> None:
    small = "open('/proc/self/oom_score_adj', 'w').write('500'); data = bytearray(2**21); import time; time.sleep(60)"
    script = f'echo 500 > /proc/$$/oom_score_adj; for i in $(seq 80); do python3 -S -c "{small}" & done; wait'
    async with limited(Choice(memory=128 * MIB)) as sandbox:
        with pytest.raises(SandboxLost, match="the memory limit was reached, and the sandbox ended"):
            for _ in range(20):
                await shell(sandbox, script, timeout=5)
        await goes_on(sandbox)


async def test_r04_a_full_scratch_folder_is_said_by_name_and_can_be_emptied(limited: Limited) -> None:
    async with limited(Choice(memory=512 * MIB)) as sandbox:
        for folder, most in (("/tmp", 128), ("/var/tmp", 32), ("/dev/shm", 32), ("/home/agent", 128)):
            result = await shell(sandbox, f"dd if=/dev/zero of={folder}/z bs=1M")
            assert result.exit_code == 1
            assert said(result) == [f"{folder} is full ({most} MiB)"]
        result = await shell(sandbox, "rm /tmp/z /var/tmp/z /dev/shm/z ~/z && echo gone")
        assert (result.stdout.all, result.limits) == (b"gone\n", ())


async def test_r04_with_every_scratch_folder_full_of_files_and_of_names_commands_still_run(limited: Limited) -> None:
    async with limited(Choice(memory=256 * MIB)) as sandbox:
        for folder in SCRATCH:
            await sandbox.run(Command(["python3", "-c", NAMES, folder], sandbox.root, timeout=60))
            await shell(sandbox, f"dd if=/dev/zero of={folder}/0 bs=1M")
        await goes_on(sandbox)
        result = await sandbox.run(Command(["python3", "-c", GREEDY], sandbox.root, timeout=60))
        (limit,) = result.limits
        assert str(limit).startswith("memory limit 256 MiB reached: of it lie 64 MiB in /tmp and 16 MiB in /var/tmp")
        emptied = await shell(sandbox, "find /tmp /var/tmp /dev/shm ~ -xdev -type f -delete && echo x > /tmp/x")
        assert (emptied.exit_code, emptied.limits) == (0, ())


async def test_r04_a_write_that_meets_a_full_folder_says_which(limited: Limited) -> None:
    async with limited(Choice(memory=512 * MIB)) as sandbox:
        await shell(sandbox, "dd if=/dev/zero of=/var/tmp/z bs=1M")
        with pytest.raises(FileError, match=r"/var/tmp/new: /var/tmp is full \(32 MiB\)"):
            await sandbox.write(PurePosixPath("/var/tmp/new"), b"x" * MIB)


async def test_r04_no_memory_outlives_whoever_took_it(limited: Limited) -> None:
    async with limited(Choice(memory=256 * MIB)) as sandbox:
        for script in (SEGMENTS, QUEUES, SEMAPHORES):
            await sandbox.run(Command(["python3", "-c", script], sandbox.root, timeout=60))
            await goes_on(sandbox)
        large = "data = bytearray(160 * 2**20)"
        assert (await sandbox.run(Command(["python3", "-c", large], sandbox.root))).exit_code == 0


async def test_r04_no_folder_in_memory_takes_names_without_end(limited: Limited) -> None:
    async with limited(Choice(memory=256 * MIB)) as sandbox:
        mounted = await shell(sandbox, "awk '$3 == \"tmpfs\" {print $2}' /proc/self/mounts")
        folders = mounted.stdout.all.decode().split()
        assert {"/dev", "/run", *SCRATCH} <= set(folders)
        for folder in folders:
            filled = await sandbox.run(Command(["python3", "-c", NAMES, folder], sandbox.root, timeout=60))
            assert filled.exit_code == 0, (folder, filled)
        await goes_on(sandbox)


async def test_r01_a_bomb_left_running_makes_way_for_the_next_call_which_says_so(limited: Limited) -> None:
    async with limited(Choice(processes=128)) as sandbox:
        await shell(sandbox, f"({BOMB}) 2>/dev/null &")
        await anyio.sleep(1)
        result = await goes_on(sandbox)
        (limit,) = result.limits
        assert (limit.name, limit.most) == ("processes", 128)
        assert "that earlier commands had left running were ended to make room" in str(limit)
        assert (await goes_on(sandbox)).limits == ()
        assert await sandbox.running() == 0


async def test_r01_a_bomb_never_holds_more_processes_than_the_limit(limited: Limited) -> None:
    async with limited(Choice(processes=128)) as sandbox:
        most = "cat /sys/fs/cgroup/pids/pids.peak /sys/fs/cgroup/pids.peak 2>/dev/null"
        assert (await shell(sandbox, f"{BOMB} 2>/dev/null; sleep 30", timeout=1)).timed_out
        assert int((await shell(sandbox, most)).stdout.all) <= 128


async def test_r02_a_command_that_meets_the_process_limit_is_told_its_name(limited: Limited) -> None:
    async with limited(Choice(processes=64)) as sandbox:
        bomb = "import os, time\nwhile True:\n try: os.fork()\n except OSError: time.sleep(0.01)"
        result = await sandbox.run(Command(["python3", "-c", bomb], sandbox.root, timeout=2))
        assert (result.timed_out, said(result)) == (True, ["process limit 64 reached"])
        assert (await goes_on(sandbox)).limits == ()


async def test_r02_processes_of_a_call_that_still_runs_make_way_for_nobody(limited: Limited) -> None:
    async with limited(Choice(processes=64)) as sandbox, anyio.create_task_group() as tasks:
        full = anyio.Event()
        tasks.start_soon(sandbox.run, Command(["python3", "-c", HOLD], sandbox.root), lambda *_: full.set())
        await full.wait()
        for _ in range(2):
            with anyio.fail_after(5):
                result = await sandbox.run(Command(["bash", "-c", "exec ls | cat"], sandbox.root, timeout=1))
            assert said(result) == ["process limit 64 reached"]
            assert result.exit_code != 0
        tasks.cancel_scope.cancel()


@pytest.mark.root  # it kills our own part from outside, as the kernel does when memory runs out
async def test_r02_where_no_process_is_left_for_our_own_part_the_guest_lives_and_says_so(
    limited: Limited, engine: Engine
) -> None:
    async with limited(Choice(processes=64)) as sandbox:
        async with anyio.create_task_group() as tasks:
            full = anyio.Event()
            tasks.start_soon(sandbox.run, Command(["python3", "-c", TAKE_ALL], sandbox.root), lambda *_: full.set())
            await full.wait()
            guest = (engine.inspect((await sandbox.ready()).id) or {})["State"]["Pid"]
            helper, *_ = Path(f"/proc/{guest}/task/{guest}/children").read_text().split()  # the first it forked
            os.kill(int(helper), signal.SIGKILL)
            await anyio.sleep(0.5)  # its place is taken
            with pytest.raises(FileError, match="process limit 64 reached: end what runs"):
                await sandbox.read(sandbox.root / "hello.txt")
            tasks.cancel_scope.cancel()
        assert await sandbox.read(sandbox.root / "hello.txt") == b"hello\n"


async def test_what_earlier_calls_left_running_is_spared_while_there_is_room(sandbox: DockerSandbox) -> None:
    await shell(sandbox, "for i in $(seq 100); do sleep 600 & done")
    assert (await goes_on(sandbox)).limits == ()
    assert await sandbox.running() == 100


def test_files_in_memory_never_take_all_of_it() -> None:
    for memory in (64 * MIB, 256 * MIB, 1 * GIB, 4 * GIB, 64 * GIB):
        profile = profile_of(Choice(memory=memory))
        files = profile.temporary + profile.variable + profile.home + profile.shared_memory
        names = 3 * min(200_000, memory // (20 * 1024)) * 1200
        assert files + names <= memory * 13 // 16


@pytest.mark.parametrize("count", [1, 3, 200])
def test_folders_that_an_image_asks_for_share_what_one_may_take(count: int) -> None:
    profile = profile_of(Choice(memory=1 * GIB))
    wanted = [f"/data/{number}" for number in range(count)]
    user, owner = User(1000, 1000), Owner.of("s")
    asked = request(profile, image="i", volumes=wanted, entrypoint=[], mounts=[], user=user, owner=owner)
    folders = asked["HostConfig"]["Tmpfs"]
    sizes = [int(folders[name].split("size=")[1].split(",")[0]) for name in wanted]
    assert 0 < sum(sizes) <= profile.variable


def test_the_guest_and_the_host_mean_the_same_folders() -> None:
    assert set(SCRATCH) <= set(profile_of(Choice()).most())
