"""Group I, the entrances: other ways into the kernel, the runtime's own file, and what the engine is ever asked."""

import contextlib
import hashlib
import json
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import docker
import pytest
import requests

from sandbox.base import Command
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import FileError
from sandbox.opening import opened
from sandbox.profile import GUEST_CAPABILITIES
from sandbox.sessions import Session

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def said(sandbox: DockerSandbox, script: str) -> str:
    result = await sandbox.run(Command(["bash", "-c", script], sandbox.root, timeout=60))
    return (result.stdout.all + result.stderr.all).decode(errors="replace")


@pytest.mark.profiles("default", "egress")
async def test_i09_odd_sockets_are_refused_and_plain_ones_are_not(sandbox: DockerSandbox) -> None:
    script = """
import socket
for family, kind in [(38, 5), (40, 1), (17, 3), (socket.AF_UNIX, 1), (socket.AF_INET, 1), (socket.AF_INET6, 2)]:
    try:
        socket.socket(family, kind).close()
        print(family, "open")
    except OSError:
        print(family, "closed")
"""
    result = await sandbox.run(Command(["python3", "-c", script], sandbox.root))
    assert result.stdout.all.decode().split() == [
        *("38", "closed", "40", "closed", "17", "closed"),
        *("1", "open", "2", "open", "10", "open"),
    ]


async def test_i10_no_new_namespace(sandbox: DockerSandbox) -> None:
    assert "uid=" not in await said(sandbox, "unshare -Ur id")
    assert "uid=" not in await said(sandbox, "unshare -n id")
    assert "uid=" in await said(sandbox, "id")


@pytest.mark.profiles("strict", "default", "egress")
async def test_i10_io_uring_and_keyrings_are_closed(sandbox: DockerSandbox) -> None:
    script = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for number in (425, 248, 250, 321, 298, 323):  # io_uring_setup add_key keyctl bpf perf_event_open userfaultfd
    print(libc.syscall(number, 0, 0, 0, 0, 0), ctypes.get_errno())
"""
    result = await sandbox.run(Command(["python3", "-c", script], sandbox.root))
    assert {tuple(line.split()) for line in result.stdout.all.decode().splitlines()} <= {("-1", "1"), ("-1", "38")}


BY_32_BITS = """
import ctypes, mmap, struct
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
LOW = 0x40  # below 4 GiB, where 32-bit arguments can point
page = libc.mmap(None, 4096, 7, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | LOW, -1, 0)
arguments = page + 2048
def call(number, first, second):
    code = b"\\x53\\xb8" + struct.pack("<I", number) + b"\\xbb" + struct.pack("<I", first)
    code += b"\\xb9" + struct.pack("<I", second) + b"\\xcd\\x80\\x5b\\xc3"  # int 0x80; pop rbx; ret
    ctypes.memmove(page, code, len(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(page)()
ctypes.memmove(arguments, struct.pack("<III", FAMILY, KIND, 0), 12)
print("socket", call(102, 1, arguments) >= 0)  # socketcall(SYS_SOCKET, …)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the 32-bit entry is x86's")
@pytest.mark.parametrize(
    "choice",
    [Choice(profile="strict"), Choice(), Choice(profile="build"), Choice(profile="compat")],
    ids=lambda c: c.profile,
)
async def test_i09_the_32_bit_entry_hides_no_socket_from_our_filter(sandbox: DockerSandbox, choice: Choice) -> None:
    async def tried(family: int, kind: int) -> bytes:
        script = BY_32_BITS.replace("FAMILY", str(family)).replace("KIND", str(kind))
        return (await sandbox.run(Command(["python3", "-c", script], sandbox.root))).stdout.all

    plain = {"build": b"socket False\n", "compat": b"socket True\n"}  # the others are killed at the door
    assert await tried(1, 1) == plain.get(choice.profile, b"")  # where it works, the next is refused for itself
    assert (await tried(38, 5) == b"socket True\n") <= (choice.profile == "compat")


async def test_i15_the_runtimes_own_file_is_out_of_reach(sandbox: DockerSandbox, engine: Engine) -> None:
    names = {one.get("path", "") for one in engine.facts()["Runtimes"].values()}
    files = [Path(found) for name in names if (found := shutil.which(name))]
    before = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert files
    script = """
    printf '#!/proc/self/exe\\n' > ~/x; chmod +x ~/x; ~/x & ~/x
    for i in $(seq 50); do for exe in /proc/[0-9]*/exe; do
        (echo overwritten > $exe) 2>/dev/null && echo WROTE $exe
    done; done; echo tried
    """
    result = await sandbox.run(Command(["bash", "-c", script], sandbox.root, timeout=60))
    assert result.stdout.all == b"tried\n"
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == before


class Recorder:
    """Every request that goes to the engine, as it was sent."""

    def __init__(self) -> None:
        self.requests: list[requests.PreparedRequest] = []

    def __call__(self, response: requests.Response, **_: object) -> None:
        self.requests.append(response.request)

    @property
    def paths(self) -> Sequence[str]:
        return [str(one.url) for one in self.requests]

    def made(self) -> Sequence[dict[str, object]]:
        """The bodies of all containers that were asked for."""
        return [json.loads(one.body or b"") for one in self.requests if "/containers/create" in str(one.url)]


NASTY = [
    "../../etc/passwd",
    "/proc/self/fd/7",
    "a\nb",
    "$(id)",
    "; rm -rf /",
    "-rf",
    "--privileged",
    "\u202e",
    "x" * 300,
]


@pytest.mark.profiles("strict", "default", "egress")
async def test_i17_whatever_a_tool_is_given_the_engine_is_asked_the_same(session: Session) -> None:
    recorder = Recorder()
    client = docker.APIClient(version="auto", **docker.utils.kwargs_from_env())
    client.hooks["response"].append(recorder)
    async with opened(session, Engine(client)) as sandbox:
        for word in NASTY:
            await sandbox.run(Command(["sh", "-c", "true", word], sandbox.root, env={"WORD": word}))
            for path in (sandbox.root / word, sandbox.root / ".." / word):
                for call in (sandbox.read(path), sandbox.list(path), sandbox.run(Command(["true"], path))):
                    with contextlib.suppress(FileError):
                        await call
        await sandbox.freeze()
    client.close()
    assert not [path for path in recorder.paths if "/archive" in path or "/exec" in path or "/build" in path]
    assert not [one for one in recorder.requests if any(word in str(one.url) + str(one.body) for word in NASTY[3:6])]
    [container] = [body for body in recorder.made() if body.get("AttachStdin")]
    for body in recorder.made():
        host = body["HostConfig"]
        assert isinstance(host, dict)
        assert not host.get("Privileged")
        assert not any(
            host.get(key) for key in ("Binds", "Devices", "DeviceRequests", "PidMode", "UsernsMode", "UTSMode")
        )
        assert host["NetworkMode"] == "none"
        assert host["CapDrop"] == ["ALL"]
    host = container["HostConfig"]
    assert isinstance(host, dict)
    assert host["CapAdd"] == list(GUEST_CAPABILITIES)
    assert container["WorkingDir"] == "/"
