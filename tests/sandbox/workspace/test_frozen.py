"""A frozen base: what the user does meanwhile does not show inside, is never lost, and is never overlooked."""

import subprocess
from pathlib import Path

import pytest

from sandbox.base import Call, Command
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.gate.apply import Applied, Conflicts, apply
from sandbox.gate.blobs import Blobs
from sandbox.gate.decisions import approval
from sandbox.gate.discard import discard_all, discard_paths
from sandbox.gate.freeze import frozen, manifest_of
from sandbox.gate.undo import last_apply, undo
from sandbox.opening import opened
from sandbox.sessions import Session
from sandbox.workspace.base import base_of

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.parametrize("base", ["frozen"])]

LINES = [f"{number}\n" for number in range(30)]


@pytest.fixture
def checkout(checkout: Path) -> Path:
    """The small project, with a text in it that two can edit."""
    (checkout / "text").write_text("".join(LINES))
    return checkout


def edited(line: int, text: str) -> str:
    return "".join([*LINES[:line], f"{text}\n", *LINES[line + 1 :]])


async def bash(sandbox: DockerSandbox, script: str, name: str = "call") -> bytes:
    """Run a script as a call; what it prints."""
    result = await sandbox.run(Command(["bash", "-ec", script], sandbox.root, timeout=60, call_id=name))
    assert result.exit_code == 0, result.stderr.all
    await sandbox.note(Call(name, "Bash", script))
    return result.stdout.all


def apply_all(session: Session) -> Applied | Conflicts:
    """All that waits, as the command applies it."""
    changes = frozen(session)
    return apply(
        approval(changes, changes.changes, "test"),
        checkout=Path(session.meta().checkout),
        blobs=Blobs(session.blobs),
        session=session,
        manifest=manifest_of(session),
        change_set=changes,
    )


def listed(session: Session) -> set[tuple[str, bytes]]:
    return {(change.kind, change.path) for change in frozen(session).changes}


async def test_what_the_user_does_meanwhile_does_not_show_inside(
    session: Session, engine: Engine, checkout: Path
) -> None:
    async with opened(session, engine) as sandbox:
        await sandbox.ready()
        (checkout / "text").write_text("user\n")
        (checkout / "hello.txt").unlink()
        (checkout / "new").write_text("user\n")
        assert (
            await bash(sandbox, "ls; cat text hello.txt") == f"hello.txt\nsrc\ntext\n{''.join(LINES)}hello\n".encode()
        )
        assert (await sandbox.freeze()).changes == ()


async def test_what_the_user_saved_before_the_agent_first_touched_the_file_is_merged(
    session: Session, engine: Engine, checkout: Path
) -> None:
    async with opened(session, engine) as sandbox:
        await sandbox.ready()
        (checkout / "text").write_text(edited(3, "user"))
        await bash(sandbox, "sed -i s/^20$/agent/ text")
        (change,) = (await sandbox.freeze()).changes
        assert not change.moved
        assert apply_all(session) == Applied((b"text",))
        assert (checkout / "text").read_text() == edited(3, "user").replace("20\n", "agent\n")
        assert (await sandbox.freeze()).changes == ()
        await bash(sandbox, "sed -i s/^25$/again/ text")
        assert apply_all(session) == Applied((b"text",))
    assert (checkout / "text").read_text() == edited(3, "user").replace("20\n", "agent\n").replace("25\n", "again\n")


async def test_a_file_that_was_only_touched_inside_takes_nothing_of_the_users_back(
    session: Session, engine: Engine, checkout: Path
) -> None:
    async with opened(session, engine) as sandbox:
        await sandbox.ready()
        (checkout / "text").write_text("user\n")
        await bash(sandbox, "touch text; chmod 600 hello.txt")
        assert (await sandbox.freeze()).changes == ()


async def test_both_in_the_same_line_is_a_conflict(session: Session, engine: Engine, checkout: Path) -> None:
    async with opened(session, engine) as sandbox:
        await sandbox.ready()
        (checkout / "text").write_text(edited(3, "user"))
        await bash(sandbox, "sed -i s/^3$/agent/ text; rm hello.txt")
        (checkout / "hello.txt").write_text("user\n")
        changes = (await sandbox.freeze()).changes
        assert {change.path: change.moved for change in changes} == {b"text": True, b"hello.txt": True}
        assert isinstance(apply_all(session), Conflicts)


