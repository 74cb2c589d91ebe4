"""What a port inside means, whatever the sandbox: connections, and forwarding to this machine's loopback."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import pytest

from sandbox.base import Command, Process, Sandbox
from sandbox.errors import PortClosed, PortTaken
from sandbox.forwarding import MOST_CONNECTIONS, Forward, forwarded, parsed

pytestmark = pytest.mark.anyio

SERVER = """
import socket, sys, threading
def serve(client):
    {serve}
listener = socket.create_server(({host!r}, 0), family=socket.{family}, backlog=200)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"""
ECHO = "[client.sendall(data) for data in iter(lambda: client.recv(65536), b'')]; client.close()"


@asynccontextmanager
async def server(sandbox: Sandbox, serve: str = ECHO, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Something that listens inside, on a port of its own."""
    script = SERVER.format(serve=serve, host=host, family="AF_INET6" if ":" in host else "AF_INET")
    process = await sandbox.start(Command(["python3", "-c", script], sandbox.root))
    yield await port_of(process)
    await process.kill()


async def port_of(process: Process) -> int:
    said = b""
    with anyio.fail_after(20):
        while b"\n" not in said:
            await process.news()
            said += process.take().all
    return int(said)


async def test_bytes_go_both_ways_and_each_side_can_end_first(any_sandbox: Sandbox) -> None:
    async with server(any_sandbox) as port, any_sandbox.connected(port) as connection:
        await connection.send(b"\x00\xff hello")
        await connection.send_end()
        said = b""
        while data := await connection.receive():
            said += data
    assert said == b"\x00\xff hello"


async def test_the_server_may_end_first(any_sandbox: Sandbox) -> None:
    serve = "client.sendall(b'bye'); client.shutdown(socket.SHUT_WR); client.recv(9)"
    async with server(any_sandbox, serve) as port, any_sandbox.connected(port) as connection:
        assert (await connection.receive(), await connection.receive()) == (b"bye", b"")
        await connection.send(b"heard")
        await connection.send_end()


async def test_much_goes_through_whole_while_others_talk(any_sandbox: Sandbox) -> None:
    size = 8_000_000
    blob = os.urandom(size)
    async with server(any_sandbox) as port, any_sandbox.connected(port) as connection:

        async def feed() -> None:
            await connection.send(blob)
            await connection.send_end()

        said = bytearray()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed)
            while data := await connection.receive():
                said += data
        assert bytes(said) == blob


async def test_a_server_that_floods_waits_for_its_reader(any_sandbox: Sandbox) -> None:
    flood = "[client.sendall(bytes(65536)) for _ in iter(int, 1)]"
    async with server(any_sandbox, flood) as port, any_sandbox.connected(port) as connection:
        assert await connection.receive()
        for _ in range(3):
            result = await any_sandbox.run(Command(["echo", "beside"], any_sandbox.root, timeout=20))
            assert result.stdout.all == b"beside\n"


async def test_a_port_nobody_listens_on_is_closed(any_sandbox: Sandbox) -> None:
    with pytest.raises(PortClosed, match="nothing inside listens on port 9"):
        async with any_sandbox.connected(9):
            raise AssertionError("connected")


async def test_a_server_that_dies_breaks_the_connection_off(any_sandbox: Sandbox) -> None:
    serve = (
        "client.recv(1); client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1] + 7 * [0])); client.close()"
    )
    async with server(any_sandbox, serve) as port, any_sandbox.connected(port) as connection:
        await connection.send(b"x")
        with pytest.raises(PortClosed):
            await connection.receive()


async def test_what_listens_is_listed(any_sandbox: Sandbox) -> None:
    before = await any_sandbox.listening()
    async with server(any_sandbox) as port:
        assert list(before) == []
        assert list(await any_sandbox.listening()) == [port]
    assert list(await any_sandbox.listening()) == []


