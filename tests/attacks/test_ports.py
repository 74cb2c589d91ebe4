"""Ports under attack: from inside over the relay, and from other users of this machine over the socket."""

import json
import os
import socket
import stat

import anyio
import pytest

from sandbox.base import Command
from sandbox.docker_sandbox import DockerSandbox
from sandbox.doorway import Elsewhere, door
from sandbox.errors import PortClosed, SandboxLost
from sandbox.forwarding import Forward, forwarded
from sandbox.frames import HEADER, Kind
from sandbox.sessions import Session
from tests.attacks.test_resources import assert_alive, shell
from tests.contracts.test_ports import ask, port_of, refused, server

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_frames_that_a_server_sends_are_bytes_like_any_others(sandbox: DockerSandbox) -> None:
    done = json.dumps({"exit": 0}).encode()
    forged = b"".join(HEADER.pack(len(done), stream, Kind.DONE) + done for stream in range(200))
    serve = f"client.sendall(bytes.fromhex('{forged.hex()}')); client.close()"
    async with server(sandbox, serve) as port, sandbox.connected(port) as connection:
        said = b""
        while data := await connection.receive():
            said += data
    assert said == forged
    await assert_alive(sandbox)


async def test_a_forwarded_port_leads_to_nothing_outside(sandbox: DockerSandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hosts:
        port = hosts.getsockname()[1]
        with pytest.raises(PortClosed):
            async with sandbox.connected(port):
                raise AssertionError("the host's own port was reached")
        async with forwarded(sandbox, [Forward(port, 0)]) as (forward,):
            assert await refused(forward.host or 0)


async def test_more_listeners_than_anybody_would_look_at_are_no_harm(sandbox: DockerSandbox) -> None:
    kept = "kept = [socket.create_server(('127.0.0.1', 0)) for _ in range(3000)]"
    many = f"import socket, time\n{kept}\nprint(1, flush=True)\ntime.sleep(1000)"
    await port_of(await sandbox.start(Command(["python3", "-c", many], sandbox.root)))
    assert len(await sandbox.listening()) == 1024
    await assert_alive(sandbox)


async def test_connections_that_are_opened_and_left_do_not_stop_the_session(sandbox: DockerSandbox) -> None:
    async with server(sandbox, "import time; time.sleep(1000)") as port:
        async with anyio.create_task_group() as tasks:

            async def hang() -> None:
                async with sandbox.connected(port) as connection:
                    await connection.send(bytes(400_000))
                    await anyio.sleep_forever()

            for _ in range(100):
                tasks.start_soon(hang)
            await anyio.sleep(1)
            await assert_alive(sandbox)
            tasks.cancel_scope.cancel()
        async with sandbox.connected(port):
            await assert_alive(sandbox)


async def test_more_connections_than_the_guest_has_room_for_are_refused(sandbox: DockerSandbox) -> None:
    async with server(sandbox, "import time; time.sleep(1000)") as port:
        refusals = 0
        async with anyio.create_task_group() as tasks:

            async def hang() -> None:
                nonlocal refusals
                try:
                    async with sandbox.connected(port):
                        await anyio.sleep_forever()
                except PortClosed:
                    refusals += 1

            for _ in range(300):
                tasks.start_soon(hang)
            with anyio.fail_after(20):
                while refusals < 44:  # noqa: ASYNC110 - the guest's doing
                    await anyio.sleep(0.05)
            await assert_alive(sandbox)
            tasks.cancel_scope.cancel()
        assert refusals == 44


async def test_another_process_of_the_user_reaches_a_port_and_nobody_else_can(
    sandbox: DockerSandbox, session: Session
) -> None:
    there = Elsewhere(session)
    async with server(sandbox) as port:
        assert await there.ports() == ((port,), [])
        async with forwarded(there, [Forward(port, 0)]) as (forward,), there.holding(forward):
            assert await ask(forward.host or 0, b"over two sockets" * 50_000) == b"over two sockets" * 50_000
            assert await there.ports() == ((port,), [forward])
        assert await there.ports() == ((port,), [])
    door = os.lstat(session.path / "ports")
    assert (stat.S_IMODE(door.st_mode), stat.S_IMODE(os.lstat(session.path).st_mode)) == (0o600, 0o700)


@pytest.mark.root
async def test_another_user_who_got_at_the_socket_is_not_answered(
    sandbox: DockerSandbox, session: Session, tmp_path: os.PathLike[str]
) -> None:
    await sandbox.ready()
    place = os.path.join(tmp_path, "p")
    os.link(session.path / "ports", place)
    os.chmod(place, 0o666)
    for folder in (tmp_path, *list(tmp_path.parents)[:-1]):  # type: ignore[attr-defined]  # it is a Path
        os.chmod(folder, os.stat(folder).st_mode | 0o011)
    script = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX); "
        f"s.connect({place!r}); s.settimeout(10)\n"
        "try:\n s.sendall(b'{\"ask\": \"list\"}\\n'); sys.exit(0 if s.recv(100) == b'' else 1)\n"
        "except (BrokenPipeError, ConnectionResetError): pass"
    )
    done = await anyio.run_process(["python3", "-c", script], check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "line",
    [b"\n", b"{}\n", b"[" * 60_000 + b"\n", b"\xff\n", b'{"ask": "list", "path": "/etc/passwd"}\n',
     b'{"ask": "connect", "port": 70000}\n', b'{"ask": "connect", "port": "22"}\n', b"x" * 200_000],
    ids=["empty", "nothing", "deep", "no text", "unknown", "no port", "text", "endless"],
)  # fmt: skip
async def test_what_is_no_question_is_answered_with_that_and_the_session_goes_on(
    sandbox: DockerSandbox, session: Session, line: bytes
) -> None:
    await sandbox.ready()
    with door(session) as path:
        stream = await anyio.connect_unix(path)
    async with stream:
        said = b""
        try:
            await stream.send(line)
            said = await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            assert len(line) > 64 * 1024
    assert said == b"" or b"that is no question" in said
    assert (await Elsewhere(session).ports())[0] == ()


async def test_a_session_that_does_not_run_says_so(session: Session) -> None:
    with pytest.raises(SandboxLost, match="does not run now"):
        await Elsewhere(session).ports()


async def test_asking_for_ports_starts_no_container_and_wakes_none(sandbox: DockerSandbox) -> None:
    assert (await shell(sandbox, "true")).exit_code == 0
    assert await sandbox.listening() == ()
