"""Another runtime than runc, in an engine of the tests' own: the sandbox works there, and holds the same."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from images import catalog
from images.image import Image
from sandbox.base import Command
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.opening import opened, prepare
from sandbox.runtimes import UnknownRuntime, checked_runtime
from sandbox.selfcheck import selfcheck
from sandbox.sessions import Sessions
from sandbox.toolbox import toolbox
from tests.secondengine import MARKS, second_engine

CRUN = shutil.which("crun") or "/usr/bin/crun"  # installed with what the tests need

pytestmark = MARKS


@pytest.fixture(scope="module")
def with_crun(image: Image, engine: Engine) -> Iterator[Engine]:
    """A second engine that knows crun, with our images on it."""
    tag = next(tag for tag, id_ in engine.images.tags("paddock/base").items() if id_ == image.id)
    unified = Path("/sys/fs/cgroup/unified")  # beside version 1, crun will not have it if it holds any controller
    with second_engine(runtimes={"crun": Path(CRUN)}, hides=[unified] if unified.exists() else []) as second:
        for one in (tag, toolbox().tag):
            second.take(one)
        with second.connection() as theirs:
            yield theirs


def test_the_engine_says_which_it_has(with_crun: Engine) -> None:
    facts = with_crun.facts()
    assert checked_runtime("crun", facts) == "crun"
    with pytest.raises(UnknownRuntime, match=r"only crun, io\.containerd"):
        checked_runtime("runsc", facts)


@pytest.mark.parametrize("profile", ["strict", "default", "build", "compat"])
async def test_under_crun_every_profile_holds_what_it_promises(with_crun: Engine, tmp_path: Path, profile) -> None:
    base = catalog.resolve(catalog.DEFAULT, with_crun.images, lambda _: None)
    findings = await selfcheck(with_crun, base, tmp_path / "check", Choice(profile=profile, runtime="crun"))
    assert len(findings) == 7
    assert [finding for finding in findings if not finding.holds] == []


async def works(sandbox: DockerSandbox) -> None:
    """Commands, files, a command that will not end, and a look while it all stands still."""
    await sandbox.write(sandbox.root / "a", b"one")
    result = await sandbox.run(Command(["sh", "-c", "cat a; echo two > b; echo oops >&2; exit 3"], sandbox.root))
    assert (result.exit_code, result.stdout.all, result.stderr.all) == (3, b"one", b"oops\n")
    late = await sandbox.run(Command(["sh", "-c", "setsid sleep 600 & sleep 600"], sandbox.root, timeout=1))
    assert late.timed_out
    assert await sandbox.running() == 0
    assert {change.path for change in (await sandbox.freeze()).pending} == {b"a", b"b"}


async def test_under_crun_the_sandbox_works_and_is_what_was_asked_for(
    with_crun: Engine, checkout: Path, state: Path
) -> None:
    base = catalog.resolve(catalog.DEFAULT, with_crun.images, lambda _: None)
    choice = Choice(runtime="crun")
    session = prepare(sessions=Sessions(state), checkout=checkout, kind="exec", image=base, choice=choice)
    async with opened(session, with_crun) as sandbox:
        await works(sandbox)
        facts = with_crun.inspect((await sandbox.ready()).id)
        assert facts is not None
        assert facts["HostConfig"]["Runtime"] == "crun"
    assert not with_crun.containers()