async def test_the_loopback_of_version_6_works_and_is_found(any_sandbox: Sandbox) -> None:
    async with server(any_sandbox, host="::1") as port:
        assert list(await any_sandbox.listening()) == [port]
        async with any_sandbox.connected(port) as connection:
            await connection.send(b"six")
            assert await connection.receive() == b"six"


async def ask(port: int, text: bytes) -> bytes:
    async with await anyio.connect_tcp("127.0.0.1", port) as client:
        await client.send(text)
        await client.send_eof()
        return b"".join([data async for data in client])


async def test_a_forwarded_port_is_reached_from_this_machine(any_sandbox: Sandbox) -> None:
    async with server(any_sandbox) as port, forwarded(any_sandbox, [Forward(port, 0)]) as (forward,):
        assert forward.host not in (None, 0, port)
        assert await ask(forward.host or 0, b"hello") == b"hello"
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(echoed, forward.host, b"%d" % number * 10_000)
    with pytest.raises(OSError, match=r"."):
        await ask(forward.host or 0, b"after")


async def echoed(port: int, text: bytes) -> None:
    assert await ask(port, text) == text


async def test_a_forwarded_port_that_nobody_serves_yet_works_as_soon_as_somebody_does(any_sandbox: Sandbox) -> None:
    async with server(any_sandbox) as free:
        pass
    async with forwarded(any_sandbox, [Forward(free, 0)]) as (forward,):
        assert await refused(forward.host or 0)
        script = SERVER.format(serve=ECHO, host="127.0.0.1", family="AF_INET").replace(", 0)", f", {free})", 1)
        await port_of(await any_sandbox.start(Command(["python3", "-c", script], any_sandbox.root)))
        assert await ask(forward.host or 0, b"now") == b"now"


async def test_only_the_loopback_address_is_listened_on(any_sandbox: Sandbox) -> None:
    async with forwarded(any_sandbox, [Forward(8000, 0)]) as (forward,):
        others = [row[4][0] for row in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
        for address in {*others, "127.0.0.2"} - {"127.0.0.1"}:
            with pytest.raises(OSError, match=r"."):
                await anyio.connect_tcp(address, forward.host or 0)


async def test_a_port_of_this_machine_that_is_taken_is_said_to_be(any_sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} of this machine"):
            async with forwarded(any_sandbox, [Forward(8000, port)]):
                raise AssertionError("forwarded")
        async with forwarded(any_sandbox, [Forward(port)]) as (forward,):
            assert forward.host != port


async def test_connections_beyond_the_limit_are_closed(any_sandbox: Sandbox) -> None:
    async with server(any_sandbox) as port, forwarded(any_sandbox, [Forward(port, 0)]) as (forward,):
        clients: list[anyio.abc.SocketStream] = []
        for _ in range(MOST_CONNECTIONS):
            clients.append(await anyio.connect_tcp("127.0.0.1", forward.host or 0))
            await clients[-1].send(b"x")
            assert await clients[-1].receive() == b"x"
        assert await refused(forward.host or 0)
        for client in clients:
            await client.aclose()
        with anyio.fail_after(20):
            while await refused(forward.host or 0):  # noqa: ASYNC110 - the other side's doing
                await anyio.sleep(0.05)


async def refused(port: int) -> bool:
    try:
        return await ask(port, b"more") == b""
    except (anyio.BrokenResourceError, OSError):
        return True


@pytest.mark.parametrize(
    ("text", "forward"),
    [("8000", Forward(8000)), ("9000:8000", Forward(8000, 9000)), ("0:8000", Forward(8000, 0)), ("1", Forward(1))],
)
def test_what_is_forwarded_is_named_by_its_port(text: str, forward: Forward) -> None:
    assert parsed(text) == forward


@pytest.mark.parametrize(
    "text",
    ["", ":", "0", "70000", "x", "8000:", ":8000", "0.0.0.0:8000:80", "1.2.3.4:80", "-1", "８000", "1:2:3", " 1"],
)
def test_what_names_no_port_or_another_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        parsed(text)
