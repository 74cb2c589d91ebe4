"""What the checkout looked like when the session began, kept compactly and read back strictly."""

import os

import pytest

from sandbox.changes import Directory, File, Link
from sandbox.errors import StateError
from sandbox.gate.manifest import Manifest, Renewal


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    (folder / "d" / "e").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_text("i")
    (folder / ".paddock-txn.0").mkdir()
    (folder / "a").write_text("a")
    (folder / "d" / "e" / "b").write_text("b")
    (folder / "l").symlink_to("a")
    (folder / os.fsdecode(b"\xff\n")).write_text("odd")
    return folder


def facts(path):
    return os.lstat(path)


PATHS = [b"a", b"d", b"d/e", b"d/e/b", b"l", b"\xff\n"]


def test_every_path_is_known_but_git_and_our_own(checkout):
    manifest = Manifest.take(checkout)
    assert len(manifest) == len(PATHS)
    for path in PATHS:
        assert path in manifest
        assert manifest.matches(path, facts(os.path.join(os.fsencode(checkout), path)))
        assert not manifest.matches(path, None)
    assert manifest.matches(b".git/index", None)
    assert b".paddock-txn.0" not in manifest


def test_what_was_saved_is_loaded(checkout, tmp_path):
    manifest = Manifest.take(checkout)
    manifest.save(tmp_path / "manifest")
    loaded = Manifest.load(tmp_path / "manifest")
    assert len(loaded) == len(PATHS)
    assert all(loaded.matches(path, facts(os.path.join(os.fsencode(checkout), path))) for path in PATHS)
    assert os.stat(tmp_path / "manifest").st_mode & 0o777 == 0o600


def test_an_empty_checkout_has_a_manifest_too(tmp_path):
    (tmp_path / "empty").mkdir()
    Manifest.take(tmp_path / "empty").save(tmp_path / "manifest")
    loaded = Manifest.load(tmp_path / "manifest")
    assert len(loaded) == 0
    assert loaded.matches(b"", None)


def rewrite(path):
    path.write_text("aa")


def rewrite_same_size(path):
    path.write_text("b")


def set_time_back(path):
    path.write_text("b")
    os.utime(path, ns=(1, 1))


def replace(path):
    before = path.stat()
    path.unlink()
    path.write_text("a")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def chmod(path):
    path.chmod(0o755)


def turn_into_link(path):
    path.unlink()
    path.symlink_to("l")


@pytest.mark.parametrize("move", [rewrite, rewrite_same_size, set_time_back, replace, chmod, turn_into_link])
def test_k12_every_way_to_change_a_file_is_noticed(checkout, move):
    manifest = Manifest.take(checkout)
    move(checkout / "a")
    assert not manifest.matches(b"a", facts(checkout / "a"))


def test_a_folder_only_moves_when_it_is_no_folder_any_more(checkout):
    manifest = Manifest.take(checkout)
    (checkout / "d" / "new").write_text("n")
    assert manifest.matches(b"d", facts(checkout / "d"))
    assert not manifest.matches(b"d", facts(checkout / "a"))


def test_renewed_facts_and_contents_count_from_now_on_and_after_a_restart(checkout, tmp_path):
    manifest = Manifest.take(checkout)
    manifest.save(tmp_path / "manifest")
    (checkout / "a").write_text("new")
    node = File("0" * 64, 3, executable=True)
    manifest.renew(
        {
            b"a": Renewal(facts(checkout / "a"), node),
            b"gone": Renewal(None),
            b"l": Renewal(None, Link(b"\xff")),
            b"d": Renewal(facts(checkout / "d"), Directory()),
        }
    )
    for current in (manifest, Manifest.load(tmp_path / "manifest")):
        assert current.matches(b"a", facts(checkout / "a"))
        assert current.base(b"a") == node
        assert current.matches(b"gone", None)
        assert not current.matches(b"l", facts(checkout / "l"))
        assert not current.matches(b"l", None)
        assert (current.base(b"l"), current.base(b"d"), current.base(b"d/e/b")) == (Link(b"\xff"), Directory(), None)


def test_a_torn_update_is_dropped_and_does_not_swallow_the_next(checkout, tmp_path):
    manifest = Manifest.take(checkout)
    manifest.save(tmp_path / "manifest")
    (tmp_path / "manifest.updates").write_text('["61", nu')
    manifest.renew({b"b": Renewal(None, Link(b"x"))})
    assert Manifest.load(tmp_path / "manifest").base(b"b") == Link(b"x")


def cut(data):
    return data[:-10]


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("damage", [cut, flip, lambda _: b"", lambda _: b"paddock manifest 2\n", lambda data: data[1:]])
def test_c15_a_damaged_manifest_is_refused(checkout, tmp_path, damage):
    Manifest.take(checkout).save(tmp_path / "manifest")
    data = (tmp_path / "manifest").read_bytes()
    (tmp_path / "manifest").write_bytes(damage(data))
    with pytest.raises(StateError, match="is damaged or from another version"):
        Manifest.load(tmp_path / "manifest")


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(StateError, match="cannot be read"):
        Manifest.load(tmp_path / "manifest")
