"""One process at a time pauses a session's container, and none leaves it paused for good."""

from contextlib import nullcontext

import anyio
import anyio.to_thread
import docker.errors
import pytest

from sandbox.base import Command
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.pausing import Turn, paused_from_outside
from sandbox.sessions import Session

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def answers(sandbox: DockerSandbox, seconds: float) -> bool:
    """Whether a command comes to its end in that time."""
    with anyio.move_on_after(seconds):
        return (await sandbox.run(Command(["true"], sandbox.root))).exit_code == 0
    return False


def container_of(session: Session, engine: Engine) -> str:
    """The engine's id of the only container of a session."""
    (found,) = [one.id for one in engine.containers() if one.owner.session == session.id]
    return found


async def test_a_look_from_outside_pauses_and_the_sandbox_then_goes_on(
    sandbox: DockerSandbox, session: Session, engine: Engine
) -> None:
    assert await answers(sandbox, 30)
    id_ = container_of(session, engine)
    with paused_from_outside(session, engine):
        assert (engine.inspect(id_) or {})["State"]["Paused"]
    assert await answers(sandbox, 10)


async def test_two_looks_at_once_take_turns(sandbox: DockerSandbox, session: Session, engine: Engine) -> None:
    await sandbox.write(sandbox.root / "new.txt", b"x")

    def look() -> None:
        with paused_from_outside(session, engine):
            assert (engine.inspect(container_of(session, engine)) or {})["State"]["Paused"]

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(anyio.to_thread.run_sync, look)
            tasks.start_soon(sandbox.freeze)
    assert [change.path for change in (await sandbox.freeze()).changes] == [b"new.txt"]
    assert await answers(sandbox, 10)


async def test_what_a_killed_look_left_paused_goes_on(sandbox: DockerSandbox, session: Session, engine: Engine) -> None:
    assert await answers(sandbox, 30)
    turn = Turn(session)
    assert turn.try_take()
    turn.mark(True)
    engine.pause(container_of(session, engine))
    assert not Turn(session).try_take()
    turn.give_back()  # what the kernel does for a process that is killed
    assert await answers(sandbox, 20)
    with anyio.fail_after(10):
        while turn.is_marked():  # noqa: ASYNC110 - said by a thread, just after the sandbox goes on
            await anyio.sleep(0.05)


async def test_an_engine_that_believes_in_a_pause_that_is_over_is_told_again(
    sandbox: DockerSandbox, engine: Engine
) -> None:
    container = await sandbox.ready()
    engine.pause(container.id)
    engine.pause(container.id)
    info = engine.inspect(container.id)
    assert info is not None
    assert info["State"]["Paused"]
    engine.unpause(container.id)
    assert (await sandbox.run(Command(["true"], sandbox.root))).exit_code == 0


@pytest.mark.parametrize("failures", [4, 5])
async def test_a_runtime_that_gave_up_on_a_crowd_is_asked_again(
    sandbox: DockerSandbox, engine: Engine, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    container, pause, asked = await sandbox.ready(), engine._api.pause, []

    def failing(id_: str) -> None:
        asked.append(id_)
        if len(asked) <= failures:
            raise docker.errors.APIError("500", explanation="OCI runtime pause failed: unable to freeze: unknown")
        pause(id_)

    monkeypatch.setattr(engine._api, "pause", failing)
    with pytest.raises(SandboxError, match="held still") if failures == 5 else nullcontext():
        engine.pause(container.id)
    assert ((engine.inspect(container.id) or {})["State"]["Paused"], len(asked)) == (failures < 5, 5)
    if failures < 5:
        engine.unpause(container.id)
