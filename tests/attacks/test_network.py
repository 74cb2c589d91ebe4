"""Group VII on the real engine: programs as people use them, and what hostile ones try."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest

from images.image import Image
from sandbox.base import Command
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.egress import inside
from sandbox.egress.judge import Answer
from sandbox.egress.proxy import Proxy
from sandbox.egress.record import Exchange, Record
from sandbox.engine import Engine
from sandbox.errors import SandboxLost, StateError
from sandbox.opening import opened, prepare
from sandbox.sessions import Session, Sessions
from tests.attacks.scene import shell
from tests.sandbox.egress.world import HOST, LARGE, World, answer_of_a_resolver, world

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

Open = Callable[..., AbstractAsyncContextManager[DockerSandbox]]


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world under names that lead to this machine."""
    with world(tmp_path) as found:
        monkeypatch.setenv("SSL_CERT_FILE", str(found.authority))
        monkeypatch.setattr("anyio.getaddrinfo", answer_of_a_resolver)
        yield found


@pytest.fixture
def going_out(state: Path, checkout: Path, image: Image) -> Callable[[Choice], Session]:
    """Makes a session with a choice of its own."""
    return lambda choice: prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)


@pytest.fixture
async def session(outside: World, going_out: Callable[[Choice], Session]) -> Session:
    """One in the profile `egress`, which may read from the world."""
    return going_out(Choice(profile="egress", network=outside.network()))


@pytest.fixture
async def sandbox(session: Session, engine: Engine) -> AsyncIterator[DockerSandbox]:
    """Its sandbox."""
    async with opened(session, engine) as found:
        yield found


def log(session: Session) -> list[Exchange]:
    return list(Record(session).all())


async def test_what_people_use_reads_from_a_listed_host(
    sandbox: DockerSandbox, outside: World, session: Session
) -> None:
    url = f"https://{HOST}:{outside.secret}"
    for command in (
        f"curl -sS {url}/curl",
        f"git -c http.lowSpeedTime=5 ls-remote {url}/git || true; echo hello",
        f"""python3 -c 'import urllib.request; print(urllib.request.urlopen("{url}/python").read().decode())'""",
        f"curl -sS http://{HOST}:{outside.plain}/plain",
    ):
        result = await shell(sandbox, command)
        assert b"hello" in result.stdout.all, (command, result.stderr.all)
        assert not result.refused
    assert {path.partition("?")[0] for _, _, path, _ in outside.asked} == {
        "/curl",
        "/git/info/refs",
        "/python",
        "/plain",
    }
    assert [one.status for one in log(session)] == [200] * 4


async def test_n09_nothing_is_told_and_the_call_says_so(sandbox: DockerSandbox, outside: World) -> None:
    result = await shell(
        sandbox, f"cat tests/* README* | curl -sS --data-binary @- https://{HOST}:{outside.secret}/x; true"
    )
    assert outside.asked == []
    [sentence] = result.refused
    assert sentence.startswith(f"network: POST {HOST}:{outside.secret} refused: it may be read from only")
    assert b"network: POST" in result.stdout.all
    assert not (await shell(sandbox, "true")).refused


async def test_a29_1_what_is_refused_says_how_to_allow_it(sandbox: DockerSandbox) -> None:
    result = await shell(sandbox, "curl -sS https://evil.example/; curl -sS https://evil.example/; true")
    [sentence] = result.refused
    assert "CONNECT evil.example:443 refused" in sentence
    assert "--allow evil.example" in sentence


async def test_n01_n10_n17_there_is_no_way_but_the_proxy(sandbox: DockerSandbox, outside: World) -> None:
    unset = "unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY;"
    for command in (
        f"{unset} curl -sS -m 5 https://{HOST}:{outside.secret}/",
        f"{unset} curl -sS -m 5 http://127.0.0.1:{outside.plain}/",
        f"getent hosts {HOST}",
        "getent hosts localhost.evil.example",
        "python3 -c 'import socket; socket.create_connection((\"1.1.1.1\", 443), 5)'",
        'python3 -c \'import socket; s = socket.socket(2, 2); s.sendto(b"x", ("8.8.8.8", 53))\'',
        "python3 -c 'import socket; socket.create_connection((\"2606:4700:4700::1111\", 443), 5)'",
    ):
        assert (await shell(sandbox, command)).exit_code != 0, command
    assert outside.asked == []


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "169.254.170.2", "[fd00:ec2::254]", "100.100.100.200", "127.0.0.1"]
)
async def test_n02_no_address_is_reached_through_the_proxy(
    sandbox: DockerSandbox, address: str, session: Session
) -> None:
    result = await shell(sandbox, f"curl -sS -m 5 --noproxy '' http://{address}/latest; true")
    assert b"refused: only hosts are reached, by their names" in result.stdout.all
    assert [one.refused for one in log(session)] == ["name"]


async def test_n07_fronting_is_refused(sandbox: DockerSandbox, outside: World) -> None:
    at = f"{HOST}:{outside.secret}"
    result = await shell(sandbox, f"curl -sS -H 'Host: evil.example' https://{at}/; true")
    assert b"only to the host that was asked for" in result.stdout.all
    other = await shell(sandbox, f"curl -sSk --connect-to evil.example:443:{at} https://evil.example/; true")
    assert other.refused
    assert outside.asked == []


