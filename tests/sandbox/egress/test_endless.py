"""N-14, N-20: what has no end, what stalls and what breaks ends its own connection, and nothing else."""

import contextlib
import errno
import os
import socket
import ssl
import sys

import anyio
import pytest

from sandbox.egress import record
from sandbox.egress import talk as talking
from sandbox.egress.authority import MOST_KEPT, Authority
from sandbox.egress.judge import MOST_REFUSED, Judge
from sandbox.egress.record import Record
from sandbox.egress.rules import Rules
from tests.sandbox.egress.world import HOST

pytestmark = pytest.mark.anyio


@pytest.fixture
def at(outside):
    """The world's secret server, as CONNECT and `Host` name it."""
    return f"{HOST}:{outside.secret}"


def log(session):
    return list(Record(session).all())


async def test_a_connection_for_which_there_is_no_descriptor_ends_alone(connect, outside, at, monkeypatch, refusals):
    def none_left(_name):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", none_left)
    async with connect(outside.network()) as client:
        assert (await client.ask("CONNECT", at, at))[0] == 200
        with pytest.raises(anyio.EndOfStream):
            await client.talk.stream.receive()
    assert [exchange.refused for exchange in refusals] == ["protocol"]


async def test_n14_a_full_log_does_not_grow_by_what_is_refused(connect, outside, at, session, monkeypatch, refusals):
    path = session.path / "network.jsonl"
    path.write_bytes(b"{}\n" * 100)
    monkeypatch.setattr(record, "LARGEST_FILE", 100)
    for target in (at, "1.2.3.4:443"):
        async with connect(outside.network()) as client:
            assert (await client.ask("CONNECT", target, at))[0] == 403
    assert path.stat().st_size == 300
    assert len(refusals) == 2


async def test_a_person_is_not_asked_without_end():
    asked = []

    async def ask(host, _port):
        asked.append(host)
        return "no"

    judge = Judge(Rules(), ask)
    found = [await judge.refusal(f"h{number}.example", 443) for number in range(MOST_REFUSED + 2)]
    assert found == ["unwanted"] * MOST_REFUSED + ["unlisted"] * 2
    assert len(asked) == MOST_REFUSED


async def test_n14_certificates_of_many_hosts_are_not_all_kept():
    authority = Authority()
    first = authority.context("h.example")
    assert authority.context("h.example") is first
    for number in range(MOST_KEPT):
        authority.context(f"h{number}.example")
    assert authority.context("h.example") is not first


async def test_n20_a_greeting_for_what_is_no_name_shows_nothing_on_the_terminal(
    connect, outside, at, monkeypatch, refusals
):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    async with connect(outside.network()) as client:
        assert (await client.ask("CONNECT", at, at))[0] == 200
        greeting = ssl.MemoryBIO()
        with pytest.raises(ssl.SSLWantReadError):
            ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), greeting, server_hostname="a.example").do_handshake()
        await client.talk.stream.send(greeting.read().replace(b"a.example", b"\xff\x1b[2Jhey."))
        with pytest.raises(anyio.EndOfStream):
            while True:
                await client.talk.stream.receive()
    assert shown == []
    assert [exchange.refused for exchange in refusals] == ["protocol"]


async def test_a_body_is_framed_in_one_way_only(connect, outside):
    at = f"{HOST}:{outside.plain}"
    head = f"POST http://{at}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with connect(outside.network(writable=(at,))) as client:
        await client.talk.stream.send(head.encode() + b"3\r\nabc\r\n0\r\n\r\n")
        await client.talk.stream.receive()
    [sent] = outside.heads
    assert "content-length" not in sent
    assert sent["transfer-encoding"] == "chunked"


@pytest.mark.parametrize("is_upload", [True, False])
async def test_n14_who_stalls_in_the_middle_of_a_body_is_not_waited_for(
    connect, outside, monkeypatch, is_upload, session
):
    monkeypatch.setattr(talking, "STALL_SECONDS", 0.2)
    at = f"{HOST}:{outside.plain}"
    head = (
        f"POST http://{at}/ HTTP/1.1\r\nContent-Length: 9\r\n" if is_upload else f"GET http://{at}/large HTTP/1.1\r\n"
    )
    async with connect(outside.network(writable=(at,))) as client:
        await client.talk.stream.send(f"{head}Host: x\r\n\r\n".encode())
        await anyio.sleep(1)
        assert log(session)[0].failed == "the connection broke off"


async def test_n14_a_server_that_takes_nothing_is_not_waited_for(connect, outside, monkeypatch, session):
    monkeypatch.setattr(talking, "STALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = f"{HOST}:{server.getsockname()[1]}"
        async with connect(outside.network(writable=(at,))) as client:
            with contextlib.suppress(anyio.BrokenResourceError):  # the client is as impatient
                await client.ask("POST", f"http://{at}/", at, bytes(32 * 1024 * 1024))
            await anyio.sleep(0.5)
            assert log(session)[0].failed == "the connection broke off"
