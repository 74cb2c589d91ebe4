"""What is asked of a change set by path: the path itself and what is below it, however many are asked for."""

import time

from sandbox.changes import Change, ChangeSet, Directory


def test_ten_thousand_paths_are_asked_for_one_by_one_in_no_time():
    names = [b"a/%d/x" % number for number in range(10_000)] + [b"a", b"a-b", b"a/5", b"a0"]
    changes = ChangeSet(tuple(Change(name, None, Directory()) for name in names))
    began = time.monotonic()
    assert all(len(changes.only([name])) == 1 for name in names[:10_000])
    assert time.monotonic() - began < 5
    assert [change.path for change in changes.only([b"a/5/", b"a-b"])] == [b"a-b", b"a/5", b"a/5/x"]
    assert len(changes.only([b"a"])) == 10_002
    assert changes.only([b"."]) == changes.changes
