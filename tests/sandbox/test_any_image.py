"""Any Linux image serves, as it is: one without Python or a C library, one with a single program, a hostile one."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from images import build, definition
from images.image import Image
from runtime.agent import agent_for
from runtime.events import Event, ToolFinished
from runtime.script import ScriptServer, parse_script
from runtime.settings import Bounds, ModelChoice, Places
from sandbox.base import Command
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.opening import opened, prepare
from sandbox.programs import APART, PYTHON, RIPGREP
from sandbox.sessions import Session, Sessions
from tests.images_made import busybox, made

pytestmark = [pytest.mark.anyio, pytest.mark.engine]
APPLETS = ("sh", "cat", "ls", "id", "whoami", "echo", "env", "grep", "sed", "sleep", "wc", "touch", "rm", "mkdir")
STRANGER = 64_123


@dataclass(frozen=True)
class Ground:
    """An engine and what sessions need on it."""

    engine: Engine
    sessions: Sessions
    checkout: Path

    def session(self, image: Image, *, uid: int | None = None) -> Session:
        session = prepare(sessions=self.sessions, checkout=self.checkout, kind="exec", image=image)
        if uid is not None:
            os.chown(session.upper, uid, uid)
            for path in (self.checkout, *self.checkout.rglob("*")):
                os.chown(path, uid, uid)
            session.save(session.meta().model_copy(update={"uid": uid, "gid": uid}))
        return session


@pytest.fixture
def ground(engine: Engine, state: Path, checkout: Path) -> Ground:
    return Ground(engine, Sessions(state), checkout)


@pytest.fixture(scope="session")
def make(engine: Engine) -> Callable[[str], Image]:
    """Makes the odd images by name."""
    program = busybox(engine)
    bare = {"/bin/busybox": program, **{f"/bin/{name}": "busybox" for name in APPLETS}}
    evil = b"#!/bin/sh\necho EVIL\nexit 66\n"

    def one(name: str) -> Image:
        match name:
            case "busybox":
                return made(engine, name, bare)
            case "one program":
                return made(engine, "one-program", {"/busybox.static": program})
            case "hostile":
                files = {
                    **bare,
                    "/evil/opt/x": evil,
                    "/opt": "evil/opt",
                    "/evil.so": b"not a library",
                    "/etc/ld.so.preload": b"/evil.so\n",
                    "/etc/passwd": b"root::0:0::/:/evil\nagent::0:0::/evil:/evil\n",
                    "/usr/bin/python3": evil,
                    "/usr/bin/rg": evil,
                    "/bin/bash": "/evil/nothing",
                    "/evil/bin/cat": evil,
                }
                return made(
                    engine,
                    name,
                    files,
                    Entrypoint=["/evil/opt/x"],
                    Cmd=["evil"],
                    User="4242:4242",
                    WorkingDir="/evil/work",
                    Env=[
                        *("LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/evil", "PYTHONHOME=/evil", "PYTHONPATH=/evil"),
                        *("HOME=/evil", "USER=evil", "PATH=/bin:/usr/bin", "GREETING=hello = there"),
                    ],
                    Volumes={"/data": {}, "/etc": {}, "/opt/paddock": {}},
                    Healthcheck={"Test": ["CMD", "/evil/opt/x"], "Interval": 1_000_000_000},
                    StopSignal="SIGUSR1",
                )
        raise AssertionError(name)

    return one


async def said(sandbox: DockerSandbox, script: str) -> str:
    result = await sandbox.run(Command([await sandbox.shell(), "-c", script], sandbox.root, timeout=60))
    assert result.exit_code == 0, result
    return result.stdout.all.decode()


@pytest.mark.parametrize("name", ["busybox", "one program", "hostile"])
async def test_every_tool_works_in_an_image_with_nothing_of_ours(
    make: Callable[[str], Image], ground: Ground, name: str
) -> None:
    calls = [
        {"LS": {"path": "{{cwd}}"}},
        {"Glob": {"pattern": "**/*.py"}},
        {"Grep": {"pattern": "HI", "-i": True, "output_mode": "content"}},
        {"Grep": {"pattern": "hi"}},
        {"Read": {"file_path": "{{cwd}}/src/main.py"}},
        {"Edit": {"file_path": "{{cwd}}/src/main.py", "old_string": "hi", "new_string": "ho"}},
        {"Write": {"file_path": "{{cwd}}/new/file.txt", "content": "new\n"}},
        {"Bash": {"command": "cd new && echo more >> file.txt"}},
        {"Bash": {"command": "pwd"}},
    ]
    session = ground.session(make(name))
    events: list[Event] = []
    script = parse_script(json.dumps({"turns": [{"tools": calls}]}))
    with ScriptServer(script, cwd=str(ground.checkout)) as server:
        choice = ModelChoice(base_url=server.url, api_key="scripted")
        async with (
            opened(session, ground.engine) as sandbox,
            agent_for(session, sandbox, model=choice, bounds=Bounds(), places=Places(ground.checkout)) as agent,
        ):
            await agent.run("go", events.append)
            changes = await sandbox.freeze()
    told = {event.call_id: event for event in events if isinstance(event, ToolFinished)}
    assert not [event.text for event in told.values() if event.is_error]
    texts = [told[key].text for key in sorted(told)]
    assert texts[1:4] == [f"{ground.checkout}/src/main.py{rest}" for rest in ("", ":1:print('hi')", "")]
    assert texts[8] == f"{ground.checkout}/new"
    assert {change.path for change in changes.changes} == {b"src/main.py", b"new/file.txt"}


@pytest.mark.parametrize("uid", [None, STRANGER], ids=["the invoking uid", "a uid the image does not know"])
@pytest.mark.parametrize("name", ["busybox", "hostile"])
async def test_whoami_and_home_are_the_invoking_users(
    make: Callable[[str], Image], ground: Ground, name: str, uid: int | None
) -> None:
    session = ground.session(make(name), uid=uid)
    expected = os.getuid() if uid is None else uid
    login = "root" if expected == 0 else "agent"
    async with opened(session, ground.engine) as sandbox:
        assert await said(sandbox, "whoami; id -u; cd; pwd; echo ~; touch ~/x && echo wrote") == (
            f"{login}\n{expected}\n/home/agent\n/home/agent\nwrote\n"
        )
        await said(sandbox, "echo new > file")
    assert (session.upper / "file").stat().st_uid == expected


async def test_one_static_program_is_enough_and_a_shell_comes_along(
    make: Callable[[str], Image], ground: Ground
) -> None:
    async with opened(ground.session(make("one program")), ground.engine) as sandbox:
        result = await sandbox.run(Command(["/busybox.static", "echo", "hello"], sandbox.root))
        assert (result.exit_code, result.stdout.all) == (0, b"hello\n")
        assert await sandbox.shell() == "/opt/paddock/box/tools/sh"
        assert await said(sandbox, "echo $((6 * 7)); cat hello.txt") == "42\nhello\n"
        missing = await sandbox.run(Command(["nothing"], sandbox.root))
        assert missing.exit_code == 127


async def test_a_hostile_image_reaches_neither_the_guest_nor_what_is_brought_along(
    make: Callable[[str], Image], ground: Ground
) -> None:
    async with opened(ground.session(make("hostile")), ground.engine) as sandbox:
        container = await sandbox.ready()
        info = ground.engine.inspect(container.id)
        assert info is not None
        assert (info["Config"]["User"], info["Config"]["WorkingDir"]) == ("0:0", "/")
        assert info["State"].get("Health") is None
        for program in (PYTHON, RIPGREP):
            result = await sandbox.run(Command([program, "--version"], sandbox.root, env=APART))
            assert (result.exit_code, result.stderr.all) == (0, b""), result
        status = "for p in /proc/[0-9]*; do cat $p/maps 2>/dev/null; done | grep -c evil"
        assert (await sandbox.run(Command(["sh", "-c", status], sandbox.root))).stdout.all == b"0\n"
        assert container.channel.last_words == ""


async def test_what_an_image_asks_for_is_given_as_far_as_it_harms_nobody(
    make: Callable[[str], Image], ground: Ground
) -> None:
    async with opened(ground.session(make("hostile")), ground.engine) as sandbox:
        assert await said(sandbox, 'echo "$GREETING"; echo "$HOME $USER $PATH"') == (
            "hello = there\n/home/agent root /bin:/usr/bin:/opt/paddock/box/tools\n"
        )
        mounts = await said(sandbox, "cat /proc/self/mounts")
        places = {line.split()[1]: line.split() for line in mounts.splitlines()}
        assert (places["/data"][2], places["/data"][3][:14]) == ("tmpfs", "rw,nosuid,node")
        assert places["/etc"][3].startswith("ro")


async def test_nothing_of_the_toolbox_can_be_changed_from_inside(sandbox: DockerSandbox) -> None:
    script = "for f in /opt/paddock/x /opt/paddock/box/bin/python3 /etc/x /etc/passwd; do : >> $f && echo WROTE; done"
    result = await sandbox.run(Command(["sh", "-c", script], sandbox.root))
    assert b"WROTE" not in result.stdout.all


WORKS = """
set -e
printf 'all:\\n\\ttouch made\\n' > Makefile; make -s; test -e made
git init -q .; git add .; git commit -qm one; git log --format=%an | grep -q .
python3 -m venv .venv; .venv/bin/python -c 'import sys; assert sys.prefix != sys.base_prefix'
python3 -c 'import getpass, os; print(getpass.getuser(), os.path.expanduser("~"))'
"""


@pytest.mark.parametrize("uid", [None, STRANGER], ids=["the invoking uid", "a uid the image does not know"])
async def test_git_make_and_venv_work_in_the_base_image(image: Image, ground: Ground, uid: int | None) -> None:
    async with opened(ground.session(image, uid=uid), ground.engine) as sandbox:
        login = "root" if os.getuid() == 0 and uid is None else "agent"
        assert await said(sandbox, WORKS) == f"{login} /home/agent\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_an_image_with_an_older_python_and_c_library_works_as_an_unknown_uid(ground: Ground) -> None:
    """Debian 11 has Python 3.9 and glibc 2.31; the toolbox has 3.11 and 2.36. An older one cannot be had here."""
    old = definition.read(Path(__file__).with_name("debian11") / "debian11.toml")
    id_ = build.ensured(old, ground.engine.images, lambda _: None)
    async with opened(ground.session(Image("debian11", id_), uid=STRANGER), ground.engine) as sandbox:
        assert await said(sandbox, WORKS) == "agent /home/agent\n"
        assert (await said(sandbox, "python3 -V")).startswith("Python 3.9.")
        package = (
            "npm init -y > /dev/null && npm install --offline --silent && node -e 'console.log(os.userInfo().uid)'"
        )
        assert await said(sandbox, package) == f"{STRANGER}\n"
        assert "main.py" in await said(sandbox, "rg --files")
