"""A sandbox's life: it starts, is held by one process, ends whatever happens, and its workspace stays."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from images.errors import UnknownImage
from images.image import Image
from sandbox.base import Call, Command
from sandbox.checkout import checked
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import CheckoutRefused, SessionBusy
from sandbox.gate.freeze import frozen, mark_beginning, note_checkout
from sandbox.gate.provenance import causes
from sandbox.labels import Owner, labels
from sandbox.leftovers import remove
from sandbox.opening import opened, prepare
from sandbox.orphans import sweep
from sandbox.sessions import Session, Sessions

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

BOTH = pytest.mark.parametrize("base", ["live", "frozen"])

RUNNER = """
import sys, anyio
from pathlib import Path
from sandbox.base import Call, Command
from sandbox.engine import Engine
from sandbox.opening import opened
from sandbox.sessions import Session

async def main():
    async with opened(Session(Path(sys.argv[1])), Engine.connect()) as sandbox:
        await sandbox.run(Command(["sh", "-c", "echo kept > kept.txt"], sandbox.root))
        print("ready", flush=True)
        await sandbox.run(Command(["sleep", "600"], sandbox.root))

anyio.run(main)
"""


@BOTH
async def test_a_session_comes_back_with_its_files_in_a_new_container(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as first:
        await first.write(first.root / "new.txt", b"new\n")
        one = (await first.ready()).id
    async with opened(session, engine) as second:
        assert await second.read(second.root / "new.txt") == b"new\n"
        assert (await second.ready()).id != one
    assert [change.path for change in frozen(session).changes] == [b"new.txt"]


async def test_one_process_holds_a_session(session: Session, engine: Engine) -> None:
    async with opened(session, engine):
        assert session.is_held()
        with pytest.raises(SessionBusy, match="in use by process"):
            async with opened(session, engine):
                pass
    assert not session.is_held()


async def test_two_sessions_of_one_checkout_do_not_see_each_other(
    new_session: Callable[[], Session], engine: Engine, checkout: Path
) -> None:
    async with opened(new_session(), engine) as one, opened(new_session(), engine) as other:
        await one.write(one.root / "hello.txt", b"one\n")
        await other.write(other.root / "hello.txt", b"other\n")
        assert await one.read(one.root / "hello.txt") == b"one\n"
        assert (await one.freeze()).id != (await other.freeze()).id
    assert (checkout / "hello.txt").read_bytes() == b"hello\n"


async def test_an_error_in_the_block_is_raised_as_itself(session: Session, engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        async with opened(session, engine) as sandbox:
            await sandbox.ready()
            raise ZeroDivisionError


async def test_leaving_before_the_start_is_done_leaves_nothing(session: Session, engine: Engine) -> None:
    async with opened(session, engine):
        await anyio.sleep(0.05)
    assert [one for one in engine.containers() if one.owner.session == session.id] == []


async def test_cancelling_the_whole_block_kills_its_calls_at_once(session: Session, engine: Engine) -> None:
    began = time.monotonic()
    with anyio.move_on_after(2) as scope:
        async with opened(session, engine) as sandbox:
            await sandbox.run(Command(["sleep", "600"], sandbox.root))
    assert scope.cancelled_caught
    assert time.monotonic() - began < 5
    assert [one for one in engine.containers() if one.owner.session == session.id] == []


async def test_a_start_that_fails_tells_every_call_why(state: Path, checkout: Path, engine: Engine) -> None:
    missing = Image("gone", "sha256:" + "0" * 64)
    session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=missing)
    async with opened(session, engine) as sandbox:
        for _ in range(2):
            with pytest.raises(UnknownImage, match="not on the engine"):
                await sandbox.run(Command(["true"], sandbox.root))


@BOTH
async def test_c05_when_the_host_is_killed_the_container_goes_and_the_workspace_stays(
    session: Session, engine: Engine
) -> None:
    process = subprocess.Popen([sys.executable, "-c", RUNNER, str(session.path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == b"ready\n"
        process.kill()
    deadline = time.monotonic() + 2
    while [one for one in engine.containers() + engine.volumes() if one.owner.session == session.id]:
        assert time.monotonic() < deadline
        await anyio.sleep(0.05)
    assert [change.path for change in frozen(session).changes] == [b"kept.txt"]
    async with opened(session, engine) as sandbox:
        assert await sandbox.read(sandbox.root / "kept.txt") == b"kept\n"


async def test_c07_a_container_that_an_engine_kept_makes_way_for_the_next_one_of_its_session(
    session: Session, new_session: Callable[[], Session], engine: Engine, image: Image
) -> None:
    other = new_session()
    kept, neighbour = (
        engine.create(
            f"paddock-test-{one.id[:8]}-kept",
            {"Image": image.id, "Entrypoint": ["sleep", "60"], "Labels": labels(Owner.of(one.id))},
        )
        for one in (session, other)
    )
    try:
        engine.start(kept)
        async with opened(session, engine) as sandbox:
            now = (await sandbox.ready()).id
            assert [one.id for one in engine.containers() if one.owner.session == session.id] == [now]
            assert engine.inspect(neighbour) is not None
    finally:
        for one in (kept, neighbour):
            engine.remove(one)


async def test_c17_only_what_a_dead_process_of_ours_left_is_swept(
    session: Session, engine: Engine, image: Image
) -> None:
    dead = Owner(session.id, "00000000-0000-0000-0000-000000000000:1:1")
    mine = Owner.of(session.id)
    made = [
        engine.create(f"paddock-test-{session.id[:8]}-{name}", {"Image": image.id, "Cmd": ["true"], "Labels": labels})
        for name, labels in (
            ("dead", {"paddock": "1", "paddock.session": dead.session, "paddock.owner": dead.process}),
            ("mine", {"paddock": "1", "paddock.session": mine.session, "paddock.owner": mine.process}),
            ("foreign", {"other": "1"}),
        )
    ]
    try:
        sweep(engine)  # what other processes left meanwhile goes too
        assert [engine.inspect(one) is not None for one in made] == [False, True, True]
    finally:
        for one in made:
            engine.remove(one)


@pytest.mark.parametrize("name", ["a, b:c", "new\nline", "ünï 'quote\" $(x)", "-dash"], ids=ascii)
async def test_a_checkout_may_have_any_name(
    state: Path, tmp_path: Path, engine: Engine, image: Image, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_text("there\n")
    session = prepare(sessions=Sessions(state), checkout=checked(folder), kind="exec", image=image)
    async with opened(session, engine) as sandbox:
        result = await sandbox.run(Command(["sh", "-c", "pwd; cat file; echo new > made"], sandbox.root))
        assert result.stdout.all == f"{folder}\nthere\n".encode()
        assert [change.path for change in (await sandbox.freeze()).changes] == [b"made"]


async def test_a_checkout_that_was_swapped_for_a_link_is_refused(
    session: Session, engine: Engine, checkout: Path
) -> None:
    checkout.rename(checkout.with_name("elsewhere"))
    checkout.symlink_to("/etc")
    async with opened(session, engine) as sandbox:
        with pytest.raises(CheckoutRefused, match="something else"):
            await sandbox.run(Command(["true"], sandbox.root))


async def test_files_made_inside_belong_to_the_invoking_user(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        await sandbox.run(Command(["sh", "-c", "mkdir d; echo x > d/made; echo y >> hello.txt"], sandbox.root))
    meta = session.meta()
    for name in ("d", "d/made", "hello.txt"):
        facts = (session.upper / name).stat()
        assert (facts.st_uid, facts.st_gid) == (meta.uid, meta.gid)


@BOTH
async def test_a_session_is_removed_whole_however_it_was_left(session: Session, engine: Engine) -> None:
    script = """
