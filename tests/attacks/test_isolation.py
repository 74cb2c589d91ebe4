"""Group I of the attack list: out of the sandbox, into the host, into the guest. Every denial has its allowed twin."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from sandbox.base import Command
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable, FileError
from sandbox.opening import opened
from sandbox.profile import HOME
from sandbox.sessions import Session
from sandbox.toolbox import LAST
from tests.attacks.scene import modes, shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]
OWN_FILTER = pytest.mark.profiles("strict", "default", "egress")
HERE = PurePosixPath(HOME)
"""A folder that tools can write in every profile."""


async def said(sandbox: DockerSandbox, script: str) -> str:
    result = await shell(sandbox, script)
    return (result.stdout.all + result.stderr.all).decode(errors="replace")


@OWN_FILTER
async def test_i01_tools_hold_no_capability_of_any_set(sandbox: DockerSandbox) -> None:
    words = (await said(sandbox, "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status")).split()
    assert dict(zip(words[::2], words[1::2], strict=True)) == {
        **dict.fromkeys(("CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"), "0" * 16),
        "NoNewPrivs:": "1",
        "Seccomp:": "2",
    }


async def test_i02_a_setuid_copy_of_a_shell_gains_nothing(sandbox: DockerSandbox) -> None:
    who = "id -u; grep -h CapEff /proc/self/status"
    script = f"{who}; cd ~ && cp /bin/bash sb && chmod 6755 sb && ./sb -p -c '{who}'"
    words = (await said(sandbox, script)).split()
    assert words[:3] == words[3:]
    assert "nosuid,nodev" in await said(sandbox, f"grep -F ' {sandbox.root} ' /proc/self/mountinfo")


async def test_i04_no_engine_is_reachable_on_any_path(sandbox: DockerSandbox) -> None:
    assert await said(sandbox, "find / -type s 2>/dev/null") == ""
    assert "No such file" in await said(sandbox, "ls /var/run/docker.sock")
    probe = """
import socket
for host, port in [("172.17.0.1", 2375), ("192.168.65.7", 2375), ("127.0.0.1", 2375), ("169.254.169.254", 80)]:
    try:
        socket.create_connection((host, port), timeout=2)
        print("REACHED", host)
    except OSError as error:
        print("failed", host, error)
"""
    result = await sandbox.run(Command(["python3", "-c", probe], sandbox.root, timeout=30))
    assert result.stdout.all.count(b"failed ") == 4


async def test_i04_a_server_inside_is_reachable_from_inside(sandbox: DockerSandbox) -> None:
    script = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b"hello")).start()
print(socket.create_connection(server.getsockname()).recv(5))
"""
    result = await sandbox.run(Command(["python3", "-c", script], sandbox.root, timeout=30))
    assert result.stdout.all == b"b'hello'\n"


