"""Many small deletions with nobody looking add up, until somebody approves something."""

import pytest

from sandbox.changes import Change, File
from sandbox.gate.approval import Approval, Before, record_approval, record_discarded, record_outcome
from sandbox.gate.unseen import BY_AUTO, BY_SYNC, deleted_unseen
from sandbox.sessions import Meta, Sessions, new_id, now

OLD = File("0" * 64, 1)


@pytest.fixture
def session(tmp_path):
    meta = Meta(id=new_id(), kind="run", checkout="/x", created=now(), image="i", image_name="base", uid=0, gid=0)
    return Sessions(tmp_path / "state").create(meta)


def applied(session, tmp_path, by, *changes, outcome=True):
    approved = record_approval(session, Approval("0" * 64, changes, by, now()), tmp_path, before=Before())
    if outcome:
        record_outcome(session, approved, [change.path for change in changes], [])
    else:
        record_discarded(session, approved)


def test_deletions_by_rules_add_up_until_somebody_else_approves(session, tmp_path):
    assert deleted_unseen(session) == 0
    for number in range(3):
        gone = Change(b"%d" % number, OLD, None)
        applied(session, tmp_path, (BY_SYNC, BY_AUTO)[number % 2], gone, Change(b"n%d" % number, None, OLD))
    assert deleted_unseen(session) == 3
    applied(session, tmp_path, BY_SYNC, Change(b"x", OLD, None), outcome=False)
    assert deleted_unseen(session) == 3
    applied(session, tmp_path, "me", Change(b"y", OLD, None))
    assert deleted_unseen(session) == 0
