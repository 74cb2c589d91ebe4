"""A sandbox's container dies, idles and comes back; its files stay, and what was running is not taken for done."""

from collections.abc import Callable

import anyio
import anyio.to_thread
import pytest

from sandbox.base import Call, Command
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import SandboxError, SandboxLost
from sandbox.gate.provenance import causes
from sandbox.opening import opened
from sandbox.pausing import paused_from_outside
from sandbox.sessions import Session
from sandbox.states import Patience, farewell, storm

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("deaths", "now", "rest"),
    [
        ((), 100.0, 0.0),
        ((99.0, 99.5), 100.0, 0.0),
        ((98.0, 99.0, 99.5), 100.0, 58.0),
        ((98.0, 99.0, 99.5), 157.0, 1.0),
        ((98.0, 99.0, 99.5), 158.0, 0.0),
        ((40.0, 41.0, 99.0, 99.5), 100.0, 1.0),
        ((10.0, 98.0, 98.5, 99.0, 99.5), 100.0, 58.5),
    ],
)
def test_three_deaths_within_a_minute_are_a_storm(deaths: tuple[float, ...], now: float, rest: float) -> None:
    assert storm(deaths, now, Patience()) == rest


def test_a_new_container_is_explained_unless_it_is_the_first() -> None:
    assert farewell("new", Patience()) == ""
    assert "was stopped after 30 minutes without a call" in farewell("idle", Patience())
    assert "was stopped after 90 s without a call" in farewell("idle", Patience(idle=90))
    assert "had ended by itself" in farewell("died", Patience())
    assert "/tmp and $HOME are empty" in farewell("idle", Patience())


def containers(session: Session, engine: Engine) -> list[str]:
    """The engine's ids of a session's containers."""
    return [one.id for one in engine.containers() if one.owner.session == session.id]


