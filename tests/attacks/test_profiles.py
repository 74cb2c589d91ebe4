"""Every profile on the real engine: it may do what its name promises, and nothing beyond."""

import os
from pathlib import Path

import pytest

from sandbox.base import Command
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import CheckoutRefused, FileError
from sandbox.opening import opened
from sandbox.profile import CAPABILITIES, GUEST_CAPABILITIES, MIB, profile_of
from sandbox.sessions import Session
from tests.attacks.scene import ALL, BUILD, COMPAT, DEFAULT, EGRESS, STRICT, in_profiles, modes, shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def said(sandbox: DockerSandbox, script: str) -> str:
    result = await shell(sandbox, script)
    return (result.stdout.all + result.stderr.all).decode(errors="replace")


@in_profiles(*ALL)
async def test_i01_tools_hold_exactly_the_capabilities_of_their_profile(sandbox: DockerSandbox, choice: Choice) -> None:
    profile = profile_of(choice)
    words = (await said(sandbox, "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status")).split()
    facts = dict(zip(words[::2], words[1::2], strict=True))
    rights = f"{sum(1 << CAPABILITIES[name] for name in profile.capabilities):016x}"
    assert (facts["CapInh:"], facts["CapAmb:"]) == ("0" * 16, "0" * 16)
    assert {facts["CapPrm:"], facts["CapEff:"], facts["CapBnd:"]} == {rights}
    assert (facts["NoNewPrivs:"], facts["Seccomp:"]) == ("0" if choice == COMPAT else "1", "2")


@in_profiles(*ALL)
async def test_i02_tools_run_as_whom_the_profile_says(sandbox: DockerSandbox, choice: Choice) -> None:
    expected = {"strict": 65533, "build": 0, "compat": 0}.get(choice.profile, os.getuid())
    assert (
        await said(sandbox, "id -u; id -g; id -G; whoami >/dev/null && echo named") == f"{expected}\n" * 3 + "named\n"
    )


@in_profiles(*ALL)
async def test_i04_no_profile_has_a_network(sandbox: DockerSandbox) -> None:
    assert (await said(sandbox, "ls /sys/class/net")).split() == ["lo"]
    assert "REACHED" not in await said(sandbox, "timeout 2 bash -c '</dev/tcp/172.17.0.1/2375' && echo REACHED")


@in_profiles(*ALL)
async def test_i06_the_image_changes_only_where_that_is_thrown_away(session: Session, engine: Engine) -> None:
    is_open = profile_of(session.meta().choice).changes_image
    async with opened(session, engine) as sandbox:
        assert (await shell(sandbox, "touch /opt/x /usr/bin/x /etc/x")).exit_code == (0 if is_open else 1)
    async with opened(session, engine) as sandbox:
        assert (await shell(sandbox, "ls /opt/x /usr/bin/x /etc/x")).exit_code == 2


@in_profiles(*ALL)
async def test_i07_no_profile_opens_the_kernels_switches_or_mounts(sandbox: DockerSandbox) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    await shell(sandbox, "echo x > /proc/sys/kernel/core_pattern; echo x > /sys/kernel/uevent_helper")
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    assert "DONE" not in await said(sandbox, "mkdir /tmp/c; mount -t tmpfs t /tmp/c && echo DONE")
    assert "DONE" not in await said(sandbox, "mount --bind / /tmp/c && echo DONE; unshare -U id && echo DONE")


@in_profiles(*ALL)
async def test_i12_no_profile_makes_devices(sandbox: DockerSandbox) -> None:
    assert "MADE" not in await said(sandbox, "mknod /tmp/mem c 1 1 && echo MADE; mknod /tmp/sda b 8 0 && echo MADE")


@in_profiles(*ALL)
async def test_i14_no_profile_reads_or_traces_the_guest(sandbox: DockerSandbox, choice: Choice) -> None:
    script = """
import ctypes, os, sys
if sys.argv[1]:
    guest = int(next(line for line in open("/proc/1/status") if line.startswith("Uid")).split()[1])
    os.setresgid(guest, guest, guest)
    os.setresuid(guest, guest, guest)
for pid in [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]:
    for name in ("environ", "mem", "maps", "fd/0", "fd/1"):
        try:
            data = open("/proc/%s/%s" % (pid, name), "rb", buffering=0).read(1)
            if data or name[:2] == "fd":  # of one that just ends the rest can be opened, and holds nothing
                print("OPEN", pid, name)
        except OSError:
            pass
    if ctypes.CDLL(None).ptrace(16, int(pid), 0, 0) == 0:
        print("TRACED", pid)
print("done")
"""
    for masked in ("", "as the guest") if profile_of(choice).gains else ("",):
        result = await sandbox.run(Command(["python3", "-c", script, masked], sandbox.root))
        assert (result.stdout.all, result.stderr.all) == (b"done\n", b"")