async def test_n12_a_proxy_that_hangs_or_breaks_opens_no_other_way(
    sandbox: DockerSandbox, outside: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://{HOST}:{outside.secret}"

    async def hang(*_: object) -> None:
        await anyio.sleep_forever()

    async def fail(*_: object) -> None:
        raise StateError("the log is damaged")

    for serve in (hang, fail):
        with monkeypatch.context() as patch:
            patch.setattr(Proxy, "serve", serve)
            result = await sandbox.run(Command(["curl", "-sS", f"{url}/b"], sandbox.root, timeout=3))
            assert result.timed_out or result.exit_code != 0
    assert outside.asked == []
    assert (await shell(sandbox, f"curl -sS {url}/a")).stdout.all == b"hello\n"


async def test_n14_a_thousand_connections_are_served_in_turn(sandbox: DockerSandbox, outside: World) -> None:
    many = f"""
import concurrent.futures, socket
def ask(number):
    one = socket.create_connection(("127.0.0.1", {inside.DOOR}), 60)
    one.sendall(b"GET http://{HOST}:{outside.plain}/ HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    said = b""
    while data := one.recv(65536):
        said += data
    return b"hello" in said
with concurrent.futures.ThreadPoolExecutor(100) as pool:
    print(sum(pool.map(ask, range(1000))))
"""
    result = await shell(sandbox, f"python3 - <<'END'\n{many}\nEND")
    assert result.stdout.all == b"1000\n", result.stderr.all


async def test_n14_who_opens_and_says_nothing_stops_no_call(sandbox: DockerSandbox) -> None:
    kept = f"kept = [socket.create_connection(('127.0.0.1', {inside.DOOR})) for _ in range(150)]"
    many = f"import socket, time; {kept}; print(1)"
    result = await shell(sandbox, f'python3 -c "{many}; time.sleep(1)"; echo alive')
    assert result.stdout.all == b"1\nalive\n", result.stderr.all


async def test_a_large_file_comes_whole(sandbox: DockerSandbox, outside: World) -> None:
    result = await shell(sandbox, f"curl -sS https://{HOST}:{outside.secret}/large | wc -c")
    assert result.stdout.all.strip() == str(LARGE).encode()


async def test_the_door_is_no_port_of_the_sandboxs_own(sandbox: DockerSandbox) -> None:
    await sandbox.ready()
    assert not await sandbox.listening()


async def test_i19_the_authority_is_this_sandboxs_alone(
    session: Session, engine: Engine, going_out: Callable[[Choice], Session], outside: World
) -> None:
    other = going_out(Choice(profile="egress", network=outside.network()))
    async with opened(session, engine) as one, opened(other, engine) as another:
        found = [
            (await shell(each, f"cat {inside.CERTIFICATE}; ls -l {inside.CERTIFICATE}")).stdout.all
            for each in (one, another)
        ]
        assert all(b"BEGIN CERTIFICATE" in text and b"PRIVATE" not in text for text in found)
        assert found[0] != found[1]


async def test_the_proxy_serves_every_container_of_a_session(session: Session, engine: Engine, outside: World) -> None:
    url = f"https://{HOST}:{outside.secret}"
    async with opened(session, engine) as sandbox:
        assert (await shell(sandbox, f"curl -sS {url}/a")).exit_code == 0
        container = await sandbox.ready()
        await anyio.to_thread.run_sync(engine.remove, container.id)
        with contextlib.suppress(SandboxLost):
            await shell(sandbox, "true")
        assert (await shell(sandbox, f"curl -sS {url}/b")).stdout.all == b"hello\n"


@pytest.mark.parametrize("profile", ["build", "compat"])
async def test_profiles_that_install_reach_listed_hosts_too(
    profile, going_out: Callable[[Choice], Session], engine: Engine, outside: World
) -> None:
    async with opened(going_out(Choice(profile=profile, network=outside.network())), engine) as sandbox:
        assert (await shell(sandbox, f"curl -sS https://{HOST}:{outside.secret}/")).stdout.all == b"hello\n"


async def test_where_only_listed_hosts_are_reached_nobody_is_asked(
    going_out: Callable[[Choice], Session], engine: Engine, outside: World
) -> None:
    async def ask(_host: str, _port: int) -> Answer:
        raise AssertionError("somebody was asked")

    network = outside.network().model_copy(update={"only_listed": True})
    async with opened(going_out(Choice(profile="build", network=network)), engine, ask=ask) as sandbox:
        result = await shell(sandbox, "curl -sS https://evil.example/; ls /run; true")
        assert result.refused
        assert b"sources" not in result.stdout.all


@pytest.mark.parametrize("profile", ["strict", "default"])
async def test_profiles_without_a_network_have_no_door(
    profile, going_out: Callable[[Choice], Session], engine: Engine, outside: World
) -> None:
    async with opened(going_out(Choice(profile=profile, network=outside.network())), engine) as sandbox:
        look = (
            "env | grep -i proxy; ls /run; python3 -c \"import socket; socket.create_connection(('127.0.0.1', 3128))\""
        )
        result = await shell(sandbox, look)
        assert b"Connection refused" in result.stderr.all
        assert b"proxy" not in result.stdout.all
        assert b"paddock" not in result.stdout.all


async def test_a_download_that_is_given_up_gives_its_place_back(sandbox: DockerSandbox, outside: World) -> None:
    url = f"https://{HOST}:{outside.secret}"
    given_up = f"for i in $(seq 70); do curl -sS {url}/large 2>/dev/null | head -c 1 | wc -c; done"
    result = await shell(sandbox, f"{given_up} | sort | uniq -c; curl -sS -m 20 {url}/after")
    assert result.stdout.all.split() == [b"70", b"1", b"hello"], result.stderr.all
