"""Group V, against a real engine: what a crash leaves, what the next start makes of it, and that it says the truth.

Every system call at which an apply, an undo and a recovery can be cut is in tests/sandbox/gate/test_faults.py.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from sandbox.errors import CheckoutRefused
from sandbox.gate.apply import Applied, Conflicts
from sandbox.opening import opened
from sandbox.orphans import sweep
from tests.attacks.scene import listed

pytestmark = [pytest.mark.engine, pytest.mark.anyio]
ROOT = Path(__file__).parents[2]


async def test_c22_an_apply_from_a_live_sandbox_is_taken_back_and_waits_again(scene):
    before = scene.outside()
    changes = await scene.after(
        "echo agent > hello.txt; rm -r src; mkdir -p deep/er; printf '\\0' > deep/er/new; ln -s hello.txt link"
    )
    assert isinstance(await scene.apply_all(changes), Applied)
    assert scene.outside() == await scene.inside()
    result = await scene.project.undo()
    assert isinstance(result, Applied)
    assert result.kept == ()
    assert scene.outside() == before
    assert (await scene.project.freeze()).changes == changes.changes
    assert await scene.project.undo() is None
    assert isinstance(await scene.apply_all(await scene.project.freeze()), Applied)
    assert scene.outside() == await scene.inside()


async def test_c22_what_the_user_changed_since_stops_an_undo(scene):
    changes = await scene.after("echo agent > a; echo agent > b")
    await scene.apply_all(changes)
    (scene.checkout / "a").write_text("user")
    result = await scene.project.undo()
    assert isinstance(result, Conflicts)
    assert [one.path for one in result.conflicts] == [b"a"]
    assert ((scene.checkout / "a").read_text(), (scene.checkout / "b").read_text()) == ("user", "agent\n")


async def test_a_checkout_replaced_during_a_run_gets_nothing_and_the_change_set_stays(scene):
    changes = await scene.after("echo agent > new")
    moved = scene.checkout.with_name("moved")
    scene.checkout.rename(moved)
    shutil.copytree(moved, scene.checkout)
    with pytest.raises(CheckoutRefused, match="moved or replaced: nothing was written"):
        await scene.apply_all(changes)
    assert not (scene.checkout / "new").exists()
    shutil.rmtree(scene.checkout)
    moved.rename(scene.checkout)
    assert isinstance(await scene.apply_all(changes), Applied)
    assert listed(changes) == {("added", b"new")}


async def test_a_session_is_not_opened_on_another_folder_of_the_same_name(session, engine, checkout):
    async with opened(session, engine) as sandbox:
        assert (await sandbox.freeze()).changes == ()
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    shutil.copytree(moved, checkout)
    with pytest.raises(CheckoutRefused, match="something else since this session began"):
        async with opened(session, engine) as sandbox:
            await sandbox.freeze()
    shutil.rmtree(checkout)
    moved.rename(checkout)
    async with opened(session, engine) as sandbox:
        assert (await sandbox.freeze()).changes == ()


STOPPED = """
import sys, anyio
from pathlib import Path
from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session

async def main():
    async with opened(Session(Path(sys.argv[1])), Engine.connect()) as sandbox:
        await sandbox.run(Command(["true"], sandbox.root))
        print("ready", flush=True)
        done = await sandbox.run(Command(["sh", "-c", "sleep 1; echo during"], sandbox.root, timeout=60))
        again = await sandbox.run(Command(["echo", "after"], sandbox.root))
        print(done.exit_code, done.stdout.all, done.timed_out, again.stdout.all, flush=True)

anyio.run(main)
"""

KILLED_BEFORE_THE_START = """
import os, signal, sys, anyio
from pathlib import Path
from sandbox.container import create
from sandbox.engine import Engine
from sandbox.hiding.hiding import Hiding
from sandbox.sessions import Session

class Dying(Engine):
    def start(self, container):
        os.kill(os.getpid(), signal.SIGKILL)

session = Session(Path(sys.argv[1]))
hiding = Hiding(session)

async def main():
    async with anyio.create_task_group() as tasks:
        hiding.begin(tasks)
        await create(session, Dying.connect(), hiding.lay, {})

anyio.run(main)
"""


def started(code, session):
    """One of these programs, on a session."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(session.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


async def test_c10_a_host_process_that_was_stopped_for_a_while_goes_on_where_it_was(session):
    process = started(STOPPED, session)
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        await anyio.sleep(2.5)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.readline() == "0 b'during\\n' False b'after\\n'\n"
    assert process.returncode == 0


async def test_c21_killed_between_making_a_container_and_starting_it_leaves_nothing_for_long(session, engine):
    process = started(KILLED_BEFORE_THE_START, session)
    assert process.wait(60) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    (left,) = [one for one in engine.containers() if one.owner.session == session.id]
    assert not left.owner.is_alive()
    sweep(engine)
    assert [one for one in engine.containers() + engine.volumes() if one.owner.session == session.id] == []
    async with opened(session, engine) as sandbox:
        assert (await sandbox.freeze()).changes == ()


async def test_c16_a_lock_file_of_a_dead_or_reused_pid_holds_nobody_up(session, engine):
    (session.path / "lock").write_text(f"{os.getppid()}\n")  # a process that lives, and is another one
    async with opened(session, engine) as sandbox:
        assert (await sandbox.freeze()).changes == ()
        assert session.is_held()
    assert not session.is_held()