@in_profiles(BUILD, COMPAT)
async def test_i14_a_tool_that_is_root_and_kills_all_it_can_ends_no_session(sandbox: DockerSandbox) -> None:
    killing = "import os; os.setresuid(65521, 65521, 65521); os.kill(-1, 9)"
    await sandbox.run(Command(["python3", "-c", killing], sandbox.root, timeout=5))
    await said(sandbox, "kill -9 1; kill -9 -1")
    await said(sandbox, "true")  # its processes were made ahead of time, and may be dead as well
    assert await said(sandbox, "echo alive") == "alive\n"


@in_profiles(*ALL)
async def test_i26_the_engine_holds_to_the_profile(sandbox: DockerSandbox, engine: Engine, choice: Choice) -> None:
    facts = engine.inspect((await sandbox.ready()).id)
    assert facts is not None
    host, profile = facts["HostConfig"], profile_of(choice)
    assert (host["Privileged"], host["NetworkMode"], host["PidMode"], host["IpcMode"]) == (
        False,
        "none",
        *modes(engine),
    )
    if engine.kind.product == "Docker":  # Podman has its own words; what they come to, the guest says at its start
        assert (host["CapDrop"], set(host["CapAdd"])) == (["ALL"], {*GUEST_CAPABILITIES, *profile.capabilities})
    if not engine.kind.unlimited:
        assert (host["Memory"], host["MemorySwap"]) == (profile.memory, profile.memory)
        assert (host["PidsLimit"], host["NanoCpus"]) == (profile.processes, int(profile.cpus * 1e9))
    assert host["ReadonlyRootfs"] != profile.changes_image
    assert ("no-new-privileges" in host["SecurityOpt"]) != profile.gains
    assert not any("unconfined" in option for option in host["SecurityOpt"])
    assert (host["Devices"] or [], host["AutoRemove"], host["LogConfig"]["Type"]) == ([], True, "none")


@in_profiles(DEFAULT, EGRESS, BUILD, COMPAT)
async def test_what_is_written_waits_at_the_gate(sandbox: DockerSandbox) -> None:
    await shell(sandbox, "echo one > by-a-command")
    await sandbox.write(sandbox.root / "by-a-tool", b"two")
    assert {change.path for change in (await sandbox.freeze()).pending} == {b"by-a-command", b"by-a-tool"}


@in_profiles(STRICT)
async def test_strict_writes_only_where_it_is_forgotten(sandbox: DockerSandbox) -> None:
    assert "neither" in await said(sandbox, "touch x || rm -f hello.txt || echo neither")
    with pytest.raises(FileError):
        await sandbox.write(sandbox.root / "x", b"")
    assert not (await sandbox.freeze()).pending
    assert await said(sandbox, "cp hello.txt ~ && cat ~/hello.txt") == "hello\n"


@in_profiles(STRICT)
async def test_strict_runs_what_it_wrote_only_from_its_home_folder(sandbox: DockerSandbox) -> None:
    runs = "for d in /tmp /var/tmp ~ /dev/shm; do cp /bin/true $d/t && $d/t && echo ran in $d; done"
    assert (await shell(sandbox, runs)).stdout.all == b"ran in /home/agent\n"


SYSTEM_CALLS = """
import ctypes, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
for name, number in (("ptrace", 101), ("memfd_create", 319), ("mq_unlink", 241), ("shmget", 29), ("tee", 276)):
    ctypes.set_errno(0)
    libc.syscall(number, 0, 0, 0, 0, 0)
    print(name, "closed" if ctypes.get_errno() == 1 else "open")
try:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()
    print("netlink open")
except PermissionError:
    print("netlink closed")
"""


