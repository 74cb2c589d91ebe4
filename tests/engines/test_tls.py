"""An engine over TLS: a dockerd with `--tlsverify`, in a network of its own, which sees no file of ours."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from images import catalog, definition
from images.image import Image
from sandbox import toolbox
from sandbox.engine import Engine
from sandbox.errors import EngineUnavailable
from sandbox.opening import prepare
from sandbox.programs import PYTHON
from sandbox.sessions import Sessions
from tests.farengines import Authority, named
from tests.secondengine import SecondEngine, second_engine

pytestmark = [
    pytest.mark.engine,
    pytest.mark.root,
    pytest.mark.xdist_group("engine over TLS"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # docker-py leaves a socket open
]
ROOT = Path(__file__).parents[2]
IMAGE = toolbox.toolbox().tag
ADDRESS = "tcp://127.0.0.1:2376"
RUNNER = """
import sys, anyio
from pathlib import Path
from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.errors import SandboxLost
from sandbox.opening import opened
from sandbox.programs import PYTHON
from sandbox.sessions import Session

async def main():
    async with opened(Session(Path(sys.argv[1])), Engine.connect()) as sandbox:
        await sandbox.run(Command(["/opt/paddock/box/tools/sh", "-c", "echo kept > kept.txt"], sandbox.root))
        await sandbox.freeze()
        print("runs", flush=True)
        try:
            await sandbox.run(Command([PYTHON, "-I", "-S", "-c", "import time; time.sleep(600)"], sandbox.root))
        except SandboxLost as error:
            print(error, flush=True)
        sys.stdin.readline()
        print((await sandbox.read(sandbox.root / "kept.txt")).decode(), flush=True)