import os
os.mkdir("closed"); open("closed/file", "w").close(); os.chmod("closed", 0)
for _ in range(1500):
    os.mkdir("x"); os.chdir("x")
"""
    async with opened(session, engine) as sandbox:
        assert (await sandbox.run(Command(["python3", "-c", script], sandbox.root, timeout=60))).exit_code == 0
    remove(session)
    assert list(session.path.parent.iterdir()) == []


async def test_git_works_as_the_first_command(session: Session, engine: Engine, checkout: Path) -> None:
    subprocess.run(["git", "init", "-q", str(checkout)], check=True)
    before = sorted(str(path) for path in checkout.rglob("*"))
    async with opened(session, engine) as sandbox:
        script = "git status --short && git add -A && git commit -qm one && git log --format=%s && whoami && echo ~"
        result = await sandbox.run(Command(["bash", "-c", script], sandbox.root))
        assert (result.exit_code, result.stderr.all) == (0, b"")
        assert result.stdout.all.splitlines()[-3:] == [
            b"one",
            b"root" if session.meta().uid == 0 else b"agent",
            b"/home/agent",
        ]
        frozen_now = await sandbox.freeze()
    assert frozen_now.changes == ()
    assert [refused.path for refused in frozen_now.refused] == [b".git"]
    assert sorted(str(path) for path in checkout.rglob("*")) == before


@pytest.mark.parametrize("base", ["live"])
async def test_what_the_user_saves_while_the_sandbox_starts_is_not_taken_for_what_it_began_with(
    session: Session, engine: Engine, checkout: Path
) -> None:
    before = mark_beginning(session)
    (checkout / "hello.txt").write_text("saved meanwhile\n")
    note_checkout(session, before)
    async with opened(session, engine) as sandbox:
        await sandbox.write(sandbox.root / "hello.txt", b"agent\n")
        await sandbox.write(sandbox.root / "src/main.py", b"agent\n")
        changes = (await sandbox.freeze()).changes
    assert [(change.path, change.moved) for change in changes] == [(b"hello.txt", True), (b"src/main.py", False)]


@BOTH
async def test_a_session_killed_before_its_look_at_the_checkout_trusts_nothing(
    session: Session, engine: Engine, checkout: Path
) -> None:
    async with opened(session, engine) as sandbox:
        await sandbox.write(sandbox.root / "hello.txt", b"agent\n")
        await sandbox.write(sandbox.root / "new.txt", b"agent\n")
        await sandbox.freeze()
    session.manifest.unlink()
    (checkout / "hello.txt").write_text("the user's\n")
    assert [(change.path, change.moved) for change in frozen(session).changes] == [
        (b"hello.txt", True),
        (b"new.txt", False),
    ]
    async with opened(session, engine) as sandbox:
        assert [change.moved for change in (await sandbox.freeze()).changes] == [True, False]


async def test_a_session_that_never_ran_has_no_changes(session: Session) -> None:
    assert frozen(session).changes == ()
    assert not session.manifest.exists()


async def test_a_workspace_that_a_tool_closed_can_be_read_and_opened_again(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        await sandbox.run(Command(["sh", "-c", "echo x > new; chmod 000 ."], sandbox.root))
        assert [change.path for change in (await sandbox.freeze()).changes] == [b"new"]
    async with opened(session, engine) as sandbox:
        assert (await sandbox.run(Command(["cat", "new"], sandbox.root))).stdout.all == b"x\n"


async def test_r07_sparse_files_cost_nothing_here(session: Session, engine: Engine) -> None:
    async with opened(session, engine) as sandbox:
        script = (
            "truncate -s 7G huge; for i in 1 2 3; do truncate -s 250M hole$i; done; head -c 20M /dev/urandom > full"
        )
        assert (await sandbox.run(Command(["sh", "-c", script], sandbox.root))).exit_code == 0
        found = await sandbox.freeze()
    assert [change.path for change in found.changes] == [b"full"]
    assert [refused.path for refused in found.refused] == [b"hole1", b"hole2", b"hole3", b"huge"]
    assert sum(blob.stat().st_size for blob in session.blobs.rglob("*") if blob.is_file()) == 20 * 1024 * 1024


async def test_a_call_is_the_only_cause_again_once_all_that_was_left_running_has_ended(
    sandbox: DockerSandbox, session: Session
) -> None:
    async def call(name: str, script: str) -> None:
        await sandbox.note(None)
        await sandbox.run(Command(["bash", "-c", script], sandbox.root, call_id=name))
        await sandbox.note(Call(name, "Bash", script))

    await call("server", "sleep 60 >/dev/null 2>&1 & echo $! > pid; echo a > a")
    await call("beside", "echo b > b")
    await call("end", "kill $(cat pid); while kill -0 $(cat pid) 2>/dev/null; do sleep 0.01; done; echo c > c")
    await call("alone", "echo d > d")
    found = {path: causes(session, path)[-1] for path in (b"a", b"b", b"c", b"d")}
    assert {path: (cause.call, cause.manner) for path, cause in found.items()} == {
        b"a": ("server", "by"),
        b"b": ("beside", "beside"),
        b"c": ("end", "beside"),
        b"d": ("alone", "by"),
    }


async def test_who_leaves_after_one_quick_call_has_it_noted_what_the_session_began_with(
    session: Session, engine: Engine
) -> None:
    async with opened(session, engine) as sandbox:
        await sandbox.run(Command(["true"], sandbox.root))
    assert session.manifest.exists()


async def test_a_session_in_which_nothing_could_start_stays_new(session: Session, engine: Engine) -> None:
    session.save(session.meta().model_copy(update={"image": f"sha256:{'0' * 64}"}))
    async with opened(session, engine) as sandbox:
        with pytest.raises(UnknownImage):
            await sandbox.run(Command(["true"], sandbox.root))
    assert not session.manifest.exists()
