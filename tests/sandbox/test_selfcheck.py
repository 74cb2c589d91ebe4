"""The look at a sandbox that `paddock doctor` takes: it says yes where it holds, and no where it does not."""

from pathlib import Path

import pytest

from images.errors import UnknownImage
from images.image import Image
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.profile import profile_of
from sandbox.selfcheck import CHECKS, Subject, selfcheck, tried
from sandbox.sessions import Session

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.mark.parametrize("profile", ["strict", "default", "build", "compat"])
async def test_every_profile_holds_what_it_promises(engine: Engine, image: Image, tmp_path: Path, profile) -> None:
    findings = await selfcheck(engine, image, tmp_path / "check", Choice(profile=profile))
    assert [finding.name for finding in findings] == [check.__name__ for check in CHECKS]
    assert [finding for finding in findings if not finding.holds] == []


@pytest.mark.parametrize("choice", [Choice(profile="compat")], ids=["compat"])
async def test_a_sandbox_that_is_looser_than_its_profile_is_found_out(
    sandbox: DockerSandbox, session: Session, checkout: Path
) -> None:
    held_against = Subject(sandbox, profile_of(Choice(profile="strict")), session.meta(), checkout)
    findings = {finding.name: finding.holds for finding in await tried(held_against)}
    assert findings == {
        "rights": False, "seccomp": False, "network": True, "guest": False, "workspace": False, "memory": False,
        "processes": False,
    }  # fmt: skip


async def test_a_sandbox_that_does_not_start_is_an_error(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UnknownImage, match="is not on the engine"):
        await selfcheck(engine, Image("gone", "sha256:" + "0" * 64), tmp_path / "check", Choice())
