"""Group VII at the proxy: what is asked, what is let through, and what is put down."""

import contextlib
import socket
import ssl
import threading

import anyio
import h11
import pytest

from sandbox.choice import Network
from sandbox.egress import proxy as proxying
from sandbox.egress import record
from sandbox.egress.record import Record
from sandbox.egress.rules import Rules
from tests.sandbox.egress.world import HOST, LARGE

pytestmark = pytest.mark.anyio


@pytest.fixture
def at(outside):
    """The world's secret server, as CONNECT and `Host` name it."""
    return f"{HOST}:{outside.secret}"


async def tunnel(client, at, name=HOST):
    assert await client.ask("CONNECT", at, at) == (200, b"")
    await client.greet(name)


def log(session):
    return list(Record(session).all())


async def test_what_is_listed_is_read_through_a_tunnel_request_by_request(connect, outside, at, session):
    async with connect(outside.network()) as client:
        await tunnel(client, at)
        assert await client.ask("GET", "/a?token=secret", at) == (200, b"hello\n")
        assert await client.ask("HEAD", "/b", at) == (200, b"")
        assert await client.ask("GET", "/pieces", at) == (200, b"onetwo")
    assert [(method, host, path) for method, host, path, _ in outside.asked] == [
        ("GET", at, "/a?token=secret"),
        ("HEAD", at, "/b"),
        ("GET", at, "/pieces"),
    ]
    first, *_ = lines = log(session)
    assert (first.method, first.host, first.port, first.path) == ("GET", HOST, outside.secret, "/a")
    assert (first.status, first.received, first.refused, first.during) == (200, 6, None, ("call",))
    assert len(lines) == 3
    assert "secret" not in (session.path / "network.jsonl").read_text()


async def test_what_is_listed_is_read_without_a_tunnel_too(connect, outside):
    at = f"{HOST}:{outside.plain}"
    async with connect(outside.network()) as client:
        assert await client.ask("GET", f"http://{at}/x", "another.example") == (200, b"hello\n")
        assert await client.ask("GET", f"http://{at}", at) == (200, b"hello\n")
    assert [(host, path) for _, host, path, _ in outside.asked] == [(at, "/x"), (at, "/")]


async def test_what_one_hop_says_to_the_next_is_not_passed_on(connect, outside, at):
    told = [("proxy-authorization", "Basic x"), ("connection", "x-own"), ("x-own", "1"), ("upgrade", "websocket")]
    async with connect(outside.network()) as client:
        await tunnel(client, at)
        await client.ask("GET", "/", at, headers=[*told, ("x-kept", "1")])
    [head] = outside.heads
    assert head["x-kept"] == "1"
    assert not {"proxy-authorization", "connection", "x-own", "upgrade"} & head.keys()


async def test_n09_nothing_is_told_to_a_host_that_may_be_read_from(connect, outside, at, refusals, session):
    for method, body in (("POST", b"stolen"), ("PUT", b"stolen"), ("DELETE", b""), ("GET", b"stolen")):
        async with connect(outside.network()) as client:
            await tunnel(client, at)
            status, answer = await client.ask(method, "/upload", at, body)
            assert status == 403
            assert b"it may be read from only" in answer
    assert outside.asked == []
    assert {exchange.refused for exchange in refusals} == {"method"}
    assert [exchange.method for exchange in log(session)] == ["POST", "PUT", "DELETE", "GET"]


@pytest.mark.parametrize(
    "header",
    [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "x_http_method_override",
        "X-Http.Method~Override",
    ],
)
async def test_n09_a_read_that_is_to_be_taken_for_another_method_is_none(connect, outside, at, refusals, header):
    for network, wanted in ((outside.network(), 403), (outside.network(writable=(at,), allowed=()), 200)):
        async with connect(network) as client:
            await tunnel(client, at)
            assert (await client.ask("GET", "/", at, headers=[(header, "DELETE")]))[0] == wanted
    assert [(refused.method, refused.refused) for refused in refusals] == [("GET", "method")]


async def test_a_host_that_may_be_told_anything_is(connect, outside, at, session):
    async with connect(outside.network(writable=(at,), allowed=())) as client:
        await tunnel(client, at)
        assert await client.ask("POST", "/", at, b"news") == (200, b"hello\n")
        assert await client.ask("DELETE", "/", at) == (200, b"hello\n")
    assert [(method, body) for method, _, _, body in outside.asked] == [("POST", b"news"), ("DELETE", b"")]
    assert log(session)[0].sent == 4


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("1.2.3.4:443", "name"),
        ("0x7f.1:443", "name"),
        ("2130706433:443", "name"),
        ("[::ffff:10.0.0.1]:443", "name"),
        ("[::1]:443", "name"),
        (f"{HOST}:22", "unlisted"),
        (f"{HOST}:0443", "name"),
        (f"{HOST}:99999", "name"),
        (HOST, "name"),
        (f"user@{HOST}:443", "name"),
        ("evil.example:443", "unlisted"),
        (f"evil{HOST}:443", "unlisted"),
        (f"{HOST}.evil.com:443", "unlisted"),
        (f"{HOST}#@evil:443", "name"),
        ("metadata.google.internal:443", "unlisted"),
    ],
)
async def test_n04_n05_a_tunnel_leads_to_a_listed_host_and_nowhere_else(connect, target, why, refusals, session):
    async with connect(Network(allowed=(HOST,))) as client:
        status, _ = await client.ask("CONNECT", target, "x")
    assert status == 403
    assert [exchange.refused for exchange in refusals] == [why]
    assert [exchange.refused for exchange in log(session)] == [why]


