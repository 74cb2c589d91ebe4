"""Group I, neighbours: sessions side by side and one after the other see nothing of each other."""

from collections.abc import Callable

import anyio
import pytest

from sandbox.base import Command
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

LEAVE = """
for place in /tmp /var/tmp /dev/shm ~ .; do echo CANARY > $place/left 2>/dev/null; done
python3 -c "
import socket, time
abstract = socket.socket(socket.AF_UNIX); abstract.bind(chr(0) + 'canary'); abstract.listen()
server = socket.create_server(('127.0.0.1', 4321))
print('ready', flush=True); time.sleep(600)
" & sleep 1
"""
LOOK = """
grep -rl CANARY /tmp /var/tmp /dev/shm ~ . 2>/dev/null
python3 -c "
import socket
for family, address in ((socket.AF_UNIX, chr(0) + 'canary'), (socket.AF_INET, ('127.0.0.1', 4321))):
    try:
        socket.socket(family).connect(address); print('REACHED', address)
    except OSError:
        pass
"
echo looked
"""


async def said(sandbox: DockerSandbox, script: str) -> str:
    result = await sandbox.run(Command(["bash", "-c", script], sandbox.root, timeout=60))
    return result.stdout.all.decode(errors="replace")


async def test_i21_a_session_sees_nothing_of_one_beside_it_or_before_it(
    new_session: Callable[[], Session], engine: Engine
) -> None:
    async with opened(new_session(), engine) as first:
        assert "ready" in await said(first, LEAVE)
        assert (await said(first, "cat /tmp/left")) == "CANARY\n"
        assert "REACHED" in await said(first, LOOK)  # it is there to be seen
        async with opened(new_session(), engine) as beside:
            assert await said(beside, LOOK) == "looked\n"
    async with opened(new_session(), engine) as after:
        assert await said(after, LOOK) == "looked\n"


@pytest.mark.profiles("default", "egress", "build", "compat")
async def test_i29_sessions_that_start_at_once_on_one_checkout_share_nothing_they_can_write(
    new_session: Callable[[], Session], engine: Engine
) -> None:
    sessions = [new_session() for _ in range(6)]
    seen: dict[str, str] = {}
    writable: list[str] = []

    async def run(session: Session) -> None:
        async with opened(session, engine) as sandbox:
            await said(sandbox, f"echo {session.id} >> shared; echo {session.id} >> hello.txt")
            seen[session.id] = await said(sandbox, "cat shared hello.txt")
            facts = engine.inspect((await sandbox.ready()).id)
            assert facts is not None
            writable.extend(mount.get("Name") or mount["Source"] for mount in facts["Mounts"] if mount["RW"])

    async with anyio.create_task_group() as tasks:
        for session in sessions:
            tasks.start_soon(run, session)
    assert seen == {session.id: f"{session.id}\nhello\n{session.id}\n" for session in sessions}
    assert len(set(writable)) == len(writable) == len(sessions)
