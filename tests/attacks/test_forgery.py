"""Tools that would be the guest, or end what it has running: what a call says of its end is never theirs to make."""

import anyio
import pytest

from sandbox.base import Command, ExecResult
from sandbox.docker_sandbox import DockerSandbox
from tests.attacks.scene import BUILD, COMPAT, DEFAULT, EGRESS, STRICT, in_profiles, shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

OURS = """
import ctypes, fcntl, os, resource, signal, sys, time
def fields(pid):
    return dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
GUEST = int(fields(1)["Uid"].split()[0])
def ours():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += [int(pid)] if fields(pid)["Uid"].split()[0] == str(GUEST) else []
        except OSError:
            pass
    return sorted(found)
libc = ctypes.CDLL(None, use_errno=True)
call = lambda *numbers: libc.syscall(*map(ctypes.c_long, numbers))
"""
SOME = "sleep 2; exit 7"
"""A call whose end the others in here would like to be another."""

BECOMING = f"""{OURS}
import mmap
HIGH, KEEP = 1 << 32, -1
machine = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# push rbx; mov eax, edi; mov ebx, esi; mov ecx, edx; mov edx, ecx (the caller's fourth); int 0x80; pop rbx; ret
machine.write(bytes.fromhex("53 89f8 89f3 89d1 89ca cd80 5b c3"))
address = ctypes.addressof(ctypes.c_char.from_buffer(machine))
old = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_long)(address)
def new_users():
    if libc.unshare(0x10000000):
        return
    open("/proc/self/uid_map", "w").write(f"0 {{GUEST}} 1")
ways = {{
    "setuid": lambda: call(105, GUEST),
    "setuid, its high half set": lambda: call(105, GUEST | HIGH),
    "setreuid, real": lambda: call(113, GUEST, KEEP),
    "setreuid, effective": lambda: call(113, KEEP, GUEST),
    "setresuid, real": lambda: call(117, GUEST, KEEP, KEEP),
    "setresuid, effective": lambda: call(117, KEEP, GUEST, KEEP),
    "setresuid, saved": lambda: call(117, KEEP, KEEP, GUEST),
    "setresuid, all": lambda: call(117, GUEST, GUEST, GUEST),
    "setresuid, all, their high halves set": lambda: call(117, *[GUEST | HIGH] * 3),
    "setfsuid": lambda: call(122, GUEST),
    "setresuid of x32": lambda: call(117 | 0x40000000, GUEST, GUEST, GUEST),
    "setuid of 32 bits": lambda: old(213, GUEST, 0),
    "setreuid of 32 bits": lambda: old(203, GUEST, GUEST),
    "setfsuid of 32 bits": lambda: old(215, GUEST, 0),
    "setuid of 16 bits": lambda: old(23, GUEST, 0),
    "a user namespace of its own": new_users,
}}
for name, way in ways.items():
    if os.fork() == 0:
        try:
            way()
            print("BECAME" if str(GUEST) in fields("self")["Uid"].split() else "tried", name, flush=True)
        finally:
            os._exit(0)
    os.wait()
"""


@in_profiles(BUILD)
async def test_i14_no_way_of_becoming_another_user_leads_to_the_guests(sandbox: DockerSandbox) -> None:
    result = await python(sandbox, BECOMING)
    said = result.stdout.all.decode().splitlines()
    assert (len(said), [line for line in said if not line.startswith("tried ")]) == (16, []), result.stderr.all
    others = "import os; os.setresgid(7, 8, 9); os.setresuid(7, 65534, 9); print(os.getresuid(), os.getresgid())"
    assert (await python(sandbox, others)).stdout.all == b"(7, 65534, 9) (7, 8, 9)\n"


