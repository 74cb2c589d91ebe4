"""The system calls that Python lacks: they work, and they refuse what must not happen."""

import errno
import os
import threading

import pytest

from sandbox.gate.syscalls import Renames, exchange, names_now, open_beneath, probe, rename_noreplace, walk_beneath


@pytest.fixture
def root(tmp_path):
    (tmp_path / "tree" / "d" / "e").mkdir(parents=True)
    (tmp_path / "tree" / "f").write_text("f")
    (tmp_path / "tree" / "l").symlink_to("d")
    (tmp_path / "tree" / "out").symlink_to("/etc")
    descriptor = os.open(tmp_path / "tree", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_exchange_swaps_a_file_and_a_folder(root):
    exchange(root, b"f", root, b"d")
    assert os.listdir(os.open("f", os.O_RDONLY, dir_fd=root)) == ["e"]


def test_exchange_needs_both_names(root):
    with pytest.raises(FileNotFoundError):
        exchange(root, b"f", root, b"nothing")


def test_rename_never_replaces(root):
    with pytest.raises(FileExistsError):
        rename_noreplace(root, b"f", root, b"l")
    rename_noreplace(root, b"f", root, b"g")
    assert b"g" in names_now(root)


def test_the_probe_leaves_nothing_behind_even_after_one_that_was_cut_short(root):
    os.mknod("probe-1", dir_fd=root)
    os.mknod("probe-3", dir_fd=root)
    assert probe(root) == Renames(noreplace=True, exchange=True, links=True)
    assert sorted(names_now(root)) == [b"d", b"f", b"l", b"out"]


@pytest.mark.parametrize("opener", [open_beneath, walk_beneath])
@pytest.mark.parametrize(
    ("path", "codes"),
    [
        (b"l", (errno.ELOOP, errno.ENOTDIR)),
        (b"l/e", (errno.ELOOP, errno.ENOTDIR)),
        (b"out", (errno.ELOOP, errno.ENOTDIR)),
        (b"f", (errno.ENOTDIR,)),
        (b"f/x", (errno.ENOTDIR,)),
        (b"nothing", (errno.ENOENT,)),
        (b"../tree", (errno.EXDEV,)),
        (b"/etc", (errno.EXDEV,)),
    ],
)
def test_s36_nothing_is_opened_through_a_link_or_outside(root, opener, path, codes):
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the code is checked below
        opener(root, path)
    assert caught.value.errno in codes


@pytest.mark.parametrize("opener", [open_beneath, walk_beneath])
def test_folders_inside_are_opened(root, opener):
    descriptor = opener(root, b"d/e")
    assert os.fstat(descriptor).st_ino == os.stat("d/e", dir_fd=root).st_ino
    os.close(descriptor)


@pytest.mark.root
@pytest.mark.parametrize("opener", [open_beneath, walk_beneath])
def test_s36_another_file_system_is_not_entered(root, tmp_path, opener):
    if os.system(f"mount -t tmpfs none {tmp_path}/tree/d") != 0:
        pytest.fail("this test mounts a tmpfs, which takes root")
    try:
        with pytest.raises(OSError, match="cross-device"):
            opener(root, b"d")
    finally:
        os.system(f"umount {tmp_path}/tree/d")


def test_s04_a_folder_that_flips_to_a_link_never_leads_out(root, tmp_path):
    (tmp_path / "tree" / "flip").mkdir()
    (tmp_path / "tree" / "evil").symlink_to("/etc")
    stop = threading.Event()

    def attack():
        while not stop.is_set():
            exchange(root, b"flip", root, b"evil")

    attacker = threading.Thread(target=attack)
    attacker.start()
    etc = os.stat("/etc").st_ino
    opened = refused = 0
    try:
        for _ in range(10_000):
            try:
                descriptor = open_beneath(root, b"flip")
            except OSError:
                refused += 1
            else:
                assert os.fstat(descriptor).st_ino != etc
                os.close(descriptor)
                opened += 1
    finally:
        stop.set()
        attacker.join()
    assert opened + refused == 10_000
    assert refused > 0
