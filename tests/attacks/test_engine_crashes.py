"""C-06 and C-07: the engine itself is killed. Played on a second engine, for nobody else may lose theirs."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import anyio
import pytest

from images import catalog
from sandbox import toolbox
from sandbox.base import Command
from sandbox.errors import EngineUnavailable, SandboxLost
from sandbox.gate.freeze import frozen
from sandbox.opening import opened, prepare
from sandbox.orphans import sweep
from sandbox.sessions import Sessions
from sandbox.states import Patience
from tests.attacks.scene import facts
from tests.secondengine import MARKS, second_engine

pytestmark = MARKS
ROOT = Path(__file__).parents[2]

COUNTING = "echo before > before.txt; i=0; while :; do i=$((i+1)); echo $i >> count.txt; sleep 0.05; done"
"""A command that never ends, and shows by a file that it runs."""

RUNNER = f"""
import sys, anyio
from pathlib import Path
from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session

async def main():
    async with opened(Session(Path(sys.argv[1])), Engine.connect()) as sandbox:
        await sandbox.run(Command(["sh", "-c", {COUNTING!r}], sandbox.root, timeout=600))

anyio.run(main)
"""


@pytest.fixture(scope="module")
def second(image, engine):
    """A second engine with the base image on it; the machine's own engine and network are afterwards as before."""
    before = (network(), engine.facts()["ID"])
    tag = next(tag for tag, id_ in engine.images.tags("paddock/base").items() if id_ == image.id)
    with second_engine() as one:
        one.take(tag)
        with one.connection() as theirs:
            toolbox.ensure(theirs, lambda _: None)  # which takes longer than all that is waited for below
        yield one
    assert (network(), engine.facts()["ID"]) == before


@pytest.fixture
def theirs(second):
    """The second engine, running, as ours to talk to; it holds nothing afterwards."""
    with second.connection() as engine:
        yield engine
    if not second.is_running():
        second.start()
    with second.connection() as engine:
        for one in engine.containers():
            engine.remove(one.id)
        for one in engine.volumes():
            engine.remove_volume(one.id)
    gc.collect()


@pytest.fixture
def session(theirs, state, checkout):
    """A session of the checkout, for the second engine."""
    image = catalog.resolve(catalog.DEFAULT, theirs.images, lambda _: None)
    return prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image)


def network():
    """The machine's network devices; a number that changes tells that one was made anew."""
    return {folder.name: (folder / "ifindex").read_text() for folder in Path("/sys/class/net").iterdir()}


def of(session, engine):
    """How many containers and volumes of a session an engine holds; what it only goes on listing is not there."""
    containers = [one for one in engine.containers() if engine.inspect(one.id) is not None]
    volumes = engine.volumes()
    return tuple(len([one for one in some if one.owner.session == session.id]) for some in (containers, volumes))


def counted(session):
    """How far the command in the sandbox has come, as the host sees it."""
    path = session.upper / "count.txt"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def counting(sandbox, session, then):
    """Run the command, and do something else as soon as it has written."""

    async def act():
        await anyio.to_thread.run_sync(wait_until, lambda: counted(session) > 3)
        await anyio.to_thread.run_sync(then)

    async with anyio.create_task_group() as group:
        group.start_soon(act)
        await sandbox.run(Command(["sh", "-c", COUNTING], sandbox.root, timeout=60))


async def test_c06_what_was_in_flight_is_unknown_and_the_session_goes_on_when_the_engine_is_back(
    second, theirs, session, checkout, tmp_path
):
    before, marker = facts(checkout), tmp_path / "on-the-host"
    touch = Command(["touch", str(marker)], checkout)
    async with opened(session, theirs, patience=Patience(engine=1.0)) as sandbox:
        with pytest.raises(SandboxLost, match="outcome of what was running is unknown; the workspace is kept"):
            try:
                await counting(sandbox, session, second.kill)
            except* SandboxLost as several:
                raise several.exceptions[0] from None
        with pytest.raises(EngineUnavailable, match="nothing was run on the host instead"):
            await sandbox.run(touch)
        with pytest.raises(EngineUnavailable, match="nothing was run on the host instead"):
            await sandbox.freeze()
    async with opened(session, theirs) as sandbox:
        with pytest.raises(EngineUnavailable, match="nothing was run on the host instead"):
            await sandbox.run(touch)
    assert {change.path for change in frozen(session).changes} == {b"before.txt", b"count.txt"}  # without any engine
    second.start()
    with second.connection() as again:
        async with opened(session, again) as sandbox:
            shown = await sandbox.run(Command(["cat", "before.txt"], sandbox.root))
            assert shown.stdout.all == b"before\n"
            reached = counted(session)
            assert {change.path for change in (await sandbox.freeze()).changes} == {b"before.txt", b"count.txt"}
            assert of(session, again)[0] == 1
            assert counted(session) == reached > 3  # the old one runs no more
    assert facts(checkout) == before
    assert not marker.exists()