KILLING = f"""{OURS}
def asked(pid, number, command=10):  # the kernel sends what a file's owner is to be told, and root may name anybody
    reader, writer = os.pipe()
    call(72, reader, 8, pid)
    call(72, reader, command, number)
    call(72, reader, 4, os.O_RDONLY | os.O_ASYNC | os.O_NONBLOCK)
    os.write(writer, b"x")
def became(pid, number):
    if os.fork() == 0:
        try:
            os.setresuid(GUEST, GUEST, GUEST)
            os.kill(pid, number)
        finally:
            os._exit(0)
    os.wait()
def limited(pid):
    if os.fork() == 0:
        try:
            os.setresuid(GUEST, GUEST, GUEST)
            resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1))
        finally:
            os._exit(0)
    os.wait()
time.sleep(0.5)
sys.stderr = open("/dev/null", "w")
before = ours()
for pid in before:
    for way in (
        lambda: os.kill(pid, NUMBER), lambda: asked(pid, NUMBER), lambda: asked(pid, NUMBER, 10 | 1 << 32),
        lambda: asked(pid, 0), lambda: became(pid, NUMBER), lambda: limited(pid),
    ):
        try:
            way()
        except OSError:
            pass
time.sleep(0.3)
print(len(before) >= 4, set(before) - set(ours()), {{fields(pid)["State"].split()[0] for pid in ours()}} & set("TZ"))
"""


@pytest.mark.parametrize("number", [9, 19, *(pytest.param(one, marks=pytest.mark.slow) for one in (10, 15, 34, 64))])
@in_profiles(STRICT, DEFAULT, EGRESS, BUILD)
async def test_i14_no_process_of_ours_can_be_ended_or_stopped(sandbox: DockerSandbox, number: int) -> None:
    result, attack = await beside(sandbox, SOME, KILLING.replace("NUMBER", str(number)))
    assert attack.stdout.all == b"True set() set()\n", attack.stderr.all
    assert (result.exit_code, result.signal, result.is_unwatched) == (7, None, False)


@in_profiles(DEFAULT, BUILD)
async def test_a_tool_is_told_of_its_own_files_by_a_signal(sandbox: DockerSandbox) -> None:
    script = """
import fcntl, os, signal
told = []
signal.signal(signal.SIGIO, lambda *_: told.append(True))
reader, writer = os.pipe()
fcntl.fcntl(reader, fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
os.write(writer, b"x")
print(told)
"""
    assert (await python(sandbox, script)).stdout.all == b"[True]\n"


@in_profiles(BUILD, COMPAT)
async def test_i14_nobody_names_the_guest_for_the_next_oom(sandbox: DockerSandbox) -> None:
    for name in ("oom_score_adj", "oom_adj", "autogroup", "task/1/oom_score_adj"):
        assert b"Read-only" in (await shell(sandbox, f"echo 1000 > /proc/1/{name}")).stderr.all
    assert (await shell(sandbox, "echo 900 > /proc/self/oom_score_adj && cat /proc/self/oom_score_adj")).exit_code == 0


@in_profiles(COMPAT)
@pytest.mark.parametrize("number", [9, 10])
async def test_i14_who_kills_what_watches_a_call_makes_its_end_unknown(sandbox: DockerSandbox, number: int) -> None:
    others = "[pid for pid in ours()[1:] if pid != os.getppid()]"  # else the first to go may be who watches the attack
    killing = f"{OURS}\ntime.sleep(0.5)\nfor pid in {others}: os.kill(pid, {number})"
    result, _ = await beside(sandbox, "sleep 20; exit 0", killing)
    assert (result.exit_code, result.signal, result.is_unwatched) == (137, None, True)
    assert (await shell(sandbox, "echo alive")).stdout.all == b"alive\n"


@in_profiles(COMPAT)
async def test_i14_who_stops_what_watches_a_call_does_not_keep_it(sandbox: DockerSandbox) -> None:
    stopping = f"{OURS}\ntime.sleep(0.5)\nfor pid in ours()[1:]: os.kill(pid, 19)"
    result, _ = await beside(sandbox, SOME, stopping)
    assert (result.exit_code, result.timed_out, result.is_unwatched) == (7, False, False)
    await sandbox.write(sandbox.root / "after", b"2")
    result, attack = await beside(sandbox, "sleep 60", stopping, timeout=3)
    assert result.timed_out
    assert not attack.timed_out  # what was to become this call's program was stopped, too, while it waited for it


async def python(sandbox: DockerSandbox, script: str) -> ExecResult:
    return await sandbox.run(Command(["python3", "-c", script], sandbox.root, timeout=30))


async def beside(
    sandbox: DockerSandbox, script: str, attack: str, timeout: float = 30
) -> tuple[ExecResult, ExecResult]:
    """How a call and an attack that runs beside it end."""
    found: list[ExecResult] = []
    async with anyio.create_task_group() as tasks:

        async def called() -> None:
            found.append(await shell(sandbox, script, timeout))

        tasks.start_soon(called)
        attacked = await python(sandbox, attack)
    return found[0], attacked