@OWN_FILTER
async def test_i05_nothing_of_the_host_is_mounted_but_what_is_listed(sandbox: DockerSandbox) -> None:
    lines = (await said(sandbox, "cut -d' ' -f4,5,6 /proc/self/mountinfo")).splitlines()
    mounts = {line.split()[1]: line.split()[2] for line in lines}
    kernel = ("/proc", "/dev", "/sys")
    ours = {place: options for place, options in mounts.items() if not place.startswith(kernel)}
    (last,) = (place for place in ours if place.startswith(f"{LAST}/"))
    closed = {"/", "/opt/paddock", last, "/etc", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"}
    ours.setdefault("/etc/resolv.conf", "ro")  # not every engine mounts one where there is no network
    assert set(ours) == {"/tmp", "/var/tmp", "/run", "/home/agent", str(sandbox.root)} | closed
    assert all(options.startswith("ro") for place, options in ours.items() if place in closed)
    shared = await said(sandbox, "grep -c shared: /proc/self/mountinfo")
    assert shared.strip() == "0"


@OWN_FILTER
async def test_i06_the_image_cannot_be_changed(sandbox: DockerSandbox) -> None:
    closed = "for d in /etc /usr/bin /lib /var/lib /root /opt; do touch $d/x && echo WROTE $d; done"
    assert "WROTE" not in await said(sandbox, closed)
    assert await said(sandbox, "touch /tmp/ok && echo fine") == "fine\n"


async def test_i07_the_kernels_switches_are_closed(sandbox: DockerSandbox) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    script = """
    echo x > /proc/sys/kernel/core_pattern; echo b > /proc/sysrq-trigger; echo x > /sys/kernel/uevent_helper
    mkdir /tmp/c; mount -t cgroup -o memory c /tmp/c && echo MOUNTED; mount -t tmpfs t /tmp/c && echo MOUNTED
    find /sys/fs/cgroup -name release_agent -writable 2>/dev/null | grep . && echo WRITABLE
    """
    answer = await said(sandbox, script)
    assert "MOUNTED" not in answer
    assert "WRITABLE" not in answer
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


async def test_i11_no_process_of_the_host_is_seen(sandbox: DockerSandbox) -> None:
    assert str(os.getpid()) not in (await said(sandbox, "ls /proc")).split()
    kinds = ("pid", "net", "ipc", "uts", "mnt", "cgroup")
    inside = (await said(sandbox, f"for k in {' '.join(kinds)}; do readlink /proc/self/ns/$k; done")).split()
    outside = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    assert len(inside) == len(kinds)
    shared = {kind for kind, one, other in zip(kinds, inside, outside, strict=True) if one == other}
    product = (await sandbox.ready()).engine.kind.product
    assert shared <= ({"cgroup"} if product == "Podman" else set())  # it makes none for groups of version 1


async def test_i12_devices_cannot_be_made_or_read(sandbox: DockerSandbox) -> None:
    answer = await said(sandbox, "mknod sda b 8 0 && echo MADE; mknod /tmp/mem c 1 1 && echo MADE; ls /dev")
    assert "MADE" not in answer
    devices = set(answer.split("\n")[-30:]) & {"sda", "mem", "kmem", "vda", "kvm", "fuse"}
    assert devices == set()


@pytest.mark.profiles("strict", "default", "egress", "build")
async def test_i14_the_guest_cannot_be_killed_or_spoken_for(sandbox: DockerSandbox) -> None:
    answer = await said(sandbox, "kill -9 1; kill -STOP 1; echo x > /proc/1/fd/1; kill -9 -1; echo still here")
    assert answer.count("not permitted") + answer.count("denied") >= 3
    assert await said(sandbox, "echo alive") == "alive\n"


async def test_i14_every_door_to_the_guest_is_closed_one_by_one(sandbox: DockerSandbox) -> None:
    script = """
import ctypes, os
for name in ("environ", "mem", "maps", "fd/0", "fd/1", "root/etc", "cwd/etc", "exe"):
    path = "/proc/1/" + name
    try:
        os.listdir(path) if name.endswith("etc") else open(path, "rb", buffering=0).read(1)
        print("OPEN", name)
    except OSError:
        pass
for pid in [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]:
    if ctypes.CDLL(None).ptrace(16, int(pid), 0, 0) == 0:
        print("TRACED", open("/proc/%s/cmdline" % pid).read())
print("done")
"""
    result = await sandbox.run(Command(["python3", "-c", script], sandbox.root))
    assert result.stdout.all == b"done\n"


@pytest.mark.profiles("strict", "default", "egress", "build")
@pytest.mark.parametrize("number", ["KILL", "STOP"])
async def test_i14_no_signal_reaches_the_file_helper(sandbox: DockerSandbox, number: str) -> None:
    await shell(sandbox, f"kill -{number} -1 & sleep 0.1", timeout=2)  # it stops itself as well
    await sandbox.write(HERE / "again", b"works")
    assert await sandbox.read(HERE / "again") == b"works"


@pytest.mark.root
async def test_a_file_helper_that_died_is_replaced(sandbox: DockerSandbox, engine: Engine) -> None:
    facts = engine.inspect((await sandbox.ready()).id)
    assert facts is not None
    [helper] = [
        int(pid)
        for pid in Path(f"/proc/{facts['State']['Pid']}/task/{facts['State']['Pid']}/children").read_text().split()
    ][:1]
    os.kill(helper, 9)
    with contextlib.suppress(FileError):  # the call that finds it dead may say so
        await sandbox.read(sandbox.root / "hello.txt")
    assert await sandbox.read(sandbox.root / "hello.txt") == b"hello\n"


@pytest.mark.profiles("default", "egress", "build", "compat")
async def test_own_children_can_be_traced(sandbox: DockerSandbox) -> None:
    script = """
import ctypes, os, signal
libc = ctypes.CDLL(None)
child = os.fork()
if child == 0:
    libc.ptrace(0, 0, 0, 0); os.kill(os.getpid(), signal.SIGSTOP); os._exit(5)
os.waitpid(child, 0); libc.ptrace(7, child, 0, 0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    result = await sandbox.run(Command(["python3", "-c", script], sandbox.root))
    assert result.stdout.all == b"5\n"


@pytest.mark.parametrize("cwd", ["/proc/self/fd/77", "nowhere", "link"])
async def test_i16_a_cwd_that_is_no_folder_inside_is_refused(sandbox: DockerSandbox, cwd: str) -> None:
    await shell(sandbox, "ln -s /proc/self/fd/88 link")
    with pytest.raises(FileError) as caught:
        await sandbox.run(Command(["pwd"], sandbox.root / cwd))
    assert caught.value.kind == "not-a-directory"


async def test_i16_a_cwd_that_climbs_stays_inside(sandbox: DockerSandbox) -> None:
    result = await sandbox.run(Command(["bash", "-c", "cd etc && cat hostname"], sandbox.root / "../../../../../../.."))
    assert result.stdout.all.strip() == b"sandbox"


async def test_i19_no_secret_of_the_host_is_anywhere_inside(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    canary = "CANARY-7f3a"
    monkeypatch.setenv("ANTHROPIC_API_KEY", canary)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", canary)
    (tmp_path / "above-the-checkout").write_text(canary)
    async with opened(session, engine) as sandbox:
        script = f"env | grep {canary}; cat /proc/*/environ 2>/dev/null | grep -a {canary}; "
        script += f"grep -rIl {canary} / --exclude-dir=proc --exclude-dir=sys 2>/dev/null | grep -v /proc/; echo looked"
        assert (await said(sandbox, script)) == "looked\n"
        [mine] = [one for one in engine.containers() if one.owner.session == session.id]
        assert canary not in json.dumps(engine.inspect(mine.id))


async def test_i19_whom_the_host_asks_for_names_and_its_domain_are_not_told(sandbox: DockerSandbox) -> None:
    lines = (await said(sandbox, "cat /etc/resolv.conf")).splitlines()
    told = {line for line in lines if line.startswith(("nameserver", "search", "domain"))}
    assert told <= {"nameserver 127.0.0.1"}  # Podman writes none at all


async def test_i22_without_an_engine_nothing_runs_anywhere(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(EngineUnavailable, match="nothing was run on the host"):
        Engine.connect()


async def test_i22_an_engine_that_stops_mid_session_is_never_replaced_by_the_host(
    session: Session, engine: Engine, tmp_path: Path
) -> None:
    mark = tmp_path / "HOSTMARK"
    async with opened(session, engine) as sandbox:
        container = await sandbox.ready()
        engine.remove(container.id)
        with pytest.raises(Exception, match="workspace is kept"):
            await sandbox.run(Command(["touch", str(mark)], sandbox.root))
    assert not mark.exists()


async def test_i24_links_and_fifos_lead_nowhere_on_the_host(sandbox: DockerSandbox) -> None:
    await shell(
        sandbox,
        "cd ~; ln -s /etc/hostname a; mkfifo p; ln -s /dev/zero z; ln -s /proc/self/environ e; ln -s /etc/passwd w",
    )
    assert (await sandbox.read(HERE / "a")).strip() == b"sandbox" != Path("/etc/hostname").read_bytes().strip()
    assert (await sandbox.read(HERE / "w")) != Path("/etc/passwd").read_bytes()
    for name in ("p", "z"):
        with pytest.raises(FileError, match="not a file"):
            await sandbox.read(HERE / name)


@OWN_FILTER
async def test_i26_the_engine_runs_what_we_asked_for(sandbox: DockerSandbox, engine: Engine) -> None:
    facts = engine.inspect((await sandbox.ready()).id)
    assert facts is not None
    host = facts["HostConfig"]
    if engine.kind.product == "Docker":  # Podman has its own words; what they come to, the guest says at its start
        assert (host["CapDrop"], set(host["CapAdd"])) == (["ALL"], {"SETUID", "SETGID", "KILL", "SETPCAP"})
    assert (host["Privileged"], host["NetworkMode"], host["PidMode"], host["IpcMode"]) == (
        False,
        "none",
        *modes(engine),
    )
    assert (host["ReadonlyRootfs"], host["AutoRemove"], host["Devices"] or []) == (True, True, [])
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["LogConfig"]["Type"] == "none"
    assert engine.kind.unlimited or min(host["Memory"], host["PidsLimit"], host["NanoCpus"]) > 0
    assert facts["Image"].startswith("sha256:")
    assert [mount["Destination"] for mount in facts["Mounts"] if mount["RW"]] == [str(sandbox.root)]
    assert not any("docker.sock" in json.dumps(mount) for mount in facts["Mounts"])


@pytest.fixture
def listener() -> Iterator[int]:
    """A service of the host, on every address."""
    server = socket.create_server(("0.0.0.0", 0), backlog=64)
    yield server.getsockname()[1]
    server.close()


async def test_n01_no_service_of_the_host_is_reached(sandbox: DockerSandbox, listener: int) -> None:
    found = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in found | {"127.0.0.1"}:
        socket.create_connection((address, listener), timeout=2).close()
        answer = await said(sandbox, f"timeout 2 bash -c '</dev/tcp/{address}/{listener}' && echo REACHED; echo tried")
        assert answer.startswith("tried\n")
        assert "REACHED" not in answer