async def test_a_session_that_goes_on_shows_what_the_user_did_since_where_it_has_nothing_of_its_own(
    session: Session, engine: Engine, checkout: Path
) -> None:
    async with opened(session, engine) as sandbox:
        await bash(sandbox, "sed -i s/^20$/agent/ text; rm src/main.py; mkdir -p kept; echo x > kept/x")
    (checkout / "text").write_text(edited(3, "user"))
    (checkout / "hello.txt").write_text("user\n")
    (checkout / "src" / "more.py").write_text("more\n")
    (checkout / "src" / "main.py").write_text("user\n")
    (checkout / "deep" / "er").mkdir(parents=True)
    (checkout / "deep" / "er" / "file").write_text("deep\n")
    async with opened(session, engine) as sandbox:
        assert await bash(sandbox, "cat hello.txt src/more.py deep/er/file; ls . src kept") == (
            b"user\nmore\ndeep\n.:\ndeep\nhello.txt\nkept\nsrc\ntext\n\nkept:\nx\n\nsrc:\nmore.py\n"
        )
        assert b"agent" in await bash(sandbox, "cat text")
        changes = (await sandbox.freeze()).changes
        assert {change.path: change.moved for change in changes} == {
            b"text": False,
            b"src/main.py": True,
            b"kept/x": False,
        }
        await bash(sandbox, "echo agent >> hello.txt; rm deep/er/file")
        (checkout / "hello.txt").write_text("user\nonce more\n")
        found = {change.path: change.moved for change in (await sandbox.freeze()).changes}
        assert found == {**dict.fromkeys(found, False), b"hello.txt": True, b"src/main.py": True}
        assert b"deep/er/file" in found
    (checkout / "deep" / "er" / "file").unlink()
    (checkout / "deep" / "er").rmdir()
    (checkout / "src" / "more.py").unlink()
    async with opened(session, engine) as sandbox:
        assert await bash(sandbox, "ls src deep") == b"deep:\ner\n\nsrc:\n"


async def test_what_an_apply_brought_and_a_call_then_deletes_is_a_deletion_and_stays_one(
    session: Session, engine: Engine, checkout: Path
) -> None:
    async with opened(session, engine) as sandbox:
        await bash(sandbox, "echo x > top; mkdir new; echo y > new/y; echo z > new/z", "one")
        assert isinstance(apply_all(session), Applied)
        await bash(sandbox, "rm top new/y", "two")
        assert listed(session) == {("deleted", b"top"), ("deleted", b"new/y")}
    async with opened(session, engine) as sandbox:
        assert await bash(sandbox, "ls; ls new") == b"hello.txt\nnew\nsrc\ntext\nz\n"
        assert listed(session) == {("deleted", b"top"), ("deleted", b"new/y")}
        assert apply_all(session) == Applied((b"new/y", b"top"))
    assert not (checkout / "top").exists()
    async with opened(session, engine) as sandbox:
        assert await bash(sandbox, "ls; ls new") == b"hello.txt\nnew\nsrc\ntext\nz\n"
        assert listed(session) == set()


async def test_what_was_applied_then_changed_and_discarded_is_again_what_was_applied(
    session: Session, engine: Engine, checkout: Path
) -> None:
    async with opened(session, engine) as sandbox:
        await bash(sandbox, "echo one > text; echo one > new")
        assert isinstance(apply_all(session), Applied)
        await bash(sandbox, "echo two > text; echo two > new")
    with session.hold():
        discard_paths(session, checkout, [b"text", b"new"])
    async with opened(session, engine) as sandbox:
        assert await bash(sandbox, "cat text new") == b"one\none\n"
        assert listed(session) == set()
        await bash(sandbox, "echo three >> text")
        assert apply_all(session) == Applied((b"text",))
    assert (checkout / "text").read_text() == "one\nthree\n"
    with session.hold():
        discard_all(session)
    async with opened(session, engine) as sandbox:
        assert await bash(sandbox, "cat text new") == b"one\nthree\none\n"


async def test_what_was_taken_back_waits_again(session: Session, engine: Engine, checkout: Path) -> None:
    async with opened(session, engine) as sandbox:
        await bash(sandbox, "echo one > text; echo one > new")
        assert isinstance(apply_all(session), Applied)
    plan = last_apply(checkout, [session])
    assert plan is not None
    assert isinstance(undo(plan, checkout=checkout, by="test"), Applied)
    assert listed(session) == {("modified", b"text"), ("added", b"new")}
    async with opened(session, engine) as sandbox:
        assert await bash(sandbox, "cat text new") == b"one\none\n"


async def test_a_copy_that_was_cut_short_is_made_anew(session: Session, engine: Engine, checkout: Path) -> None:
    session.frozen.mkdir()
    (session.frozen / "hello.txt").write_text("hel")
    (session.frozen / "stranger").write_text("x")
    async with opened(session, engine) as sandbox:
        assert await bash(sandbox, "ls; cat hello.txt") == b"hello.txt\nsrc\ntext\nhello\n"
    assert base_of(session).sentence == "frozen copy (3 files, 98 bytes)"


async def test_make_sees_the_times_of_the_checkout(session: Session, engine: Engine, checkout: Path) -> None:
    subprocess.run(["touch", "-d", "2001-02-03", str(checkout / "hello.txt"), str(checkout / "src")], check=True)
    async with opened(session, engine) as sandbox:
        times = await bash(sandbox, "stat -c %Y hello.txt src text")
    paths = (checkout / "hello.txt", checkout / "src", checkout / "text")
    assert times.split() == [str(int(path.stat().st_mtime)).encode() for path in paths]