@pytest.mark.parametrize(
    "target",
    ["/", "https://registry.example/", "ftp://registry.example/", "http://1.2.3.4/", "http://u@registry.example/"],
)
async def test_without_a_tunnel_only_plain_http_to_a_name_is_asked_for(connect, target, refusals):
    async with connect(Network(allowed=(HOST,))) as client:
        status, _ = await client.ask("GET", target, HOST)
    assert status == 403
    assert [exchange.refused for exchange in refusals] in (["protocol"], ["name"])


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.0.0.1", "169.254.169.254"], ["::1"], ["::ffff:10.0.0.1"]])
async def test_n06_a_listed_name_that_leads_inside_is_not_followed(connect, outside, at, addresses, refusals):
    async def resolve(_host, _port):
        return addresses

    async with connect(outside.network(addresses=()), resolve=resolve) as client:
        await tunnel(client, at)
        status, answer = await client.ask("GET", "/", at)
    assert status == 403
    assert b"no public address" in answer
    assert [exchange.refused for exchange in refusals] == ["address"]
    assert outside.asked == []


async def test_n06_a_public_address_of_this_machines_own_is_not_followed(connect, outside, at, monkeypatch, refusals):
    monkeypatch.setattr(Rules, "reaches", lambda *_: True)  # as if 127.0.0.1 were public
    async with connect(outside.network(addresses=())) as client:
        await tunnel(client, at)
        status, _ = await client.ask("GET", "/", at)
    assert status == 403
    assert [exchange.refused for exchange in refusals] == ["address"]
    assert outside.asked == []


