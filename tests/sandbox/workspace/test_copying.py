"""A copy of the checkout shows what the checkout shows, while its user works on."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from sandbox.gate.syscalls import DIRECTORY
from sandbox.sessions import Session
from sandbox.workspace import base as bases
from sandbox.workspace.base import Base, decide
from sandbox.workspace.copying import Tell, copy_tree
from sandbox.workspace.frozen import Facts
from tests.attacks.mutating import nasty
from tests.attacks.scene import facts


def copy(source: Path, target: Path, tell: Tell | None = None) -> dict[bytes, os.stat_result | None]:
    """Copy a folder into a new one; what was told."""
    target.mkdir()
    told: dict[bytes, os.stat_result | None] = {}
    reading, writing = os.open(source, DIRECTORY), os.open(target, DIRECTORY)
    copy_tree(reading, writing, tell or told.__setitem__)
    os.close(reading)
    os.close(writing)
    return told


def test_a26_modes_times_links_and_odd_names_are_as_they_were(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    nasty(os.fsencode(source))
    (source / "old").write_text("x")
    os.utime(source / "old", ns=(1, 1_000_000_001))
    (source / "shared").mkdir(mode=0o2775)
    (source / "shared").chmod(0o2775)
    (source / "link").symlink_to("nowhere")
    os.utime(source / "link", ns=(5, 5), follow_symlinks=False)
    os.chown(source / "old", 1234, 1235) if os.geteuid() == 0 else None
    told = copy(source, tmp_path / "target")
    ours, theirs = facts(tmp_path / "target"), facts(source)
    strip = len(os.fsencode(source)) + 1
    special = {path for path, (mode, *_) in theirs.items() if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)}
    expected = {path[strip:]: fact for path, fact in theirs.items() if path != b"." and path not in special}
    assert {path[strip:]: fact for path, fact in ours.items() if path != b"."} == expected
    assert set(told) == set(expected)
    assert (tmp_path / "target" / "old").stat().st_uid == (source / "old").stat().st_uid


def test_sockets_and_fifos_are_left_out_and_nothing_waits_for_them(tmp_path):
    (tmp_path / "source").mkdir()
    os.mkfifo(tmp_path / "source" / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "source" / "socket"))
        assert copy(tmp_path / "source", tmp_path / "target") == {}


def test_a_link_to_a_folder_is_a_link_and_nothing_behind_it_is_read(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("key")
    (tmp_path / "source" / "way").symlink_to(tmp_path / "secret")
    copy(tmp_path / "source", tmp_path / "target")
    assert os.readlink(tmp_path / "target" / "way") == str(tmp_path / "secret")


def test_of_a_file_that_never_holds_still_no_facts_are_trusted_unless_it_was_caught_whole(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    busy = source / "busy"
    contents = [bytes([letter]) * 3_000_000 for letter in b"ab"]
    busy.write_bytes(contents[0])
    done = threading.Event()

    def write() -> None:
        number = 0
        with busy.open("r+b", buffering=0) as file:
            while not done.is_set():
                number += 1
                file.seek(0)
                file.write(contents[number % 2])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(10):
            mark = tmp_path / f"mark{number}"
            mark.touch()
            told = Facts(mark.stat().st_ctime_ns, lambda: None)
            copy(source, tmp_path / f"target{number}", told.tell)
            is_whole = (tmp_path / f"target{number}" / "busy").read_bytes() in contents
            assert is_whole or not told.manifest().matches(b"busy", busy.stat())
    finally:
        done.set()
        writer.join()


@pytest.fixture
def session(tmp_path):
    """A session's folder."""
    (tmp_path / "session").mkdir()
    return Session(tmp_path / "session")


def laid_out(folder: Path, files: int) -> Path:
    """A checkout of so many files of two bytes."""
    folder.mkdir()
    for number in range(files):
        (folder / f"f{number}").write_text("x\n")
    return folder


def test_44_small_trees_are_copied_and_large_ones_are_not_and_the_reason_is_said(tmp_path, session):
    small = decide(laid_out(tmp_path / "small", 3), session, "auto")
    assert (small.kind, small.sentence) == ("frozen", "frozen copy (3 files, 6 bytes)")
    many = laid_out(tmp_path / "many", bases.MOST_FILES + 1)
    large = decide(many, session, "auto")
    assert (large.kind, large.sentence) == (
        "live",
        "live checkout (more than 200 files: too many to copy at the start)",
    )
    assert decide(many, session, "frozen") == Base(kind="frozen", files=201, size=402)
    assert decide(tmp_path / "small", session, "live").sentence == "live checkout (as asked)"
    assert decide(many, session, "copy").kind == "live"  # it is carried either way


def test_44_what_takes_long_to_copy_is_not_copied_unless_it_takes_no_room(tmp_path, session):
    checkout = laid_out(tmp_path / "checkout", 1)
    with (checkout / "large").open("wb") as file:
        file.truncate(bases.MOST_BYTES + 1)
    (tmp_path / "probe").write_bytes(b"x")
    found = decide(checkout, session, "auto")
    assert found.sentence in (
        "live checkout (more than 50 MB: too much to copy at the start)",
        "frozen copy (2 files, 50 MB)",  # on a file system that shares blocks
    )
    assert list(session.path.iterdir()) == []


@pytest.mark.root
def test_what_a_copy_would_give_another_owner_is_not_copied(tmp_path, session):
    checkout = laid_out(tmp_path / "checkout", 1)
    for path, why in ((checkout / "f0", "belongs to another user"), (checkout / "closed", "cannot be read")):
        if path.name == "closed":
            os.chown(checkout / "f0", 65534, 65534)
            path.write_text("x")
            os.chown(path, 65534, 65534)
            path.chmod(0)
        os.chown(checkout, 65534, 65534)
        child = os.fork()
        if child == 0:
            os.chdir(checkout)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            found = decide(Path(), session, "auto")
            os._exit(0 if found == Base(kind="live", why=f"{path.name} {why}") else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
