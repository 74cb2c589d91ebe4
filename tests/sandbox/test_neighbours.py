"""Sessions that share files, whatever the paths they were started by."""

import os

import pytest

from sandbox.errors import SessionNotFound
from sandbox.neighbours import neighbours
from sandbox.sessions import Meta, Sessions, new_id, now


@pytest.fixture
def sessions(tmp_path):
    return Sessions(tmp_path / "state")


@pytest.fixture
def start(sessions):
    """Makes a session of a folder."""

    def make(folder):
        facts = {"image": "sha256:0", "image_name": "none", "uid": os.getuid(), "gid": os.getgid()}
        return sessions.create(Meta(id=new_id(), kind="exec", checkout=str(folder), created=now(), **facts))

    return make


@pytest.fixture
def tree(tmp_path):
    """`r/sub/deep`, and `other` beside it."""
    for name in ("r/sub/deep", "other"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_k10_running_sessions_in_the_folder_above_and_below_are_named(tree, sessions, start):
    above, here, below, other = (start(tree / name) for name in ("r", "r/sub", "r/sub/deep", "other"))
    with above.hold(), here.hold(), below.hold(), other.hold():
        found = {one.session.id: one.place for one in neighbours(tree / "r" / "sub", sessions.all())}
        said = [one.sentence for one in neighbours(tree / "r" / "sub", [above])]
    assert found == {above.id: "above", here.id: "here", below.id: "below"}
    assert said[0].startswith(f"session {above.id[:8]} is running in {tree / 'r'}, which holds this folder: ")


def test_k10_a_link_to_the_folder_is_the_folder(tree, sessions, start):
    (tree / "link").symlink_to("r")
    (tree / "r" / "up").symlink_to("..")
    with start(tree / "link").hold(), start(tree / "link" / "sub").hold():
        places = sorted(one.place for one in neighbours(tree / "r" / "up" / "r", sessions.all()))
    assert places == ["below", "here"]


def test_sessions_that_do_not_run_or_whose_folder_is_gone_are_not(tree, sessions, start):
    start(tree / "r")
    gone = start(tree / "other")
    (tree / "other").rmdir()
    with gone.hold():
        assert neighbours(tree / "r", sessions.all()) == ()


def test_a_folder_below_a_checkout_is_told_where_the_session_is(tree, sessions, start):
    start(tree / "r")
    with pytest.raises(SessionNotFound, match=f"but {tree / 'r'} above it has: add -C {tree / 'r'}"):
        sessions.newest(tree / "r" / "sub")
    with pytest.raises(SessionNotFound, match="has no session yet"):
        sessions.newest(tree / "other")
