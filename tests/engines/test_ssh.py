"""An engine behind SSH, through the system's own `ssh` and a real sshd: the main job, every refusal, every end."""

import contextlib
import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from images import catalog, definition
from sandbox.base import Command
from sandbox.choice import Choice
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable, SandboxLost
from sandbox.opening import opened, prepare
from sandbox.sessions import Sessions
from sandbox.ssh_tunnel import Far, tunnel
from tests.cli.conftest import elsewhere, paddock, project, variables  # noqa: F401 - fixtures
from tests.farengines import free_port, is_like_any_other, left, sshd
from tests.secondengine import second_engine

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # docker-py leaves a socket open
]
ROOT = Path(__file__).parents[2]
RUNNER = """
import sys, anyio
from pathlib import Path
from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session

async def main():
    async with opened(Session(Path(sys.argv[1])), Engine.connect()) as sandbox:
        await sandbox.run(Command(["true"], sandbox.root))
        print("runs", flush=True)
        await sandbox.run(Command(["sleep", "600"], sandbox.root))

anyio.run(main)
"""


@pytest.fixture(scope="module")
def server():
    with sshd() as one:
        yield one


@pytest.fixture
def far(server, monkeypatch):
    """The machine's engine, behind SSH; its way is closed afterwards."""
    monkeypatch.setenv("PATH", server.path)
    yield server
    tunnel(server.address).close()
    gc.collect()


@pytest.fixture
def session(state, checkout, image):
    """One whose workspace is carried, as for any engine that is really far."""
    choice = Choice(base="copy")
    return prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ssh_of(parent: int) -> list[int]:
    """The `ssh` that a process has running: two below it, for a shell holds it."""
    found = []
    for child in children(parent):
        found += [one for one in children(child) if Path(f"/proc/{one}/comm").read_text() == "ssh\n"]
    return found


def folder_of(ssh: int) -> Path:
    words = Path(f"/proc/{ssh}/cmdline").read_text().split("\0")
    return Path(words[words.index("-L") + 1].partition(":")[0]).parent


def children(pid: int) -> list[int]:
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(one) for one in tasks.read_text().split()]
    return found


async def test_a_session_over_ssh_is_like_any_other(far, session, engine):
    await is_like_any_other(far.address, session, engine)
    assert len(ssh_of(os.getpid())) == 1  # for all of it


def test_there_and_back_through_the_command_line(far, paddock, project, tmp_path):  # noqa: F811
    named = {"PATH": far.path, "DOCKER_HOST": far.address}
    done = paddock(
        "exec", "--base", "copy", "--apply", "never", "--", "sh", "-c", "echo two >> a.txt", cwd=project, **named
    )
    assert done.returncode == 0, done.stderr
    assert (project / "a.txt").read_text() == "one\n"
    applied = paddock("apply", "--yes", cwd=project, **named)
    assert applied.returncode == 0, applied.stderr
    assert (project / "a.txt").read_text() == "one\ntwo\n"


def test_doctor_and_a_context_name_it(far, paddock, project, tmp_path):  # noqa: F811
    key = hashlib.sha256(b"far").hexdigest()
    (meta := tmp_path / "home" / ".docker" / "contexts" / "meta" / key).mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": far.address}}}))
    named = {"PATH": far.path, "DOCKER_CONTEXT": "far"}
    done = paddock("doctor", cwd=project, **named)
    assert f"socket    {far.address} (the docker context far)" in done.stdout, done.stdout + done.stderr
    checks = json.loads(paddock("doctor", "--json", cwd=project, **named).stdout)
    found = {one["name"]: one for one in checks}
    assert found["socket"]["text"] == f"{far.address} (the docker context far)"
    assert found["workspace"]["verdict"] == "ok"
    gone = paddock("doctor", "--json", cwd=project, PATH=far.path, DOCKER_HOST=f"{far.address}/none.sock")
    (missing,) = [one for one in json.loads(gone.stdout) if one["verdict"] == "missing"]
    assert "nothing answers at /none.sock of far-" in missing["text"]
    assert gone.returncode == 6


def refused(address):
    with pytest.raises(EngineUnavailable) as caught:
        Engine.connect({"DOCKER_HOST": address})
    with contextlib.suppress(ValueError):
        tunnel(address).close()
    said = str(caught.value)
    assert said.endswith("; nothing was run on the host instead"), said
    assert "doctor --fix" not in said  # which would help with an engine of this machine only
    return said


def test_a_host_that_is_not_who_it_was_is_refused(far):
    own = (far.folder / "host.pub").read_text()
    try:
        far.know((far.folder / "user.pub").read_text())
        assert f"ssh: Host key verification failed; `ssh -- far-{far.port}` tells more" in refused(far.address)
        far.know("")
        assert "Host key verification failed" in refused(far.address)
    finally:
        far.know(own)