anyio.run(main)
"""


@dataclass(frozen=True)
class Far:
    """The engine. What is in `folder` it does not see; `authority` vouches for it, and for who may use it."""

    engine: SecondEngine
    folder: Path
    authority: Authority
    client: Path

    def command(self, *argv: str) -> list[str]:
        """A program on the machine's own files, but in the engine's network."""
        return ["nsenter", "--target", str(self.engine.inside), "--net", *argv]

    def environment(self, **variables: str) -> dict[str, str]:
        """That of such a program."""
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
        places = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state")}
        return {**own, **places, "DOCKER_HOST": ADDRESS, **named(self.client), **variables}

    def paddock(self, *argv: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """The command line there."""
        command = self.command(sys.executable, "-m", "cli.main", *argv)
        env = self.environment(**variables)
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def far(engine, tmp_path_factory):
    toolbox.image_on(engine, lambda _: None)
    folder = tmp_path_factory.mktemp("far")
    authority = Authority.made(tmp_path_factory.mktemp("certificates") / "authority")
    own = authority.issue("engine", address="127.0.0.1")
    files = [
        f"--{name}={own}/{file}.pem" for name, file in (("tlscacert", "ca"), ("tlscert", "cert"), ("tlskey", "key"))
    ]
    with second_engine(hides=[folder], options=["--host", "tcp://0.0.0.0:2376", "--tlsverify", *files]) as one:
        one.take(IMAGE)
        found = Far(one, folder, authority, authority.issue("client"))
        subprocess.run(found.command("ip", "link", "set", "lo", "up"), check=True)
        yield found
        with one.connection() as theirs:
            assert (theirs.containers(), theirs.volumes()) == ([], [])


@pytest.fixture
def project(far, request):
    made = far.folder / request.node.name
    made.mkdir()
    (made / "a.txt").write_text("one\n")
    return made


@pytest.fixture
def session(far, project):
    with far.engine.connection() as theirs:
        image = Image(IMAGE, toolbox.image_on(theirs, lambda _: None))
    return prepare(sessions=Sessions(far.folder / "sessions"), checkout=project, kind="exec", image=image)


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_there_and_back_through_the_command_line(far, project):
    script = "echo two >> a.txt; echo $(($(wc -c < a.txt) * 1000000))"
    done = far.paddock("exec", "-C", str(project), "--image", IMAGE, "--apply", "never", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (0, "8000000\n"), done.stderr
    assert "workspace: is carried to the engine" in done.stderr
    assert (project / "a.txt").read_text() == "one\n"
    applied = far.paddock("apply", "-C", str(project), "--yes")
    assert applied.returncode == 0, applied.stderr
    assert (project / "a.txt").read_text() == "one\ntwo\n"


def test_much_goes_through_both_ways(far, project):
    (project / "much").write_bytes(data := os.urandom(20_000_000))
    program = "data = open('much', 'rb').read(); open('more', 'wb').write(data); print(data.hex())"
    run = ("exec", "-C", str(project), "--image", IMAGE, "--apply", "never", "--", PYTHON, "-I", "-S", "-c", program)
    done = far.paddock(*run)
    assert done.stdout == f"{data.hex()}\n", done.stderr[-500:]
    applied = far.paddock("apply", "-C", str(project), "--yes", "more")
    assert applied.returncode == 0, applied.stderr
    assert (project / "more").read_bytes() == data


def test_a_context_with_certificates_serves_alike(far, project):
    key = hashlib.sha256(b"far").hexdigest()
    folder = project / "docker" / "contexts"
    (folder / "meta" / key).mkdir(parents=True)
    meta = {"Name": "far", "Endpoints": {"docker": {"Host": ADDRESS, "SkipTLSVerify": True}}}
    (folder / "meta" / key / "meta.json").write_text(json.dumps(meta))
    (files := folder / "tls" / key / "docker").mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (files / name).write_bytes((far.client / name).read_bytes())
    chosen = {"DOCKER_HOST": "", "DOCKER_CERT_PATH": "", "DOCKER_TLS_VERIFY": "", "DOCKER_CONTEXT": "far"}
    there = {**chosen, "DOCKER_CONFIG": str(project / "docker")}
    assert f"socket    {ADDRESS} (the docker context far)" in (said := far.paddock("doctor", **there)).stdout, said
    (files / "ca.pem").unlink()  # then public authorities would have to vouch for it, whatever the context says
    said = far.paddock("doctor", **there).stdout
    assert "TLS: certificate verify failed: " in said
    assert "socket " not in said


def reason(far, address=ADDRESS, **variables):
    """What is said of an engine that cannot be used."""
    done = far.paddock("doctor", "--json", DOCKER_HOST=address, **variables)
    (missing,) = [one for one in json.loads(done.stdout) if one["verdict"] == "missing"]
    assert done.returncode == 6
    assert missing["text"].endswith("; nothing was run on the host instead")
    return missing["text"]


def test_who_is_not_vouched_for_is_refused_on_both_sides(far, tmp_path):
    other = Authority.made(tmp_path / "other")
    stranger = other.issue("stranger")  # which also takes the engine for one
    assert "TLS: certificate verify failed: unable to get local issuer certificate" in reason(far, **named(stranger))
    (stranger / "ca.pem").write_bytes((far.client / "ca.pem").read_bytes())
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    (nobody / "ca.pem").write_bytes((far.client / "ca.pem").read_bytes())
    for refused in (stranger, nobody, far.authority.issue("late", days=0)):
        assert "it takes no client without a certificate that it trusts" in (said := reason(far, **named(refused)))
        assert str(refused) in said
    assert "Hostname mismatch, certificate is not valid for 'localhost'" in reason(far, "tcp://localhost:2376")


def test_an_authority_of_the_environment_does_not_take_the_place_of_the_engines(far, tmp_path):
    other = Authority.made(tmp_path / "other")
    stranger = named(other.issue("stranger"))
    bundle = {"REQUESTS_CA_BUNDLE": str(far.client / "ca.pem"), "CURL_CA_BUNDLE": str(far.client / "ca.pem")}
    assert "certificate verify failed" in reason(far, **stranger, **bundle)


@pytest.mark.parametrize("name", ["DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH"])
def test_any_word_for_tls_means_that_the_engine_is_verified(far, tmp_path, name):
    own = tmp_path / ".docker"
    own.mkdir()
    (own / "ca.pem").write_bytes((Authority.made(tmp_path / "other").folder / "ca.pem").read_bytes())
    said = {"DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": "", name: str(own), "HOME": str(tmp_path)}
    assert "certificate verify failed" in reason(far, **said)


def test_who_speaks_plainly_to_it_is_told_so(far):
    said = reason(far, DOCKER_TLS_VERIFY="", DOCKER_CERT_PATH="")
    assert "it speaks TLS only: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH" in said


def test_what_speaks_no_tls_is_named(far):
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(EngineUnavailable, match="what answers there speaks no TLS"):
            Engine.connect({"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}", **named(far.client)})
    finally:
        server.shutdown()
        server.server_close()


def test_files_that_are_missing_or_of_no_use_are_named_before_anything_is_sent(far, tmp_path):
    def said(folder):
        with pytest.raises(EngineUnavailable) as caught:
            Engine.connect({"DOCKER_HOST": "tcp://127.0.0.1:9", **named(folder)})
        return str(caught.value)

    assert f"{tmp_path}/ca.pem is missing, or you may not read it" in said(tmp_path)
    mine = far.authority.issue("mine")
    (mine / "key.pem").unlink()
    assert f"{mine}/key.pem is missing, or you may not read it" in said(mine)
    (mine / "key.pem").write_bytes((far.client / "key.pem").read_bytes())
    assert f"{mine}/cert.pem and {mine}/key.pem are no pair, or the key has a password" in said(mine)
    locked = far.authority.issue("locked")
    command = [
        "openssl",
        "ec",
        "-aes128",
        "-passout",
        "pass:word",
        "-in",
        locked / "key.pem",
        "-out",
        locked / "key.pem",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert "are no pair, or the key has a password" in said(locked)  # and nobody was asked for it
    (mine / "ca.pem").write_text("nothing")
    assert f"{mine}/ca.pem holds no certificate" in said(mine)


@pytest.fixture
def running(far, session):
    """A process of ours whose command runs there."""
    command = far.command(sys.executable, "-c", RUNNER, str(session.path))
    with subprocess.Popen(
        command, env=far.environment(), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        try:
            assert owner.stdout.readline() == "runs\n"
            yield owner
        finally:
            owner.kill()


def containers(far, session):
    with far.engine.connection() as theirs:
        left = (*theirs.containers(), *theirs.volumes())
    return [one.id for one in left if one.owner.session == session.id]


def test_when_we_are_killed_the_container_ends(far, session, running):
    assert containers(far, session) != []
    running.kill()
    wait_until(lambda: containers(far, session) == [])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_contract_holds_there(far, engine):
    catalog.resolve(catalog.DEFAULT, engine.images, lambda _: None)
    far.engine.take(definition.load(catalog.DEFAULT).tag)
    options = ["-p", "no:cacheprovider", "-q", "-x", "-k", "docker", "--basetemp", str(far.folder / "pytest")]
    command = far.command(sys.executable, "-m", "pytest", *options, "tests/contracts")
    done = subprocess.run(command, env=far.environment(), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_network_that_falls_silent_loses_one_call_and_no_file(far, session, running):
    before = containers(far, session)
    silence = ("INPUT", "--in-interface", "lo", "--jump", "DROP")
    subprocess.run(far.command("iptables", "--append", *silence), check=True)
    try:
        assert "outcome of what was running is unknown; the workspace is kept" in running.stdout.readline()
    finally:
        subprocess.run(far.command("iptables", "--delete", *silence), check=True)
    running.stdin.write("\n")
    running.stdin.flush()
    assert running.stdout.readline() == "kept\n"
    assert not set(before) & set(containers(far, session))
    assert running.wait(30) == 0
    assert containers(far, session) == []
