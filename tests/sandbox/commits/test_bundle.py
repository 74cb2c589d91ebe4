"""Bundles out of a sandbox: one sentence for each way in which there is none."""

import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.commits.bundle import bring_out
from sandbox.errors import CommitRefused
from tests.fakes import FakeSandbox
from tests.sandbox.commits.repositories import git, shell

pytestmark = pytest.mark.anyio

COMMIT = "git -c user.name=Bot -c user.email=bot@x commit -q --allow-empty"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[FakeSandbox]:
    """A workspace that is a repository with one commit."""
    async with FakeSandbox(tmp_path) as fake:
        shell(Path(fake.root), f"git init -q -b main; {COMMIT} -m first")
        yield fake


async def test_what_is_new_comes_out(sandbox: FakeSandbox) -> None:
    into = io.BytesIO()
    known = {git(Path(sandbox.root), "rev-parse", "HEAD"), "0123456789" * 4}
    assert not await bring_out(sandbox, known, io.BytesIO())
    shell(Path(sandbox.root), f"{COMMIT} -m second")
    assert await bring_out(sandbox, known, into)
    assert into.getvalue().startswith(b"# v2 git bundle\n-")


async def test_no_git_in_the_image_is_said(sandbox: FakeSandbox, tmp_path: Path) -> None:
    sandbox.path = str(tmp_path)
    with pytest.raises(CommitRefused, match="image has no git"):
        await bring_out(sandbox, set(), io.BytesIO())


async def test_more_than_may_come_is_cut_off(sandbox: FakeSandbox) -> None:
    (Path(sandbox.root) / "big").write_bytes(os.urandom(200_000))
    shell(Path(sandbox.root), f"git add big; {COMMIT} -m big")
    into = io.BytesIO()
    with pytest.raises(CommitRefused, match="more than 100,000 bytes"):
        await bring_out(sandbox, set(), into, largest=100_000)
    assert len(into.getvalue()) <= 100_000