async def test_n06_a_name_is_resolved_once_for_a_connection(connect, outside, at):
    asked = []

    async def resolve(host, _port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async with connect(outside.network(), resolve=resolve) as client:
        await tunnel(client, at)
        await client.ask("GET", "/", at)
        await client.ask("GET", "/", at)
    assert asked == [HOST]


@pytest.mark.parametrize("name", ["evil.example", f"a.{HOST}", "127.0.0.1"])
async def test_n07_a_greeting_for_another_host_is_refused(connect, outside, at, name, refusals):
    async with connect(outside.network()) as client:
        assert (await client.ask("CONNECT", at, at))[0] == 200
        with pytest.raises((ssl.SSLError, anyio.EndOfStream, anyio.BrokenResourceError)):
            await client.greet(name)
        await anyio.sleep(0.1)
    assert [exchange.refused for exchange in refusals] == ["protocol"]
    assert outside.asked == []


@pytest.mark.parametrize("said", [b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(200)])
async def test_n07_what_is_no_tls_does_not_go_through_a_tunnel(connect, outside, at, said, refusals):
    async with connect(outside.network()) as client:
        assert (await client.ask("CONNECT", at, at))[0] == 200
        await client.talk.stream.send(said)
        await anyio.sleep(0.2)
    assert [exchange.refused for exchange in refusals] == ["protocol"]
    assert outside.asked == []


@pytest.mark.parametrize("host", ["evil.example", f"a.{HOST}", f"{HOST}:1", "", "127.0.0.1"])
async def test_n07_in_a_tunnel_no_other_host_is_named(connect, outside, at, host, refusals):
    async with connect(outside.network()) as client:
        await tunnel(client, at)
        assert (await client.ask("GET", "/", host))[0] == 403
    assert [exchange.refused for exchange in refusals] in (["protocol"], ["name"])
    assert outside.asked == []


async def test_a_server_with_another_certificate_is_not_trusted(connect, outside, session):
    at = f"evil.example:{outside.secret}"
    async with connect(outside.network(allowed=(at,))) as client:
        await tunnel(client, at, "evil.example")
        status, answer = await client.ask("GET", "/", at)
    assert status == 502
    assert b"certificate is not to be trusted" in answer
    assert outside.asked == []
    assert "certificate" in log(session)[0].failed


async def test_a_host_that_is_not_there_is_said_to_be(connect, outside, session):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    at = f"{HOST}:{port}"
    async with connect(outside.network(allowed=(at,))) as client:
        status, answer = await client.ask("GET", f"http://{at}/", at)
    assert status == 502
    assert b"Connection refused" in answer
    assert log(session)[0].status == 0


async def test_a_connection_that_its_server_closed_is_made_again(connect, outside, at):
    async with connect(outside.network()) as client:
        await tunnel(client, at)
        assert await client.ask("GET", "/last", at) == (200, b"the last\n")
        await anyio.sleep(0.1)
        assert await client.ask("GET", "/", at) == (200, b"hello\n")


async def test_an_answer_that_breaks_off_breaks_off_inside(connect, outside, at, session):
    async with connect(outside.network()) as client:
        await tunnel(client, at)
        with pytest.raises((h11.RemoteProtocolError, anyio.BrokenResourceError, anyio.EndOfStream)):
            await client.ask("GET", "/broken", at)
    [line] = log(session)
    assert (line.status, line.received, line.failed) == (200, 4, "the connection broke off")


async def test_a_large_answer_comes_whole(connect, outside, at, session):
    async with connect(outside.network()) as client:
        await tunnel(client, at)
        status, answer = await client.ask("GET", "/large", at)
    assert (status, len(answer)) == (200, LARGE)
    assert log(session)[0].received == LARGE


@pytest.mark.parametrize(
    "said", [b"\0\1\2\3\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, b"\x16\x03\x01" * 50]
)
async def test_what_is_no_http_ends_its_connection_alone(connect, said):
    async with connect(Network()) as client:
        await client.talk.stream.send(said)
        answer = b""
        with pytest.raises(anyio.EndOfStream):
            while True:
                answer += await client.talk.stream.receive()
    assert answer.startswith((b"HTTP/1.1 4", b""))


async def test_n14_who_says_nothing_is_not_waited_for(connect, monkeypatch):
    monkeypatch.setattr(proxying, "HEAD_SECONDS", 0.1)
    async with connect(Network()) as client:
        await client.talk.stream.send(b"GET http://registry.example/ HT")
        with anyio.fail_after(5), pytest.raises(anyio.EndOfStream):
            await client.talk.stream.receive()


async def test_a_person_is_asked_once_about_a_host_that_no_rule_names(connect, outside, at):
    asked = []

    async def ask(host, port):
        asked.append((host, port))
        return "read"

    async with connect(outside.network(allowed=()), ask) as client:
        await tunnel(client, at)
        assert (await client.ask("GET", "/", at))[0] == 200
        assert (await client.ask("GET", "/", at))[0] == 200
        assert (await client.ask("POST", "/", at, b"x"))[0] == 403
    assert asked == [(HOST, outside.secret)]


async def test_n11_a_person_is_not_asked_about_what_is_denied(connect, outside, at):
    async def ask(_host, _port):
        raise AssertionError("somebody was asked")

    async with connect(outside.network(denied=(at,)), ask) as client:
        assert (await client.ask("CONNECT", at, at))[0] == 403


async def test_n20_nothing_goes_out_that_cannot_be_put_down(connect, outside, at, session, monkeypatch, refusals):
    (session.path / "network.jsonl").write_bytes(b"{}\n" * 100)
    monkeypatch.setattr(record, "LARGEST_FILE", 100)
    async with connect(outside.network()) as client:
        assert (await client.ask("CONNECT", at, at))[0] == 403
    assert [exchange.refused for exchange in refusals] == ["full"]


async def test_n20_what_is_shown_of_a_refusal_is_harmless(connect, refusals):
    async with connect(Network()) as client:
        await client.talk.stream.send(b"CONNECT \xff\x1b[2J" + b"x" * 500 + b":443 HTTP/1.1\r\nHost: x\r\n\r\n")
        await anyio.sleep(0.1)
    for exchange in refusals:
        assert exchange.refusal.isprintable()
        assert len(exchange.refusal) < 400


@pytest.mark.parametrize("is_secret", [True, False])
async def test_a40_this_machines_own_proxy_is_gone_through(connect, outside, at, monkeypatch, is_secret):
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_relay, args=(server, outside.secret if is_secret else outside.plain, heard))
        thread.start()
        name = "HTTPS_PROXY" if is_secret else "HTTP_PROXY"
        monkeypatch.setenv(name, f"http://me:pass%20word@127.0.0.1:{server.getsockname()[1]}")

        async def resolve(_host, _port):
            raise AssertionError("the name was resolved here")

        async with connect(outside.network(), resolve=resolve) as client:
            if is_secret:
                await tunnel(client, at)
                answer = await client.ask("GET", "/", at)
            else:
                plain = f"{HOST}:{outside.plain}"
                answer = await client.ask("GET", f"http://{plain}/", plain)
        await anyio.to_thread.run_sync(thread.join)
    assert answer == (200, b"hello\n")
    assert heard[0].startswith(b"CONNECT registry.example:" if is_secret else b"GET http://registry.example:")
    assert b"basic bwu6cgfzcyb3b3jk" in heard[0].lower()


def _relay(server, port, heard):
    """A company's proxy: it answers CONNECT, or passes a request on."""
    client, _ = server.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as there:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        heard.append(head)
        if head.startswith(b"CONNECT"):
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            there.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        def back():
            with contextlib.suppress(OSError):
                while data := there.recv(65536):
                    client.sendall(data)

        thread = threading.Thread(target=back)
        thread.start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                there.sendall(data)
        there.shutdown(socket.SHUT_RDWR)
        thread.join()
