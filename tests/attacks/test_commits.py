"""Commits out of a real sandbox, as the command takes them: rules 1 and 2 of the attack list."""

import tempfile
from pathlib import Path

import anyio.to_thread
import pytest

from sandbox.commits.bundle import bring_out
from sandbox.commits.look import look
from sandbox.commits.quarantine import quarantine
from sandbox.commits.repository import find
from sandbox.commits.taking import Taken, branch_for, take
from sandbox.errors import CommitRefused
from sandbox.gate.blobs import Blobs
from sandbox.sessions import Session
from tests.attacks.scene import Scene, unchanged
from tests.sandbox.commits.repositories import files_of, git, shell
from tests.sandbox.commits.test_hostile import plant

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

COMMIT = "git -c user.name=Bot -c user.email=bot@x commit -q"


@pytest.fixture
def repository(checkout: Path) -> Path:
    """The checkout as a repository with one commit."""
    shell(checkout, f"git init -q -b main; git add .; {COMMIT} -m first")
    return checkout


async def bring(scene: Scene, session: Session) -> Taken | None:
    """All of it; None if there is nothing."""
    found = find(scene.checkout)
    known = set(found.references().values())
    with tempfile.TemporaryFile() as bundle:
        if not await bring_out(scene.project.sandbox, known, bundle):
            return None

        def rest() -> Taken:
            with quarantine(session.path, found) as quarantined:
                tip = quarantined.receive(bundle)
                brought = look(quarantined, tip, sorted(known), Blobs(session.blobs))
                return take(quarantined, brought, branch_for(found, session.id, ""), known)

        return await anyio.to_thread.run_sync(rest)


async def test_commits_leave_a_real_sandbox_as_they_are(repository: Path, scene: Scene, session: Session) -> None:
    before = files_of(repository)
    await scene.bash(f"echo x >> hello.txt; {COMMIT} -am second; echo y > y; git add y; {COMMIT} -m third; git tag t")
    inside = (await scene.bash("git rev-parse HEAD")).stdout.all.decode().strip()
    taken = await bring(scene, session)
    assert taken == Taken(f"paddock/{session.id[:8]}", 2)
    assert git(repository, "rev-parse", taken.branch) == inside
    assert git(repository, "log", "--format=%an %s", taken.branch) == "Bot third\nBot second\nAda first"
    assert git(repository, "tag") == ""
    assert {name: text for name, text in files_of(repository).items() if name in before} == before
    assert await bring(scene, session) is None
    await scene.bash(f"{COMMIT} --amend --allow-empty -m fourth")
    assert await bring(scene, session) == Taken(f"paddock/{session.id[:8]}-2", 1)


async def test_s24_hooks_and_settings_made_inside_stay_there(
    repository: Path, scene: Scene, session: Session, tmp_path: Path
) -> None:
    with unchanged(repository):
        await scene.bash(
            """
            git config core.fsmonitor 'touch /tmp/x'; git config core.hooksPath /tmp
            mkdir -p .git/info; echo '* filter=x' > .git/info/attributes; git config filter.x.clean false
            git replace --edit HEAD || true; git update-ref refs/heads/main HEAD; git tag v9; git stash list
            """
        )
        assert await bring(scene, session) is None
    mark = plant(repository, tmp_path / "planted")
    await scene.bash(f"rm .git/config; {COMMIT} --allow-empty -m x")
    assert await bring(scene, session) == Taken(f"paddock/{session.id[:8]}", 1)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("rm -rf .git; git init -q", "nothing has been committed"),
        ("rm -rf .git", "no repository"),
        ("rm -rf .git; echo 'gitdir: /nowhere' > .git", "no repository"),
        ("git checkout -q --orphan x", "nothing has been committed"),
        ("rm -rf .git/objects; mkdir .git/objects", "no bundle|nothing has been committed|no repository"),
    ],
)
async def test_a_sandbox_without_commits_says_so(
    script: str, why: str, repository: Path, scene: Scene, session: Session
) -> None:
    await scene.bash(script)
    with unchanged(repository), pytest.raises(CommitRefused, match=why):
        await bring(scene, session)
