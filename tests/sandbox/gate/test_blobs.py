"""Contents by digest: what comes out is what went in, or an error."""

import hashlib
import os
import stat

import pytest

from sandbox.changes import File
from sandbox.errors import OutOfSpace, StateError
from sandbox.gate.blobs import Blobs


@pytest.fixture
def blobs(tmp_path):
    (tmp_path / "blobs").mkdir()
    return Blobs(tmp_path / "blobs")


def test_a_content_comes_back_under_its_digest(blobs):
    kept = blobs.put(b"hello")
    assert kept == File(hashlib.sha256(b"hello").hexdigest(), 5)
    assert blobs.read(kept.digest) == b"hello"
    assert blobs.read(kept.digest, 2) == b"he"
    with blobs.open(kept.digest) as file:
        assert file.read() == b"hello"


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024])
def test_a_file_is_read_from_its_start_whatever_its_size(blobs, tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    os.lseek(descriptor, size // 2, os.SEEK_SET)
    assert blobs.put_fd(descriptor) == File(hashlib.sha256(data).hexdigest(), size)
    assert blobs.put_fd(descriptor, size) == File(hashlib.sha256(data).hexdigest(), size)
    os.close(descriptor)
    assert blobs.read(hashlib.sha256(data).hexdigest()) == data


@pytest.mark.parametrize("size", [11, 2 * 1024 * 1024])
def test_more_than_the_limit_is_not_kept(blobs, tmp_path, size):
    (tmp_path / "file").write_bytes(b"x" * size)
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    assert blobs.put_fd(descriptor, size - 1) is None
    os.close(descriptor)
    assert os.listdir(blobs.folder) == []


def test_blobs_are_private_and_kept_once(blobs):
    blobs.put(b"x")
    before = os.stat(blobs.folder / blobs.put(b"x").digest)
    assert stat.S_IMODE(before.st_mode) == 0o600
    assert len(os.listdir(blobs.folder)) == 1


@pytest.mark.parametrize("damage", [b"", b"hellO", b"hello, and more"])
def test_a_damaged_blob_is_an_error_and_never_content(blobs, tmp_path, damage):
    kept = blobs.put(b"hello")
    (blobs.folder / kept.digest).write_bytes(damage)
    with pytest.raises(StateError, match="is damaged"):
        blobs.read(kept.digest)
    with pytest.raises(StateError, match="is damaged"):
        blobs.copy(kept.digest, os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT))


def test_a_torn_blob_is_written_anew(blobs):
    kept = blobs.put(b"hello")
    (blobs.folder / kept.digest).write_bytes(b"")
    assert blobs.read(blobs.put(b"hello").digest) == b"hello"


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "", "g" * 64])
def test_what_is_not_here_is_an_error(blobs, digest):
    with pytest.raises(StateError):
        blobs.read(digest)


def test_a_blob_that_is_a_link_is_not_followed(blobs, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    (blobs.folder / digest).symlink_to(tmp_path / "secret")
    with pytest.raises(StateError):
        blobs.read(digest)


@pytest.mark.root
def test_a_full_disk_is_said_and_leaves_no_partial_file(tmp_path):
    if os.system(f"mount -t tmpfs -o size=64k none {tmp_path}") != 0:
        pytest.fail("this test mounts a small tmpfs, which takes root")
    try:
        with pytest.raises(OutOfSpace, match="no space left"):
            Blobs(tmp_path).put(b"x" * 128 * 1024)
        assert os.listdir(tmp_path) == []
    finally:
        os.system(f"umount {tmp_path}")


def test_flushing_needs_what_was_put(blobs):
    blobs.put(b"a")
    blobs.put(b"b")
    blobs.flush()
    blobs.flush()
    assert len(os.listdir(blobs.folder)) == 2