async def said(sandbox: DockerSandbox, script: str) -> bytes:
    """What a script prints."""
    return (await sandbox.run(Command(["sh", "-c", script], sandbox.root, timeout=60))).stdout.all


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that an engine or a sandbox does in its own time."""
    with anyio.fail_after(30):
        while not await anyio.to_thread.run_sync(condition):  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def gone(session: Session, engine: Engine) -> None:
    """Wait until no container of a session is left."""
    await until(lambda: not containers(session, engine))


@pytest.mark.engine
@pytest.mark.parametrize("way", ["docker rm -f", "docker kill", "docker stop"])
async def test_a_container_that_is_killed_during_a_call_leaves_its_outcome_unknown_and_the_next_call_goes_on(
    sandbox: DockerSandbox, session: Session, engine: Engine, way: str
) -> None:
    await said(sandbox, "echo before > before.txt; echo lost > /tmp/lost")
    first = (await sandbox.ready()).id

    async def kill() -> None:
        await until((session.upper / "during.txt").exists)
        match way:
            case "docker rm -f":
                await anyio.to_thread.run_sync(engine.remove, first)
            case "docker kill":
                await anyio.to_thread.run_sync(engine._api.kill, first)
            case _:
                await anyio.to_thread.run_sync(engine._api.stop, first)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kill)
        with pytest.raises(SandboxLost, match="outcome of what was running is unknown; the workspace is kept"):
            await said(sandbox, "echo during > during.txt; sleep 60")
    assert await said(sandbox, "cat before.txt during.txt; test -e /tmp/lost; echo $?") == b"before\nduring\n1\n"
    assert (await sandbox.ready()).id != first
    assert "had ended by itself and was started again" in sandbox.take_news()
    assert {change.path for change in (await sandbox.freeze()).changes} == {b"before.txt", b"during.txt"}
    assert len(containers(session, engine)) == 1


@pytest.mark.engine
async def test_a_container_that_dies_between_two_calls_is_news_once(
    sandbox: DockerSandbox, session: Session, engine: Engine
) -> None:
    await said(sandbox, "echo x > x")
    assert sandbox.take_news() == ""
    engine.remove((await sandbox.ready()).id)
    await gone(session, engine)
    await until(lambda: not sandbox._life.is_running)
    assert await said(sandbox, "cat x") == b"x\n"
    assert "had ended by itself and was started again" in sandbox.take_news()
    assert sandbox.take_news() == ""


@pytest.mark.engine
async def test_what_dies_again_and_again_is_not_started_again_for_a_while(session: Session, engine: Engine) -> None:
    async with opened(session, engine, patience=Patience(deaths=2, window=4.0)) as sandbox:
        for _ in range(2):
            with pytest.raises(SandboxLost):
                async with sandbox.using() as container, container.channel.stream() as stream:
                    await anyio.to_thread.run_sync(engine.remove, container.id)
                    await stream.receive()
        with pytest.raises(SandboxError, match="ended by itself 2 times within 4 s: it is not started again"):
            await said(sandbox, "true")
        assert containers(session, engine) == []
        await anyio.sleep(4.5)
        assert await said(sandbox, "echo back") == b"back\n"


@pytest.mark.engine
async def test_r29_an_idle_sandbox_has_no_container_and_comes_back_with_its_files(
    session: Session, engine: Engine
) -> None:
    async with opened(session, engine, patience=Patience(idle=0.5)) as sandbox:
        await said(sandbox, "echo kept > kept; echo lost > /tmp/lost; echo lost > ~/lost; sleep 1000 & echo x > also")
        await gone(session, engine)
        assert await sandbox.running() == 0
        assert {change.path for change in (await sandbox.freeze()).changes} == {b"kept", b"also"}
        assert containers(session, engine) == []  # a look starts none
        assert await said(sandbox, "cat kept; cat /tmp/lost ~/lost | wc -c") == b"kept\n0\n"
        assert "was stopped after" in sandbox.take_news()


@pytest.mark.engine
async def test_a_call_is_never_idle(session: Session, engine: Engine) -> None:
    async with opened(session, engine, patience=Patience(idle=0.3)) as sandbox:
        assert await said(sandbox, "sleep 1.5; echo done") == b"done\n"
        async with sandbox.using() as container:
            await anyio.sleep(1)
            assert containers(session, engine) == [container.id]
        await gone(session, engine)


@pytest.mark.engine
async def test_a_sandbox_that_nobody_needs_starts_no_container(session: Session, engine: Engine) -> None:
    async with opened(session, engine, lazily=True) as sandbox:
        assert await sandbox.running() == 0
        assert (await sandbox.freeze()).changes == ()
        assert await sandbox.note(Call("1", "Bash", "true")) == ()
        await anyio.sleep(0.5)
        assert containers(session, engine) == []
        await sandbox.write(sandbox.root / "new", b"x")
        assert len(containers(session, engine)) == 1
        assert sandbox.take_news() == ""
        assert [change.path for change in (await sandbox.freeze()).changes] == [b"new"]


@pytest.mark.engine
async def test_while_somebody_looks_from_outside_at_an_idle_sandbox_none_is_started(
    session: Session, engine: Engine
) -> None:
    async with opened(session, engine, lazily=True) as sandbox, anyio.create_task_group() as tasks:
        with paused_from_outside(session, engine):
            tasks.start_soon(said, sandbox, "echo x > new")
            await anyio.sleep(1)
            assert containers(session, engine) == []
            assert list(session.upper.iterdir()) == []
        await until((session.upper / "new").exists)


@pytest.mark.engine
async def test_what_changed_when_the_container_died_is_noted_as_nobodys_doing(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        container = await sandbox.ready()

        async def die() -> None:
            await until((session.upper / "half").exists)
            await anyio.to_thread.run_sync(engine.remove, container.id)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(die)
            with pytest.raises(SandboxLost):
                await said(sandbox, "echo x > half; sleep 60")
        await said(sandbox, "true")
        assert [(cause.call, cause.manner) for cause in causes(session, b"half")] == [("", "unknown")]
