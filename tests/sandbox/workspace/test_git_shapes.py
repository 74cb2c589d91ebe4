"""A33: git works in the sandbox whatever the repository's shape is, and the host's repository is never written."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from images.image import Image
from sandbox.base import Command
from sandbox.checkout import checked
from sandbox.choice import BaseKind, Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.gate.discard import discard_all
from sandbox.opening import opened, prepare
from sandbox.sessions import Session, Sessions
from tests.attacks.scene import unchanged
from tests.sandbox.commits.repositories import git, shell

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a2146' * 8}\nsize 12345\n"


def plain(folder: Path) -> Path:
    """A repository of three commits on two branches, with a folder in it."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    shell(
        folder,
        """
        git config user.name Ada; git config user.email ada@example.org
        mkdir src docs; echo one > a.txt; echo m > src/main.py; echo d > docs/d.txt; git add .; git commit -qm first
        git checkout -qb side; echo side > side.txt; git add .; git commit -qm side
        git checkout -q main; echo two > a.txt; git commit -qam second
        """,
    )
    return folder


def linked(folder: Path) -> Path:
    plain(folder / "main")
    git(folder / "main", "worktree", "add", "-q", str(folder / "tree"), "-b", "work")
    return folder / "tree"


def submodule(folder: Path) -> Path:
    plain(folder / "module")
    plain(folder / "super")
    add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q"]
    git(folder / "super", *add, str(folder / "module"), "inner")
    git(folder / "super", "commit", "-qm", "inner")
    return folder / "super" / "inner"


def with_submodule(folder: Path) -> Path:
    return submodule(folder).parent


def separate(folder: Path) -> Path:
    plain(folder / "tree")
    git(folder / "tree", "init", "-q", "--separate-git-dir", str(folder / "elsewhere"))
    git(folder / "tree", "config", "core.worktree", str(folder / "tree"))
    return folder / "tree"


def shallow(folder: Path) -> Path:
    plain(folder / "origin")
    git(folder, "clone", "-q", "--depth", "1", f"file://{folder}/origin", "tree")
    git(folder / "tree", "branch", "side")
    return folder / "tree"


def sparse(folder: Path) -> Path:
    plain(folder / "tree")
    git(folder / "tree", "sparse-checkout", "set", "--cone", "src")
    return folder / "tree"


def alternates(folder: Path) -> Path:
    plain(folder / "lender")
    git(folder, "clone", "-q", "--shared", "lender", "tree")
    git(folder / "tree", "branch", "side", "origin/side")
    git(folder / "lender", "config", "--add", "paddock.lendsTo", str(folder / "tree"))
    return folder / "tree"


def subfolder(folder: Path) -> Path:
    return plain(folder / "large") / "src"


def lfs(folder: Path) -> Path:
    tree = plain(folder / "tree")
    (tree / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (tree / "large.bin").write_text(LFS)
    shell(tree, "git add .; git commit -qm large")
    return tree


SHAPES = [plain, linked, submodule, with_submodule, separate, shallow, sparse, alternates, subfolder, lfs]

WORK = """
git --version >&2
test -z "$(git status --porcelain)"
git log --oneline | grep -q .
git diff --exit-code
head=$(git rev-parse HEAD)
echo new > made.txt; git add made.txt; git commit -qm inside
test "$(git rev-parse HEAD~1)" = "$head"
git branch topic; git worktree add -q /tmp/tree topic; git -C /tmp/tree log --oneline | grep -q inside
echo more >> made.txt; git stash -q; git stash pop -q; git checkout -q -- made.txt
git submodule status
git checkout -qb rebased HEAD~1; echo x > x.txt; git add x.txt; git commit -qm x; git rebase -q topic
git log --oneline | head -2 | grep -q inside
git fsck --connectivity-only
test -z "$(git status --porcelain)"
"""


@pytest.fixture
def opened_on(state: Path, image: Image, engine: Engine) -> Callable[[Path, BaseKind], Session]:
    """A session on any folder."""

    def make(folder: Path, base: BaseKind = "auto") -> Session:
        checkout = checked(folder)
        choice = Choice(base=base)
        return prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=image, choice=choice)

    return make


async def bash(sandbox: DockerSandbox, script: str) -> str:
    result = await sandbox.run(Command(["bash", "-exc", script], sandbox.root, timeout=100))
    assert result.exit_code == 0, result.stderr.all.decode()
    return result.stdout.all.decode()


@pytest.mark.parametrize("base", ["live", pytest.param("frozen", marks=pytest.mark.slow)])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a33_1_git_works_inside_and_the_host_stays_as_it_was(
    shape, base: BaseKind, tmp_path: Path, opened_on, engine: Engine
) -> None:
    checkout = shape(tmp_path / "home")
    session = opened_on(checkout, base)
    with unchanged(tmp_path / "home"):
        async with opened(session, engine) as sandbox:
            await bash(sandbox, WORK)
            changes = await sandbox.freeze()
            assert {change.path for change in changes.changes} == {b"made.txt", b"x.txt"}
        async with opened(session, engine) as sandbox:
            assert "inside" in await bash(sandbox, "git log --format=%s")
        with session.hold():
            discard_all(session)
        async with opened(session, engine) as sandbox:
            assert "inside" not in await bash(sandbox, "git status --porcelain; git log --format=%s")