def test_whom_it_does_not_let_in_is_told_so_and_never_asked(far):
    said = refused(far.address.replace("//", "//nobody-here@"))
    assert "ssh: nobody-here@127.0.0.1: Permission denied (publickey)" in said


def test_a_host_that_is_not_there_is_named(far):
    port = free_port()
    assert f"ssh: connect to host 127.0.0.1 port {port}: Connection refused" in refused(f"ssh://127.0.0.1:{port}")
    assert "ssh: Could not resolve hostname no-such-host.invalid" in refused("ssh://no-such-host.invalid")


def test_a_host_without_an_engine_is_told_apart(far):
    said = refused(f"{far.address}/run/no-engine.sock")
    assert f"nothing answers at /run/no-engine.sock of far-{far.port}: no engine is there, you may not use it" in said
    assert "ssh://host/run/user/1000/docker.sock" in said


def test_an_sshd_that_forwards_no_sockets_is_named(monkeypatch):
    with sshd("AllowStreamLocalForwarding no") as one:
        monkeypatch.setenv("PATH", one.path)
        assert "or sshd forwards no sockets (AllowStreamLocalForwarding)" in refused(one.address)


def test_without_ssh_there_is_a_sentence(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        said = refused("ssh://any-host")
    assert "there is no `ssh` on this machine (Debian's package is openssh-client)" in said


@pytest.mark.parametrize(
    "address",
    [
        "ssh://",
        "ssh://me:word@host",
        "ssh://host:x",
        "ssh://host?x",
        "ssh://host#x",
        "ssh:///run/docker.sock",
        "ssh://a b",
    ],
)
def test_an_address_that_makes_no_sense_is_refused(address):
    said = refused(address)
    assert "an engine over SSH is named ssh://[user@]host[:port][/path/of/its/socket]" in said


@pytest.mark.parametrize(
    ("address", "far"),
    [
        ("ssh://Host", Far("Host", "", "/var/run/docker.sock")),
        ("ssh://me@host:2222/", Far("me@host", "2222", "/var/run/docker.sock")),
        ("ssh://me@[::1]:22/run/user/7/docker.sock", Far("me@::1", "22", "/run/user/7/docker.sock")),
        ("ssh://-oProxyCommand=x", Far("-oProxyCommand=x", "", "/var/run/docker.sock")),
    ],
)
def test_addresses_are_read_as_docker_reads_them(address, far):
    assert Far.of(address) == far
    assert far.arguments[-2:] == ["--", far.destination]  # so that none is taken for an option


async def test_when_we_are_killed_the_container_ends_and_nothing_of_ssh_is_left(far, session, engine, tmp_path):
    command = [sys.executable, "-c", RUNNER, str(session.path)]
    environment = {**os.environ, "DOCKER_HOST": far.address}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"runs\n"
        (ssh,) = ssh_of(owner.pid)
        folder = folder_of(ssh)
        assert folder.stat().st_mode & 0o777 == 0o700
        owner.kill()
    wait_until(lambda: not Path(f"/proc/{ssh}").exists())
    wait_until(lambda: not folder.exists())
    wait_until(lambda: left(session, engine) == [])


async def test_a_connection_that_breaks_loses_one_call_and_no_file(far, session, engine):
    async with opened(session, Engine.connect({"DOCKER_HOST": far.address})) as sandbox:
        await sandbox.run(Command(["sh", "-c", "echo kept > kept.txt"], sandbox.root))
        await sandbox.freeze()  # which brings it home
        first = (await sandbox.ready()).id

        async def cut() -> None:
            await anyio.sleep(0.3)
            (ssh,) = ssh_of(os.getpid())
            os.kill(ssh, signal.SIGKILL)

        with pytest.raises(SandboxLost, match="outcome of what was running is unknown; the workspace is kept"):
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(cut)
                    await sandbox.run(Command(["sleep", "60"], sandbox.root))
            except* SandboxLost as several:
                raise several.exceptions[0] from None
        shown = await sandbox.run(Command(["cat", "kept.txt"], sandbox.root))
        assert shown.stdout.all == b"kept\n"
        assert (await sandbox.ready()).id != first
        assert engine.inspect(first) is None
    assert left(session, engine) == []


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_contract_holds_on_an_engine_that_sees_no_file_of_ours(server, engine, tmp_path):
    catalog.resolve(catalog.DEFAULT, engine.images, lambda _: None)
    with second_engine(hides=[tmp_path]) as one:
        one.take(definition.load(catalog.DEFAULT).tag)
        address = f"{server.address}{one.address.removeprefix('unix://')}"
        options = ["-p", "no:cacheprovider", "-q", "-x", "-k", "docker", "--basetemp", str(tmp_path / "pytest")]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "tests/contracts"],
            env={**os.environ, "PATH": server.path, "DOCKER_HOST": address},
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
