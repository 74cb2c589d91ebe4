"""Project quotas: whatever writes, a workspace takes no more than its limit and a little; what is met is named."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from images.image import Image
from sandbox import projects, quota
from sandbox.choice import BaseKind, Choice
from sandbox.disk import Room
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import FileError
from sandbox.gate.discard import discard_all
from sandbox.leftovers import remove
from sandbox.opening import opened, prepare
from sandbox.profile import MIB
from sandbox.sessions import Session, Sessions
from sandbox.workspace import project
from sandbox.workspace.project import FIRST, hard, is_limited
from sandbox.workspace.tree import overlay_of
from tests.attacks.scene import shell
from tests.loopdisk import mounted

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.root,
    pytest.mark.timeout(600),  # in a virtual machine without the processor's help
    pytest.mark.parametrize("kind", ["ext4 with quotas", "xfs with quotas"]),
]

MOST = Room(200 * MIB, 1_000_000)
HARD = hard(MOST)


@pytest.fixture
def state(kind: str, tmp_path: Path) -> Iterator[Path]:
    """A state folder on a file system with project quotas."""
    with mounted(kind, tmp_path / "state", tmp_path / "image") as folder:
        yield folder


@pytest.fixture
def choice(base: BaseKind) -> Choice:
    """A limit that is soon reached."""
    return Choice(base=base, disk=MOST.size)


def free_name(session: Session) -> int:
    """The project that a session would get first."""
    return FIRST + uuid.UUID(session.id).int % FIRST


def has_limit(folder: Path, project: int) -> bool:
    """Whether anybody has set a limit for a project where this folder is."""
    trial = folder / "trial"
    trial.mkdir()
    projects.join(trial, project)
    found = os.statvfs(trial).f_blocks != os.statvfs(folder).f_blocks
    trial.rmdir()
    return found


async def wait_limited(session: Session, limit: Room = HARD) -> None:
    """Return when the limit holds, which is set beside the start."""
    with anyio.fail_after(120):
        while not (projects.project_of(session.upper) and is_limited(session, limit)):  # noqa: ASYNC110
            await anyio.sleep(0.05)


async def said(sandbox: DockerSandbox, script: str) -> list[str]:
    return [str(limit) for limit in (await shell(sandbox, script, timeout=300)).limits]


async def test_r05_nothing_is_written_beyond_the_limit_and_it_is_named_and_deleting_lifts_it(
    session: Session, sandbox: DockerSandbox
) -> None:
    await sandbox.ready()
    await wait_limited(session)
    assert (session.work / "work").exists()
    found = await said(sandbox, "for i in $(seq 8); do (head -c 1G /dev/zero > z$i) & done; wait")
    assert len(found) == 1
    assert found[0].startswith("disk limit 200 MiB reached: ")
    assert sum(path.stat().st_blocks * 512 for path in session.upper.iterdir()) <= HARD.size
    (found,) = await said(sandbox, "for i in $(seq 60); do head -c 8M /dev/zero > s$i || break; done")
    assert found.startswith("disk limit 200 MiB reached: ")  # XFS has given back what it took for the files to grow
    assert "until something is deleted" in (await said(sandbox, "head -c 5M /dev/zero > more"))[0]
    with pytest.raises(FileError, match="disk limit 200 MiB reached"):
        await sandbox.write(sandbox.root / "new", b"x")
    assert await said(sandbox, "rm -f z* s[0-9]* more; echo x > hello.txt; rm src/main.py") == []
    assert (await shell(sandbox, "head -c 5M /dev/zero > more && echo well")).stdout.all == b"well\n"
    await sandbox.write(sandbox.root / "new", b"x")


async def test_r05_a_program_that_meets_it_between_two_looks_is_told_which_limit_it_was(
    session: Session, sandbox: DockerSandbox
) -> None:
    await sandbox.ready()
    await wait_limited(session)
    result = await shell(sandbox, "head -c 1G /dev/zero > z || echo ended", timeout=300)
    assert str(result.limits[0]).startswith("disk limit 200 MiB reached")
    assert len(result.limits) == 1


async def test_r05_a_file_without_a_name_counts_for_the_session_too(session: Session, sandbox: DockerSandbox) -> None:
    await sandbox.ready()
    await wait_limited(session)
    (found,) = await said(sandbox, "exec 5>z; rm z; head -c 1G /dev/zero >&5; sleep 5")
    assert found.startswith("disk limit 200 MiB reached")
    with anyio.fail_after(60):  # the kernel takes its time to free what has no name
        while await said(sandbox, "head -c 5M /dev/zero > more"):  # noqa: ASYNC110
            await anyio.sleep(0.2)


async def test_r05_all_that_is_made_is_in_the_project(session: Session, sandbox: DockerSandbox) -> None:
    assert (await shell(sandbox, "mkdir -p d/e; echo x > d/e/f; mv d/e .; echo x >> hello.txt")).exit_code == 0
    project = projects.project_of(session.upper)
    assert project >= FIRST
    assert [projects.project_of(session.upper / name) for name in ("d", "e")] == [project, project]
    assert (session.upper / "hello.txt").exists()


async def test_the_limit_follows_the_settings_and_a_discard_keeps_it(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        await shell(sandbox, "echo x > new; mkdir folder; mv new folder; mv hello.txt src")
        await wait_limited(session)
    project = projects.project_of(session.upper)
    more = Room(300 * MIB + 5, MOST.files)
    session.save(session.meta().model_copy(update={"choice": Choice(disk=more.size)}))
    assert hard(more) == hard(Room(301 * MIB, MOST.files))
    with session.hold():
        discard_all(session)
    async with opened(session, engine) as sandbox:
        assert (await shell(sandbox, "ls; echo x > new")).stdout.all == b"hello.txt\nsrc\n"
        await wait_limited(session, hard(more))
    assert {projects.project_of(folder) for folder in (session.upper, session.work)} == {project}


async def test_the_limit_goes_with_the_session_and_others_stay(
    session: Session, state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    other = prepare(
        sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=Choice(disk=MOST.size)
    )
    kept = {}
    for one in (session, other):
        async with opened(one, engine) as sandbox:
            await sandbox.ready()
            await wait_limited(one)
        kept[one.id] = projects.project_of(one.upper)
    remove(session)
    assert has_limit(state, kept[session.id])
    quota.lift_limits(Sessions(state), engine)
    assert not has_limit(state, kept[session.id])
    assert has_limit(state, kept[other.id])
    assert is_limited(other, HARD)
    assert sorted(os.listdir(state)) in (["sessions"], ["lost+found", "sessions"])


async def test_a_limit_is_set_where_the_helper_may_not_look(session: Session, engine: Engine) -> None:
    project.join(session, [overlay_of(session)])
    os.chown(session.work, 1234, 1234)
    assert not is_limited(session, HARD)
    quota.set_limit(session, engine, MOST)
    assert is_limited(session, HARD)


async def test_a_number_that_has_a_limit_is_somebody_elses(
    session: Session, new_session: Callable[[], Session], engine: Engine
) -> None:
    theirs = new_session()
    projects.join(theirs.work, free_name(session))
    quota._run(engine, theirs, free_name(session), Room(50 * MIB, 50))
    async with opened(session, engine) as sandbox:
        await sandbox.ready()
        await wait_limited(session)
    assert projects.project_of(session.upper) == free_name(session) + 1
    assert os.statvfs(theirs.work).f_files == 50


async def test_a_state_folder_that_has_a_quota_keeps_it(session: Session, engine: Engine) -> None:
    projects.join(session.path, 42)
    async with opened(session, engine) as sandbox:
        await shell(sandbox, "echo x > new; mv new newer; mkdir d; mv newer d")
    assert {projects.project_of(folder) for folder in (session.upper, session.work)} == {0}


@pytest.mark.parametrize("base", ["live"])
async def test_layers_that_were_mounted_without_one_stay_without(session: Session, engine: Engine) -> None:
    (session.upper / "old").mkdir()
    async with opened(session, engine) as sandbox:
        result = await shell(sandbox, "echo x > new; mv new old; echo y > old/y; mv old/y .; mv hello.txt old; ls old")
        assert (result.stdout.all, result.stderr.all) == (b"hello.txt\nnew\n", b"")
    assert projects.project_of(session.upper) == 0