def test_c06_the_model_is_told_that_it_is_unknown(second, theirs, project, script, variables, paddock, tmp_path):
    environment = {**variables, "DOCKER_HOST": second.address}
    asked = json.dumps({"tools": [{"Bash": {"command": COUNTING}}]})
    turns = (asked, '{tools: [{Bash: {command: "echo here"}}]}', "{text: done}")
    command = [sys.executable, "-m", "cli.main", "run", "go", "--apply", "never", "--script", script(*turns)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=project, env=environment, **streams) as process:
        wait_until(lambda: list((tmp_path / "state").glob("paddock/sessions/*/upper/count.txt")))
        second.kill()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "outcome of what was running is unknown" in said
    assert "nothing was run on the host instead" in said
    (transcript,) = (tmp_path / "state").glob("paddock/sessions/*/transcript.jsonl")
    assert "may or may not have taken effect" in transcript.read_text()
    second.start()
    again = paddock(
        *("run", "-c", "go on", "--apply", "never", "--script", script("{text: done}")),
        cwd=project,
        DOCKER_HOST=second.address,
    )
    assert again.returncode == 0, again.stderr
    assert "A before.txt" in again.stderr
    assert sorted(os.listdir(project)) == [".gitignore", "a.txt"]


@pytest.mark.parametrize("live_restore", [False, True], ids=["all-ended", "live-restore"])
async def test_c06_a_session_goes_on_by_itself_when_its_engine_is_restarted(second, theirs, session, live_restore):
    async with opened(session, theirs) as sandbox, anyio.create_task_group() as group:
        await sandbox.run(Command(["sh", "-c", "echo done > completed.txt"], sandbox.root))
        with pytest.raises(SandboxLost, match="outcome of what was running is unknown; the workspace is kept"):
            try:
                await counting(sandbox, session, second.kill)
            except* SandboxLost as several:
                raise several.exceptions[0] from None
        group.start_soon(anyio.to_thread.run_sync, partial(second.start, live_restore=live_restore))
        shown = await sandbox.run(Command(["cat", "completed.txt", "before.txt"], sandbox.root))  # while it restarts
        assert shown.stdout.all == b"done\nbefore\n"
        reached = counted(session)
        assert of(session, theirs)[0] == 1
        found = {change.path for change in (await sandbox.freeze()).changes}
        assert found == {b"completed.txt", b"before.txt", b"count.txt"}
        assert counted(session) == reached  # the old one runs no more
    assert of(session, theirs) == (0, 0)


@pytest.mark.parametrize("live_restore", [False, True], ids=["all-ended", "live-restore"])
async def test_c07_after_a_restart_ours_are_gone_or_swept_and_foreign_ones_untouched(
    second, theirs, session, variables, live_restore
):
    with second.client() as client:
        foreign = client.create_container_from_config(
            {
                "Image": session.meta().image,
                "Entrypoint": ["sleep", "600"],
                "StopSignal": "SIGKILL",
                "Labels": {"other": "1"},
                "HostConfig": {"NetworkMode": "none"},
            }
        )["Id"]
        client.create_volume("foreign", labels={"other": "1"})
        client.start(foreign)
    environment = {**variables, "DOCKER_HOST": second.address}
    with subprocess.Popen([sys.executable, "-c", RUNNER, str(session.path)], cwd=ROOT, env=environment) as owner:
        wait_until(lambda: counted(session) > 3)
        second.kill()
        owner.send_signal(signal.SIGKILL)
    second.start(live_restore=live_restore)
    try:
        with second.connection() as engine:
            sweep(engine)
            assert of(session, engine) == (0, 0)
            async with opened(session, engine) as sandbox:
                assert await sandbox.read(sandbox.root / "before.txt") == b"before\n"
                assert of(session, engine) == (1, 1)
            assert of(session, engine) == (0, 0)
            found = engine.inspect(foreign)
            assert found is not None
            assert found["State"]["Running"] == live_restore
            with second.client() as client:
                assert client.inspect_volume("foreign")["Labels"] == {"other": "1"}
    finally:
        with second.client() as client:
            client.remove_container(foreign, force=True)
            client.remove_volume("foreign")
