"""What the kernel left behind as root goes, and nothing beside it."""

import os

import pytest

from sandbox.scratch import clear, is_foreign

pytestmark = pytest.mark.engine


def test_the_engine_takes_the_scratch_folder_away_and_nothing_else(session, engine):
    (session.work / "work").mkdir()
    os.mknod(session.work / "work" / "#1", 0o600)
    (session.work / "other").write_text("ours")
    (session.work / "work").chmod(0)
    clear(session, engine)
    assert os.listdir(session.work) == ["other"]
    assert (session.path / "meta.json").exists()
    assert [one for one in engine.containers() if one.owner.session == session.id] == []


def test_a_folder_of_ours_needs_no_engine(session):
    (session.work / "work").mkdir()
    assert not is_foreign(session)