@in_profiles(STRICT, DEFAULT)
async def test_i10_strict_closes_system_calls_that_default_has(sandbox: DockerSandbox, choice: Choice) -> None:
    result = await sandbox.run(Command(["python3", "-c", SYSTEM_CALLS], sandbox.root))
    state = "closed" if choice == STRICT else "open"
    names = ("ptrace", "memfd_create", "mq_unlink", "shmget", "tee", "netlink")
    assert result.stdout.all.decode().splitlines() == [f"{name} {state}" for name in names]


@in_profiles(STRICT)
async def test_strict_says_when_it_could_read_nothing(session: Session, engine: Engine, checkout: Path) -> None:
    checkout.chmod(0o700)
    async with opened(session, engine) as sandbox:
        with pytest.raises(CheckoutRefused, match="others may not read"):
            await sandbox.run(Command(["true"], sandbox.root))


PACKAGE = """
set -e
cd /tmp && mkdir -p p/DEBIAN p/opt && echo installed > p/opt/proof
printf 'Package: proof\\nVersion: 1\\nArchitecture: all\\nMaintainer: m <m@e.x>\\nDescription: d\\n' > p/DEBIAN/control
printf '#!/bin/sh\\nset -e\\nuseradd -r proof\\nchown proof /opt/proof\\n' > p/DEBIAN/postinst
chmod 755 p/DEBIAN/postinst
dpkg-deb -b p proof.deb > /dev/null
"""


@in_profiles(BUILD, COMPAT)
async def test_build_and_compat_install_packages(sandbox: DockerSandbox) -> None:
    install = "apt-get install -qq -y ./proof.deb >/dev/null && stat -c %U /opt/proof && su proof -s /bin/sh"
    result = await shell(sandbox, f"{PACKAGE}{install} -c 'id -un'")
    assert result.stdout.all == b"proof\nproof\n", result.stderr.all


@in_profiles(DEFAULT)
async def test_default_installs_no_package(sandbox: DockerSandbox) -> None:
    result = await shell(sandbox, f"{PACKAGE}dpkg -i proof.deb")
    assert result.exit_code != 0
    assert not (await shell(sandbox, "cat /opt/proof")).stdout.all


@in_profiles(BUILD, COMPAT)
async def test_a_setuid_program_adds_rights_in_compat_only(sandbox: DockerSandbox, choice: Choice) -> None:
    script = """
cp /bin/bash /opt/sb && chmod 4755 /opt/sb
python3 -c 'import os; os.setresuid(1000, 1000, 1000); os.execv("/opt/sb", ["sb", "-p", "-c", "id -u"])'
"""
    assert (await shell(sandbox, script)).stdout.all == (b"0\n" if choice == COMPAT else b"1000\n")


@pytest.mark.root
@in_profiles(BUILD)
async def test_what_root_wrote_is_the_users_own_afterwards(new_session, engine: Engine, checkout: Path) -> None:
    session: Session = new_session()
    os.chown(checkout, 12345, 12345)
    session.save(session.meta().model_copy(update={"uid": 12345, "gid": 12345}))
    async with opened(session, engine) as sandbox:
        made = (
            "mkdir -p d/e && echo x > d/e/f && chmod 600 d/e/f && ln -s /etc/passwd l && cp /bin/true s && chmod 4755 s"
        )
        assert (await shell(sandbox, made)).exit_code == 0
    owners = {path.name: path.lstat().st_uid for path in session.upper.rglob("*")}
    assert owners == dict.fromkeys(("d", "e", "f", "l", "s"), 12345)
    assert not (session.upper / "s").stat().st_mode & 0o6000
    assert Path("/etc/passwd").stat().st_uid == 0


@pytest.mark.parametrize("choice", [Choice(memory=200 * MIB, cpus=0.5, processes=40)], ids=["chosen"])
async def test_r01_chosen_limits_hold_in_place_of_the_profiles(sandbox: DockerSandbox) -> None:
    taking = "import mmap; mmap.mmap(-1, {} << 20, mmap.MAP_PRIVATE).write(b'x' * ({} << 20))"
    for size, code in ((300, 137), (20, 0)):
        result = await sandbox.run(Command(["python3", "-c", taking.format(size, size)], sandbox.root))
        assert result.exit_code == code
    forking = "import os\nn = 0\ntry:\n  while os.fork(): n += 1\nexcept OSError: print(n)"
    result = await sandbox.run(Command(["python3", "-c", forking], sandbox.root, timeout=20))
    assert 20 < int(result.stdout.all) < 40
