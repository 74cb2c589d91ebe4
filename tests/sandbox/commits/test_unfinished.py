"""A commit that a killed process was about to make: the next command says what became of it, once."""

from pathlib import Path

import pytest

from sandbox.commits.making import Prepared
from sandbox.commits.unfinished import cut_short, forget, remember
from sandbox.sessions import Meta, Session, Sessions, new_id, now
from tests.sandbox.commits.repositories import git


@pytest.fixture
def stored(tmp_path: Path, repository: Path) -> Session:
    meta = Meta(
        id=new_id(), kind="exec", checkout=str(repository), created=now(), image="i", image_name="base", uid=0, gid=0
    )
    return Sessions(tmp_path / "state").create(meta)


def prepared(commit: str) -> Prepared:
    return Prepared(commit, None, "take\x1b it", {}, ())


def test_one_that_was_not_made_is_said_once(stored: Session) -> None:
    remember(stored, prepared("a" * 40))
    assert (cut_short(stored) or "").startswith("the commit “take\\x1b it” was cut short and is not made")
    assert cut_short(stored) is None


def test_one_that_was_made_is_told_apart(stored: Session, repository: Path) -> None:
    remember(stored, prepared(git(repository, "rev-parse", "HEAD")))
    assert "after it was made" in (cut_short(stored) or "")


def test_one_that_came_to_its_end_or_is_being_made_is_not_mentioned(stored: Session) -> None:
    remember(stored, prepared("a" * 40))
    with stored.hold():
        assert cut_short(stored) is None
    forget(stored)
    assert cut_short(stored) is None


def test_a_note_that_was_edited_by_hand_is_no_crash(stored: Session) -> None:
    (stored.path / "committing").write_text("{")
    assert "not made" in (cut_short(stored) or "")