async def test_a_folder_without_git_is_one_inside_too(tmp_path: Path, opened_on, engine: Engine) -> None:
    (tmp_path / "plain").mkdir()
    async with opened(opened_on(tmp_path / "plain"), engine) as sandbox:
        assert await bash(sandbox, "! git status; git init -q; git status --porcelain") == ""


async def test_passwords_in_the_settings_of_a_repository_elsewhere_do_not_come_along(
    tmp_path: Path, opened_on, engine: Engine
) -> None:
    tree = linked(tmp_path / "home")
    git(tree, "remote", "add", "origin", "https://ada:hunter2secret@example.org/x.git")
    (tree / ".env").write_text("KEY=x\n")
    git(tree, "add", "-f", ".env")
    git(tree, "commit", "-qm", "env")
    async with opened(opened_on(tree), engine) as sandbox:
        seen = await bash(sandbox, "git remote -v; git config --list; git status --porcelain; ls -A")
    assert "example.org/x.git" in seen
    assert "hunter2" not in seen
    assert ".env" not in seen


def bare(folder: Path) -> Path:
    """A work tree in the folder of a bare repository, beside another one and what somebody left there."""
    plain(folder / "origin")
    git(folder, "clone", "-q", "--bare", "origin", "project")
    for name in ("trees/main", "trees/other", "third"):
        git(folder / "project", "worktree", "add", "-q", name, "-b", name.rpartition("/")[2] + "-work", "main")
        (folder / "project" / name / ".env").write_text("KEY=hunter2\n")
    (folder / "project" / "notes.txt").write_text("hunter2\n")
    return folder / "project" / "trees" / "main"


@pytest.mark.parametrize("base", ["live", "frozen"])
@pytest.mark.parametrize("place", ["project/trees/main", "project/third", "apart"])
async def test_of_a_bare_repository_nothing_is_seen_but_what_is_gits(
    place: str, base: BaseKind, tmp_path: Path, opened_on, engine: Engine
) -> None:
    home = bare(tmp_path / "home").parents[2]
    git(home / "project", "worktree", "add", "-q", str(home / "apart"), "-b", "apart-work", "main")
    with unchanged(home):
        async with opened(opened_on(home / place, base), engine) as sandbox:
            await bash(sandbox, 'test -z "$(git status --porcelain)"; git commit -q --allow-empty -m x; git fsck')
            seen = await bash(sandbox, f"find {home} -not -path '*/objects/*'; ! grep -rs hunter2 {home}")
    assert f"{home}/project/worktrees" in seen
    assert ".env" not in seen
    assert "project/trees/other" not in seen
    assert "notes.txt" not in seen


HOSTILE = {
    "another repository of the user": "gitdir: {home}/secret/.git\n",
    "no repository at all": "gitdir: {home}\n",
    "the system": "gitdir: /etc\n",
    "a work tree of another repository": "gitdir: {home}/main/.git/worktrees/tree\n",
    "a way through a link": "gitdir: {home}/way/.git\n",
    "nothing": "gitdir: {home}/nowhere\n",
    "too much": "gitdir: " + "x" * 2_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_a_checkout_that_names_what_is_not_its_own_gets_none_of_it(
    text: str, tmp_path: Path, opened_on, engine: Engine
) -> None:
    home = tmp_path / "home"
    linked(home)
    plain(home / "secret")
    (home / "way").symlink_to(home / "secret")
    hostile = tmp_path / "download"
    hostile.mkdir()
    (hostile / ".git").write_text(text.format(home=home))
    async with opened(opened_on(hostile), engine) as sandbox:
        assert await bash(sandbox, f"! git log; ! ls {home}; grep -c {home} /proc/mounts || true") == "0\n"


async def test_a_repository_that_names_another_ones_objects_gets_none_without_the_lenders_word(
    tmp_path: Path, opened_on, engine: Engine
) -> None:
    tree = alternates(tmp_path / "home")
    git(tmp_path / "home" / "lender", "config", "--unset-all", "paddock.lendsTo")
    async with opened(opened_on(tree), engine) as sandbox:
        assert await bash(sandbox, f"! git log -p; ! ls {tmp_path}/home/lender") == ""


def test_the_notice_says_what_to_do_and_doing_it_helps(tmp_path: Path) -> None:
    from sandbox.workspace.gitfinding import outside

    tree = separate(tmp_path / "home")
    git(tree, "config", "--unset", "core.worktree")
    (notice,) = outside(tree).notices
    assert f"`git config core.worktree {tree}`" in notice
    subprocess.run(["git", "config", "core.worktree", str(tree)], cwd=tree, check=True)
    assert [folder.path for folder in outside(tree).folders] == [tmp_path / "home" / "elsewhere"]
    lent = alternates(tmp_path / "other")
    git(tmp_path / "other" / "lender", "config", "--unset-all", "paddock.lendsTo")
    (notice,) = outside(lent).notices
    order = notice.partition("`")[2].rstrip("`")
    subprocess.run(["bash", "-c", order], cwd="/", env={"PATH": os.environ["PATH"]}, check=True)
    assert outside(lent).notices == ()
