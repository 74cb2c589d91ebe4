"""Background commands that do harm: bombs, floods and orphans. The session goes on, and what they wrote is known."""

import anyio
import pytest

from sandbox.base import Call, Command, Process
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.gate.notes import notes, path_of
from sandbox.opening import opened
from sandbox.sessions import Session
from tests.attacks.test_resources import assert_alive, shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def start(sandbox: DockerSandbox, script: str, call: str = "") -> Process:
    return await sandbox.start(Command(["bash", "-c", script], sandbox.root, call_id=call))


async def test_r02_a_fork_bomb_in_the_background_can_be_killed(sandbox: DockerSandbox) -> None:
    bomb = "import os, time\nos.setsid()\nwhile True:\n try: os.fork()\n except OSError: time.sleep(0.01)"
    process = await sandbox.start(
        Command(["python3", "-c", f"import os\nif os.fork(): os.wait()\n{bomb}"], sandbox.root)
    )
    await anyio.sleep(1)
    with anyio.fail_after(40):
        await process.kill()
    assert await sandbox.running() == 0
    await assert_alive(sandbox)


async def test_r01_floods_in_the_background_leave_room_for_other_calls(sandbox: DockerSandbox) -> None:
    floods = [await start(sandbox, "exec yes") for _ in range(8)]
    for _ in range(10):
        await assert_alive(sandbox)
    with anyio.fail_after(60):
        for flood in floods:
            await flood.kill()
    assert {flood.status for flood in floods} == {"killed"}


async def test_r17_children_that_outlive_a_background_command_are_counted(sandbox: DockerSandbox) -> None:
    process = await start(sandbox, "setsid sleep 1000 & exit 0")
    result = await process.wait()
    assert (result.exit_code, result.left_running) == (0, 1)
    assert await sandbox.running() == 1


async def test_what_runs_in_the_background_ends_with_the_sandbox(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        process = await start(sandbox, "setsid sleep 1000 & sleep 1000")
    assert process.status in ("lost", "exited", "killed")
    assert [one for one in engine.containers() if one.owner.session == session.id] == []


async def test_what_a_background_command_writes_is_put_down_to_it(sandbox: DockerSandbox, session: Session) -> None:
    writer = (
        "while [ ! -e go ]; do sleep 0.02; done; echo late > late; while [ ! -e end ]; do sleep 0.02; done; echo x > x"
    )
    await start(sandbox, writer, "bg")
    await sandbox.note(Call("bg", "Bash", "the server"))
    await shell(sandbox, "touch go; while [ ! -e late ]; do sleep 0.02; done")
    await sandbox.note(Call("beside", "Bash", "another"))
    process = sandbox.processes[0]
    await shell(sandbox, "touch end")
    await process.wait()
    await sandbox.note(None)
    await shell(sandbox, "echo alone > alone")
    await sandbox.note(Call("last", "Bash", "alone"))
    causes = {trace.path: cause.sentence for cause, traces in notes(path_of(session)) for trace in traces}
    assert causes[b"late"] == "Bash another (or a process an earlier call left running)"
    assert causes[b"x"] == "after Bash the server, by a process it left running"
    assert causes[b"alone"] == "Bash alone"
