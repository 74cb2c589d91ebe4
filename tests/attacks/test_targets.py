"""Group III where the checkout is the odd one: what it lies on, and what becomes of it between approval and apply."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from sandbox.base import Command
from sandbox.engine import Engine
from sandbox.errors import CheckoutRefused
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.freeze import frozen
from sandbox.leftovers import remove
from sandbox.opening import opened
from sandbox.sessions import Session
from tests import foldingfs
from tests.attacks.scene import Scene, listed, refused, unchanged

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def folding(checkout: Path, host: Path) -> Iterator[Path]:
    """The checkout on a file system that folds case and Unicode form."""
    with foldingfs.mounted(checkout, "fold"):
        (checkout / "Readme").write_text("the user's\n")
        (checkout / "src").mkdir()
        yield checkout


@pytest.mark.root
async def test_s20_s21_what_a_folding_checkout_cannot_tell_apart_is_refused(folding: Path, scene: Scene) -> None:
    changes = await scene.after(
        "echo a > new; echo b > NEW; echo evil > README; mkdir -p .GIT; echo x > .GIT/config; "
        "echo 1 > $'caf\\xc3\\xa9'; echo 2 > $'cafe\\xcc\\x81'; echo fine > src/fine"
    )
    names = {b"new", b"NEW", b"README", b".GIT", b"caf\xc3\xa9", b"cafe\xcc\x81"}
    assert set(refused(changes)) == names
    assert "Readme" in refused(changes)[b"README"]
    assert listed(changes) == {("added", b"src/fine")}
    assert isinstance(await scene.apply_all(changes), Applied)
    assert (folding / "Readme").read_text() == "the user's\n"
    assert sorted(os.listdir(folding)) == ["Readme", "src"]


async def test_s21_s22_spellings_of_git_never_leave_and_names_of_other_systems_do(scene: Scene) -> None:
    spellings = (
        b"GIT~1",
        b".git::$INDEX_ALLOCATION",
        b".git ",
        b".git.",
        b".GIT",
        ".g\u200cit",
        ".git\u200d",
        "\uff0egit",
    )
    gits = [name if isinstance(name, bytes) else name.encode() for name in spellings]
    others = [b"CON", b"aux.txt", b"a:b", b"a\\b", b"trailing.", b"caf\xc3\xa9", b"cafe\xcc\x81", b"Readme", b"README"]
    await scene.python(
        f"import os\nfor name in {gits!r}:\n    os.mkdir(name); open(name + b'/config', 'w').close()\n"
        f"for name in {others!r}:\n    open(name, 'wb').write(name)"
    )
    changes = await scene.project.freeze()
    assert set(refused(changes)) == set(gits)
    assert isinstance(await scene.apply_all(changes), Applied)
    found = {name: (scene.checkout / os.fsdecode(name)).read_bytes() for name in others}
    assert found == {name: name for name in others}
    assert not [name for name in gits if (scene.checkout / os.fsdecode(name)).exists()]


async def test_s05_an_apply_follows_no_link_that_spins_in_the_checkout(scene: Scene, tmp_path: Path) -> None:
    (scene.checkout / "d").mkdir()
    (scene.checkout / "evil").symlink_to(scene.host)
    spin = "import ctypes, sys\nswap = ctypes.CDLL(None).renameat2\nwhile True:\n    swap(-100, b'd', -100, b'evil', 2)"
    with subprocess.Popen(["python3", "-c", spin], cwd=scene.checkout) as attacker:
        try:
            with anyio.fail_after(30):
                while not (scene.checkout / "d").is_symlink():  # at work: a link now, a folder then
                    await anyio.lowlevel.checkpoint()
            for number in range(20):
                changes = await scene.after(
                    f"mkdir -p new{number % 4}; echo {number} > new{number % 4}/f; echo x > d/f{number} || true"
                )
                with contextlib.suppress(CheckoutRefused):
                    await scene.apply_all(changes)
            assert attacker.poll() is None
        finally:
            attacker.kill()
    assert sorted(os.listdir(scene.host)) == [".bashrc", ".ssh", "f"]


async def test_s07_a_folder_that_becomes_a_link_after_the_approval_is_a_conflict(scene: Scene) -> None:
    changes = await scene.after("echo evil > src/.bashrc; echo evil > src/main.py; echo fine > fine")
    (scene.checkout / "src").rename(scene.checkout / "moved")
    (scene.checkout / "src").symlink_to(scene.host)
    outcome = await scene.apply_all(changes)
    assert isinstance(outcome, Conflicts)
    assert {conflict.path for conflict in outcome.conflicts} == {b"src/.bashrc", b"src/main.py"}
    assert sorted(os.listdir(scene.checkout)) == ["hello.txt", "moved", "src"]
    (scene.checkout / "src").unlink()
    (scene.checkout / "moved").rename(scene.checkout / "src")
    assert isinstance(await scene.apply_all(changes), Applied)


async def test_s36_a_link_to_proc_or_a_mount_leads_nowhere(scene: Scene) -> None:
    changes = await scene.after("ln -s /proc proc; ln -s /proc/self/root root; mkdir real; echo x > real/x")
    assert set(refused(changes)) == {b"proc", b"root"}
    assert isinstance(await scene.apply_all(changes), Applied)
    assert not (scene.checkout / "proc").exists()


@pytest.fixture(params=["tmpfs", "fuse"])
def elsewhere(request: pytest.FixtureRequest, checkout: Path, host: Path) -> Iterator[Path]:
    """The checkout on another file system than the session."""
    with mounted_tmpfs(checkout) if request.param == "tmpfs" else foldingfs.mounted(checkout, "bytes"):
        (checkout / "src").mkdir()
        for name in ("edit", "gone", "run", "src/main.py"):
            (checkout / name).write_text(name)
        yield checkout


@contextlib.contextmanager
def mounted_tmpfs(folder: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.root
async def test_s37_on_other_file_systems_an_apply_does_the_same(elsewhere: Path, scene: Scene) -> None:
    changes = await scene.after(
        "echo new > edit; rm gone; chmod +x run; mkdir -p deep/er; echo x > deep/er/x; rm -r src; ln -s edit src"
    )
    assert {change.kind for change in changes.changes} == {"modified", "deleted", "mode", "added", "type"}
    seen = await scene.inside()  # before: an overlay does not follow what a FUSE file system exchanges below it
    assert isinstance(await scene.apply_all(changes), Applied)
    assert scene.outside() == seen
    assert (await scene.project.freeze()).changes == ()


@pytest.mark.root
async def test_s37_what_is_mounted_below_the_checkout_stays_as_it_is(scene: Scene) -> None:
    below = scene.checkout / "below"
    below.mkdir()
    changes = await scene.after("echo x > below/x; echo fine > fine")
    with mounted_tmpfs(below):
        outcome = await scene.apply_all(changes)
        assert isinstance(outcome, Conflicts)
        assert [conflict.reason for conflict in outcome.conflicts] == ["lies on another file system than the checkout"]
        again = await scene.project.freeze()
        assert refused(again) == {
            b"below": "in the checkout, lies on another file system than the checkout: it stays as it is"
        }
        assert isinstance(await scene.apply_all(again), Applied)
        assert os.listdir(below) == []


async def test_s39_a_session_is_removed_whole_and_no_link_in_it_is_followed(
    session: Session, engine: Engine, host: Path
) -> None:
    script = (
        f"ln -s {host} evil; ln -s /etc abs; mkdir -p shut/in; touch shut/in/f; chmod 0 shut/in; chmod 0 shut; "
        "for i in $(seq 300); do mkdir d; cd d; done; touch leaf; chmod 500 ."
    )
    with unchanged(host):
        async with opened(session, engine) as sandbox:
            assert (await sandbox.run(Command(["bash", "-c", script], sandbox.root))).exit_code == 0
        await anyio.to_thread.run_sync(frozen, session)
        assert list(session.upper.iterdir())
        remove(session)
        assert list(session.path.parent.iterdir()) == []


async def test_s40_many_small_and_one_huge_change_are_all_listed_or_refused_with_the_reason(scene: Scene) -> None:
    changes = await scene.after(
        "mkdir many; cd many; seq 1000 | split -l 1 -a 4; cd ..; head -c 257M /dev/zero > huge; "
        "truncate -s 1G holes; truncate -s 200M small-holes; rm -f hello.txt"
    )
    assert refused(changes) == {
        b"small-holes": "has 209,715,200 bytes, nearly all of them holes: sparse files stay",
        b"huge": "has 269,484,032 bytes, over the limit of 268,435,456",
        b"holes": "has 1,073,741,824 bytes, over the limit of 268,435,456",
    }
    assert len([change for change in changes.changes if change.path.startswith(b"many/")]) == 1000
    assert len(changes.changes) == 1001
    assert isinstance(await scene.apply_all(changes), Applied)
    assert len(os.listdir(scene.checkout / "many")) == 1000
