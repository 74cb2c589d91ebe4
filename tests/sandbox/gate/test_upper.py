"""The upper directory, read without believing anything in it."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from sandbox.gate.upper import kind_of, levels


@pytest.fixture
def upper(tmp_path):
    folder = tmp_path / "upper"
    folder.mkdir()
    return folder


@pytest.fixture
def read(upper):
    """Visits every folder and returns what was said of each, and what could not be read."""

    def visit(start=b""):
        root = os.open(upper, os.O_RDONLY)
        errors = {}
        found = {}
        try:
            for level in levels(root, lambda path, error: errors.setdefault(path, error.errno), start=start):
                found[level.path] = (level.opaque, [(entry.name, entry.kind) for entry in level.entries])
                level.descend += [entry.name for entry in level.entries if entry.kind == "directory"]
        finally:
            os.close(root)
        return found, errors

    return visit


def test_marks_of_the_overlay_are_told_from_entries(upper, read):
    (upper / "d").mkdir()
    os.setxattr(upper / "d", "user.overlay.opaque", b"y")
    (upper / "f").write_text("x")
    (upper / "l").symlink_to("f")
    os.mknod(upper / "w", stat.S_IFCHR, os.makedev(0, 0))
    os.mkfifo(upper / "p")
    assert read() == (
        {
            b"": (
                False,
                [(b"d", "directory"), (b"f", "file"), (b"l", "link"), (b"p", "special"), (b"w", "whiteout")],
            ),
            b"d": (True, []),
        },
        {},
    )


def test_everything_below_an_opaque_folder_is_opaque(upper, read):
    (upper / "d" / "e").mkdir(parents=True)
    (upper / "f").mkdir()
    os.setxattr(upper / "d", "user.overlay.opaque", b"y")
    assert {path: opaque for path, (opaque, _) in read()[0].items()} == {
        b"": False,
        b"d": True,
        b"d/e": True,
        b"f": False,
    }


@pytest.mark.parametrize("value", [b"x", b"n", b"", b"yes", b"\0"])
def test_only_the_kernels_own_value_makes_a_folder_opaque(upper, read, value):
    os.setxattr(upper, "user.overlay.opaque", value)
    assert read()[0][b""][0] is False


def test_parents_come_before_children_in_the_order_of_names(upper, read):
    for path in ("b/x", "a/z", "a/y/w", "c"):
        (upper / path).mkdir(parents=True)
    assert list(read()[0]) == [b"", b"a", b"a/y", b"a/y/w", b"a/z", b"b", b"b/x", b"c"]


def test_a_walk_can_start_below(upper, read):
    (upper / "a" / "b").mkdir(parents=True)
    (upper / "c").mkdir()
    assert list(read(b"a")[0]) == [b"a", b"a/b"]


def test_a_folder_that_becomes_a_link_while_we_read_is_an_error(upper, tmp_path):
    (tmp_path / "secret" / "deep").mkdir(parents=True)
    (upper / "d").mkdir()
    root = os.open(upper, os.O_RDONLY)
    errors = []
    for level in levels(root, lambda path, _: errors.append(path)):
        assert level.path == b""
        level.descend.append(b"d")
        (upper / "d").rmdir()
        (upper / "d").symlink_to(tmp_path / "secret")
    os.close(root)
    assert errors == [b"d"]


def test_a_wide_tree_needs_no_more_descriptors_than_a_narrow_one(upper, read):
    for number in range(200):
        (upper / f"{number}" / "x").mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    assert len(read()[0]) == 401
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.root
def test_a_device_is_a_whiteout_only_if_it_is_a_character_device_0_0(upper):
    os.mknod(upper / "w", stat.S_IFCHR, os.makedev(0, 0))
    assert kind_of(os.lstat(upper / "w")) == "whiteout"
    for mode, device in ((stat.S_IFCHR, os.makedev(1, 3)), (stat.S_IFBLK, os.makedev(0, 0))):
        try:
            os.mknod(upper / "n", mode, device)
        except PermissionError:
            pytest.fail("this test makes device nodes, which takes root")
        assert kind_of(os.lstat(upper / "n")) == "special"
        (upper / "n").unlink()


NOBODY = 65534


def as_nobody(act):
    """Run `act` in a child process without any privilege; what it returns has to be a text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(writer, act().encode())
        except BaseException as error:  # noqa: BLE001 - told to the parent, which fails with it
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def open_folder():
    """A folder that every user may write to; pytest's own are private to whoever runs the tests."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_an_unprivileged_process_reads_marks_and_applies(open_folder):
    from sandbox.gate import apply as applying
    from sandbox.gate.blobs import Blobs
    from sandbox.gate.collect import collect
    from sandbox.gate.manifest import Manifest
    from sandbox.sessions import Meta, Sessions, new_id, now

    def work():
        checkout = open_folder / "checkout"
        checkout.mkdir()
        (checkout / "a").write_text("1")
        (checkout / "gone").write_text("1")
        sessions = Sessions(open_folder / "state")
        session = sessions.create(
            Meta(id=new_id(), kind="run", checkout=str(checkout), created=now(), image="i", image_name="n",
                 uid=os.getuid(), gid=os.getgid())
        )  # fmt: skip
        session.upper.mkdir()
        manifest, blobs = Manifest.take(checkout), Blobs(session.blobs)
        manifest.save(session.manifest)
        (session.upper / "a").write_text("2")
        os.mknod(session.upper / "gone", stat.S_IFCHR, os.makedev(0, 0))
        (session.upper / "locked").write_text("x")
        (session.upper / "locked").chmod(0)
        (session.upper / "closed").mkdir(mode=0)
        changes = collect(session.upper, checkout, manifest=manifest, blobs=blobs)
        approval = applying.Approval(changes.id, changes.pending, "nobody", now())
        result = applying.apply(approval, checkout=checkout, blobs=blobs, session=session, manifest=manifest)
        (session.upper / "closed").chmod(0o700)
        refused = sorted((one.path, one.reason) for one in changes.refused)
        return repr((refused, result, sorted(os.listdir(checkout)), (checkout / "a").read_text()))

    assert as_nobody(work) == repr(
        (
            [(b"closed", "cannot be read: Permission denied"), (b"locked", "cannot be read: Permission denied")],
            applying.Applied((b"a", b"closed", b"gone")),
            ["a", "closed"],
            "2",
        )
    )
