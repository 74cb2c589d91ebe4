"""I-21, I-29 and A19.3: many sandboxes at once on one engine. Each has its own of everything, and all of them go."""

import json
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from images.errors import ImageError
from images.image import Image
from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.gate.freeze import frozen
from sandbox.opening import opened, prepare
from sandbox.sessions import Session, Sessions

pytestmark = [pytest.mark.anyio, pytest.mark.engine]
ROOT = Path(__file__).parents[2]

MARK = """
for place in . /tmp /var/tmp ~ /dev/shm; do echo $0 > $place/mark; done
(exec -a "sleeper-$0" sleep 600 >/dev/null 2>&1 &)
python3 -c 'import socket, sys, time
one = socket.socket(socket.AF_UNIX); one.bind("\\0mark"); one.listen(); print("bound", flush=True); time.sleep(600)' \
    >/tmp/bound 2>&1 </dev/null &
until grep -qs . /tmp/bound; do sleep 0.05; done
cat /tmp/bound
"""
"""Leave a mark in every place that could be shared: files, memory, processes, and names of abstract sockets."""

LOOK = """
cat mark /tmp/mark /var/tmp/mark ~/mark /dev/shm/mark | sort -u
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep ^sleeper- | sort -u
ls /dev/shm | wc -l
"""

RUNNER = """
import json, sys, anyio
from pathlib import Path
from sandbox.engine import Engine
from sandbox.sessions import Session
from tests.attacks.test_many import together

sessions = [Session(Path(path)) for path in sys.argv[1:]]
print(json.dumps(anyio.run(together, sessions, Engine.connect())))
"""


async def together(sessions: list[Session], engine: Engine) -> list[str]:
    """Open all of them at once; what each saw when every one had left its marks, or why it did not start."""
    seen = [""] * len(sessions)
    waiting, everybody = set(range(len(sessions))), anyio.Event()

    def there(number: int) -> None:
        waiting.discard(number)
        if not waiting:
            everybody.set()

    async def one(number: int, session: Session) -> None:
        async with opened(session, engine) as sandbox:

            async def said(script: str) -> str:
                command = Command(["bash", "-c", script, session.id], sandbox.root, timeout=100)
                result = await sandbox.run(command)
                return (result.stdout.all + result.stderr.all).decode()

            try:
                assert await said(MARK) == "bound\n"
                there(number)
                await everybody.wait()
                seen[number] = await said(LOOK)
            except (SandboxError, ImageError, AssertionError) as error:
                seen[number] = f"{type(error).__name__}: {error}"
                there(number)

    async with anyio.create_task_group() as tasks:
        for number, session in enumerate(sessions):
            tasks.start_soon(one, number, session)
    return seen


def expected(session: Session) -> str:
    return f"{session.id}\nsleeper-{session.id}\n1\n"


def nothing_is_left(sessions: list[Session], engine: Engine) -> None:
    ours = {session.id for session in sessions}
    assert [one for one in (*engine.containers(), *engine.volumes()) if one.owner.session in ours] == []
    for session in sessions:
        assert [change.path for change in frozen(session).changes] == [b"mark"]
        assert (session.upper / "mark").read_text() == f"{session.id}\n"


def made(number: int, state: Path, checkout: Path, image: Image) -> list[Session]:
    return [prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image) for _ in range(number)]


async def test_i21_eight_at_once_see_nothing_of_each_other(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    sessions = made(8, state, checkout, image)
    assert await together(sessions, engine) == [expected(session) for session in sessions]
    nothing_is_left(sessions, engine)


async def test_i29_no_mount_that_can_be_written_is_shared_by_two_containers(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    sessions = made(6, state, checkout, image)
    sources: list[str] = []

    async def one(session: Session, everybody: anyio.Event) -> None:
        async with opened(session, engine) as sandbox:
            facts = await anyio.to_thread.run_sync(engine.inspect, (await sandbox.ready()).id)
            assert facts is not None
            sources.extend(mount.get("Name") or mount["Source"] for mount in facts["Mounts"] if mount["RW"])
            if len(sources) >= len(sessions):
                everybody.set()
            await everybody.wait()

    with anyio.fail_after(100):
        async with anyio.create_task_group() as tasks:
            everybody = anyio.Event()
            for session in sessions:
                tasks.start_soon(one, session, everybody)
    assert len(sources) == len(set(sources)) == len(sessions)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a19_thirty_two_at_once_all_become_ready_and_nothing_leaks(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    sessions = made(32, state, checkout, image)
    assert await together(sessions, engine) == [expected(session) for session in sessions]
    nothing_is_left(sessions, engine)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a19_four_processes_with_eight_each_do_not_get_in_each_others_way(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    sessions = made(32, state, checkout, image)
    groups = [sessions[start : start + 8] for start in range(0, 32, 8)]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUNNER, *(str(session.path) for session in group)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for group in groups
    ]
    seen = [json.loads(run.communicate(timeout=250)[0]) for run in runs]
    assert seen == [[expected(session) for session in group] for group in groups]
    nothing_is_left(sessions, engine)


async def test_a_start_that_cannot_be_names_its_cause_and_hinders_no_other(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    sessions = made(4, state, checkout, image)
    broken = sessions[2]
    broken.save(broken.meta().model_copy(update={"image": "sha256:" + "0" * 64}))
    seen = await together(sessions, engine)
    assert [text for session, text in zip(sessions, seen, strict=True) if session is not broken] == [
        expected(session) for session in sessions if session is not broken
    ]
    assert "UnknownImage" in seen[2]
    assert "is not on the engine" in seen[2]
