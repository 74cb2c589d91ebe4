"""What dead owners left on an engine is swept, and nothing else: not the living's, another machine's or foreign."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from images.image import Image
from sandbox import shared
from sandbox.engine import Engine
from sandbox.labels import Owner, labels, owned, this_boot
from sandbox.opening import prepare
from sandbox.orphans import orphans, sweep
from sandbox.sessions import Session, Sessions, new_id

ROOT = Path(__file__).parents[2]
DEAD = "00000000-0000-0000-0000-000000000000:1:1"
RUNNER = """
import sys, anyio
from pathlib import Path
from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session

async def main():
    async with opened(Session(Path(sys.argv[1])), Engine.connect()) as sandbox:
        await sandbox.run(Command(["sh", "-c", "echo kept > kept.txt; sleep 600"], sandbox.root))

anyio.run(main)
"""


@pytest.mark.parametrize(
    ("process", "place", "alive"),
    [
        (DEAD, "", False),
        (DEAD, "another", True),
        ("", "", True),
        ("nonsense", "", True),
        ("a:b:c", "", True),
        (f"{this_boot()}:1:0", "", False),
        (Owner.of("").process, "", True),
        (Owner.of("").process, Owner.of("").place, True),
    ],
    ids=["of before", "another machine's", "none", "nonsense", "no pid", "reused", "ours", "ours, and here"],
)
def test_only_an_owner_that_we_could_see_and_do_not_is_dead(process: str, place: str, alive: bool) -> None:
    assert Owner("session", process, place).is_alive() is alive


def test_an_owner_survives_being_written_on_a_label() -> None:
    owner = Owner.of(new_id())
    assert owned("id", labels(owner)).owner == owner
    assert (owner.pid, owner.is_elsewhere) == (os.getpid(), False)
    assert replace(owner, place="another").pid is None


@pytest.fixture
def made(engine: Engine, image: Image) -> Iterator[Callable[..., str]]:
    """Makes containers with labels; none of them is left."""
    names: list[str] = []

    def make(given: dict[str, str]) -> str:
        names.append(engine.create("", {"Image": image.id, "Entrypoint": ["sleep", "60"], "Labels": given}))
        return names[-1]

    yield make
    for name in names:
        engine.remove(name)


@pytest.mark.engine
def test_c17_of_thirteen_only_the_ten_of_dead_owners_go(engine: Engine, made: Callable[..., str]) -> None:
    session, marks = new_id(), secrets.token_hex(4)
    left = [made(dict(labels(Owner(session, DEAD)))) for _ in range(6)]
    for one in left[:2]:
        engine.start(one)
    others = [
        made(dict(labels(Owner.of(session)))),
        made(dict(labels(Owner(session, DEAD, "another machine")))),
        made({"com.example": "1", "session": session}),
    ]
    volumes = [f"paddock-test-{marks}-{number}" for number in range(6)]
    for number, name in enumerate(volumes):
        engine.make_volume(name, labels(Owner(session, DEAD)) if number < 4 else {"com.example": "1"})
    try:
        found = orphans(engine)  # another start may have swept some of them by now
        assert not {one.id for one in found.containers} & set(others)
        assert not {one.id for one in found.volumes} & set(volumes[4:])
        sweep(engine)
        assert [engine.inspect(one) is not None for one in (*left, *others)] == [False] * 6 + [True] * 3
        assert {one.id for one in engine.volumes()} & set(volumes) == set()
        assert engine._api.inspect_volume(volumes[4])["Labels"] == {"com.example": "1"}
    finally:
        for name in volumes:
            engine.remove_volume(name)


@pytest.mark.engine
def test_a_shared_volume_goes_when_it_is_old_and_nothing_uses_it_and_is_not_to_be_kept(
    engine: Engine, image: Image
) -> None:
    marks = secrets.token_hex(4)
    kept, stale, used = (f"paddock-test-{marks}-{name}" for name in ("kept", "stale", "used"))
    names = [name + end for name in (kept, stale, used) for end in ("", shared.READY)]
    for name in names:
        engine.make_volume(name, {"paddock.shared": "toolbox"})
    config = {"Image": image.id, "Entrypoint": ["true"], "HostConfig": {"Mounts": [shared.mount(used, "/there")]}}
    user = engine.create("", config)
    everything = set(engine.shared_volumes()) - set(names)
    try:
        assert shared.stale(engine, {kept, *everything}, older=timedelta(hours=1)) == []
        assert shared.stale(engine, {kept, *everything}, older=timedelta(0)) == [stale + shared.READY, stale]
        assert shared.sweep(engine, {kept, *everything}, older=timedelta(0)) == 2
        assert set(engine.shared_volumes()) & set(names) == {*names} - {stale, stale + shared.READY}
    finally:
        engine.remove(user)
        for name in names:
            engine.remove_volume(name)


@pytest.mark.engine
@pytest.mark.slow
def test_a23_after_twenty_killed_runs_a_new_start_finds_an_engine_without_them(
    state: Path, checkout: Path, image: Image, engine: Engine
) -> None:
    sessions = [prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image) for _ in range(20)]
    runs = [subprocess.Popen([sys.executable, "-c", RUNNER, str(session.path)], cwd=ROOT) for session in sessions]
    try:
        deadline = time.monotonic() + 100
        while not all((session.upper / "kept.txt").exists() for session in sessions):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        for run in runs:
            run.send_signal(signal.SIGKILL)
            run.wait(20)
    sweep(engine)  # as every start does
    ours = {session.id for session in sessions}
    assert [one for one in (*engine.containers(), *engine.volumes()) if one.owner.session in ours] == []
    assert all((session.upper / "kept.txt").read_text() == "kept\n" for session in sessions)
    assert [is_free(session) for session in sessions] == [True] * 20


def is_free(session: Session) -> bool:
    return not session.is_held()
