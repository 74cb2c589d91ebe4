"""Groups IV and VI of the attack list, end to end: what was approved is what is applied, and never over the user's own.

With them the two promises made to users: no command reaches the host, and none reaches the host's repository.
"""

import hashlib
import subprocess
from pathlib import Path

import anyio
import pytest

from images.image import Image
from runtime.project import Project
from sandbox.changes import Change, ChangeSet, File
from sandbox.engine import Engine
from sandbox.errors import StateError
from sandbox.gate.apply import Applied, Approval, Conflicts, apply
from sandbox.gate.blobs import Blobs
from sandbox.gate.freeze import manifest_of
from sandbox.opening import opened, prepare
from sandbox.sessions import Session, Sessions, now
from tests.attacks.scene import Scene, listed, refused, unchanged

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

REWRITER = """
import os
if os.fork():
    os._exit(0)
os.close(1); os.close(2)
number = 0
while True:
    number += 1
    with open("new", "w") as file:
        file.write("version %d\\n" % number * 1000)
    os.rename("new", "a.py")
"""


def the_one(changes: ChangeSet, path: bytes) -> Change:
    [change] = [change for change in changes.changes if change.path == path]
    return change


async def test_v01_the_bytes_applied_are_the_bytes_approved(scene: Scene) -> None:
    await scene.python(REWRITER)
    changes = await scene.project.freeze()
    shown = the_one(changes, b"a.py").after
    assert isinstance(shown, File)
    await anyio.sleep(0.2)
    only = [the_one(changes, b"a.py")]
    assert isinstance(await scene.project.apply(changes, only=only), Applied)
    content = (scene.checkout / "a.py").read_bytes()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (shown.digest, shown.size)
    assert len(set(content.splitlines())) == 1, "one version, whole"
    assert the_one(await scene.project.freeze(), b"a.py").after != shown, "the rewriter went on"


async def test_v02_what_comes_after_the_approval_is_not_covered_by_it(scene: Scene, session: Session) -> None:
    approved = await scene.after("echo 1 > a.py")
    later = await scene.after("echo 2 > b.py; echo 3 > a.py")
    with pytest.raises(StateError, match="look at the changes again"):
        _apply(scene, session, Approval(approved.id, approved.changes, "test", now()), later)
    smuggled = Approval(approved.id, (*approved.changes, the_one(later, b"b.py")), "test", now())
    with pytest.raises(StateError, match="nothing was written"):
        _apply(scene, session, smuggled, approved)
    assert not (scene.checkout / "a.py").exists()
    await scene.apply_all(approved)
    assert (scene.checkout / "a.py").read_text() == "1\n"
    assert not (scene.checkout / "b.py").exists()


def _apply(scene: Scene, session: Session, approval: Approval, changes: ChangeSet) -> Applied | Conflicts:
    blobs, manifest = Blobs(session.blobs), manifest_of(session)
    checkout = scene.checkout
    return apply(approval, checkout=checkout, blobs=blobs, session=session, manifest=manifest, change_set=changes)


@pytest.mark.parametrize("when", ["before it is frozen", "after it is frozen"])
async def test_k01_the_users_own_edit_is_never_overwritten(scene: Scene, when: str) -> None:
    ours = scene.checkout / "hello.txt"
    await scene.bash("echo theirs > hello.txt; echo x > other")
    if when == "before it is frozen":
        ours.write_text("mine\n")
    changes = await scene.project.freeze()
    ours.write_text("mine\n")
    outcome = await scene.apply_all(changes)
    assert isinstance(outcome, Conflicts)
    assert [conflict.path for conflict in outcome.conflicts] == [b"hello.txt"]
    assert ours.read_text() == "mine\n"
    assert not (scene.checkout / "other").exists(), "all or nothing"


@pytest.mark.parametrize(("mine", "outcome"), [("mine\n", Conflicts), ("theirs\n", Applied)])
async def test_k05_both_made_the_same_file(scene: Scene, mine: str, outcome: type) -> None:
    changes = await scene.after("echo theirs > n.py")
    (scene.checkout / "n.py").write_text(mine)
    assert isinstance(await scene.apply_all(changes), outcome)
    assert (scene.checkout / "n.py").read_text() == mine


async def test_k09_the_second_of_two_sessions_sees_the_first_ones_work(
    scene: Scene, engine: Engine, image: Image, state: Path
) -> None:
    second = prepare(sessions=Sessions(state), checkout=scene.checkout, kind="exec", image=image)
    async with opened(second, engine) as sandbox:
        other = Scene(Project(scene.checkout, second, sandbox), scene.host)
        first_changes = await scene.after("echo first >> hello.txt")
        other_changes = await other.after("echo second >> hello.txt")
        assert isinstance(await scene.apply_all(first_changes), Applied)
        assert isinstance(await other.apply_all(other_changes), Conflicts)
        assert isinstance(await other.apply_all(await other.project.freeze()), Conflicts)
    assert (scene.checkout / "hello.txt").read_text() == "hello\nfirst\n"


async def test_a11_the_worst_command_changes_nothing_on_the_host(scene: Scene, tmp_path: Path) -> None:
    sibling = tmp_path / "sibling"
    sibling.mkdir()
    (sibling / "work").write_text("years of it")
    with unchanged(scene.checkout, scene.host, sibling):
        command = 'HOME={}; rm -rf --no-preserve-root / ~ "$HOME" .. ../sibling 2>/dev/null; true'
        await scene.bash(command.format(scene.host))
        changes = await scene.project.freeze()
    assert {("deleted", b"hello.txt"), ("deleted", b"src/main.py")} <= listed(changes)
    assert (await scene.bash("echo still here")).stdout.all == b"still here\n"


@pytest.fixture
def busy_repository(checkout: Path, host: Path) -> Path:
    """A repository with a history, and with staged, unstaged, untracked, ignored and stashed work in it."""
    assert host.exists()
    script = """
    set -e
    git init -q -b main .; git config user.name u; git config user.email u@x
    echo '*.log' > .gitignore
    for i in 1 2 3 4 5; do echo $i > file; git add -A; git commit -qm $i; done
    echo stashed > file; git stash -q
    echo staged > staged; git add staged; echo unstaged >> hello.txt; echo untracked > untracked; echo x > ignored.log
    """
    subprocess.run(["sh", "-c", script], cwd=checkout, check=True)
    return checkout


async def test_a31_git_inside_leaves_the_hosts_repository_as_it_is(busy_repository: Path, scene: Scene) -> None:
    with unchanged(busy_repository):
        changes = await scene.after("git reset -q --hard HEAD~3 && git clean -qfdx && git stash drop -q")
        assert b".git" in refused(changes)
    with unchanged(busy_repository / ".git"):
        outcome = await scene.apply_all(changes)
    assert isinstance(outcome, Applied)
    assert not (busy_repository / "untracked").exists()
    assert (busy_repository / "ignored.log").read_text() == "x\n", "what is ignored is not applied unless it is named"
