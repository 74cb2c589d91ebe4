"""Removing a session, and keeping a content, killed at any call: all or nothing, and the next sweep takes the rest."""

import os
import re
import shutil

import pytest

from sandbox.changes import File
from sandbox.leftovers import remove, sweep
from tests.faults import CHANGES, hit, points, traced, watched
from tests.sandbox.conftest import make_gate


@pytest.fixture
def settled(tmp_path):
    """Makes a session that has applied something, in a folder of its own."""

    def make(name):
        folder = tmp_path / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        gate = make_gate(folder)
        (gate.checkout / "a").write_text("old")
        gate.begin()
        gate.put("a", "new")
        gate.put("deep/er/b", "new")
        gate.apply_all()
        return gate

    return make


def test_c14_removing_a_session_is_all_or_nothing_wherever_it_is_killed(settled, tmp_path):
    remove(settled("warm").session)
    gate = settled("warm")
    calls = points(traced(lambda: remove(gate.session) or 0, tmp_path, *watched(*CHANGES)).calls)
    assert len(calls) > 10
    for point in calls[::2]:
        gate = settled("scene")
        ended = traced(lambda gate=gate: remove(gate.session) or 0, tmp_path, *hit(*point, "signal=KILL"))
        assert ended.was_hit
        listed = gate.sessions.all()
        if listed:
            assert listed[0].meta().checkout == str(gate.checkout)
            assert len(listed[0].approvals.read_bytes().splitlines()) == 2
            remove(listed[0])
        sweep(gate.sessions)
        assert os.listdir(gate.sessions.folder) == [], point
        assert (gate.checkout / "a").read_text() == "new"


def test_nothing_of_a_session_is_deleted_while_its_lock_is_open(settled, tmp_path):
    """On NFS the folder would stay: a file that is deleted while it is open only gets another name there."""
    gate = settled("scene")
    text = traced(lambda: remove(gate.session) or 0, tmp_path, *watched("openat", "close", "unlinkat", "rmdir")).text
    lock = re.search(r'openat\([^\n]*/lock"[^\n]* = (\d+)$', text, re.MULTILINE)
    assert lock is not None
    assert lock.end() < text.index(f"close({lock[1]})", lock.end()) < text.index("unlinkat(")


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_c14_a_content_is_there_whole_or_not_at_all_and_nothing_else_stays(settled, tmp_path, size):
    data = b"x" * size
    source = tmp_path / "source"
    source.write_bytes(data)

    def put(gate):
        with source.open("rb") as file:
            gate.blobs.put_fd(file.fileno())
        gate.blobs.flush()
        return 0

    gate = settled("warm")
    before = set(os.listdir(gate.session.blobs))
    put(gate)
    (digest,) = set(os.listdir(gate.session.blobs)) - before
    gate = settled("again")
    calls = points(traced(lambda: put(gate), tmp_path, *watched(*CHANGES)).calls)
    for point in calls:
        gate = settled("scene")
        ended = traced(lambda gate=gate: put(gate), tmp_path, *hit(*point, "signal=KILL"))
        assert ended.was_hit
        sweep(gate.sessions, older=-1)
        left = set(os.listdir(gate.session.blobs)) - before
        assert left <= {digest}, point
        assert not gate.blobs.holds(File(digest, size)) or gate.blobs.read(digest) == data, point
        put(gate)  # a torn one is replaced by the next who has the same content
        assert gate.blobs.read(digest) == data, point


def test_what_is_being_written_and_what_runs_is_left_alone(settled):
    gate = settled("scene")
    young = gate.session.blobs / ".partial-0"
    young.write_text("half")
    trash = gate.session.path / "discarded-01234567"
    (trash / "deep").mkdir(parents=True)
    with gate.session.hold():
        assert sweep(gate.sessions, older=-1) == 0
    assert sweep(gate.sessions) == 1
    assert young.exists()
    assert not trash.exists()
    assert sweep(gate.sessions, older=-1) == 1


def test_other_names_in_the_sessions_folder_are_left_alone(settled):
    gate = settled("scene")
    for name in (".removed", ".mine.removed", "notes"):
        (gate.sessions.folder / name).mkdir()
    assert sweep(gate.sessions, older=-1) == 0
    assert len(os.listdir(gate.sessions.folder)) == 4
