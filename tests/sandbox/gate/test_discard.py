"""Dropping what a sandbox wrote: exactly that, at any depth, through no link."""

import os
from pathlib import Path

import pytest

from images.image import Image
from sandbox.errors import FileError, StateError
from sandbox.gate.discard import discard_all, discard_paths, remove_tree
from sandbox.gate.upper import OPAQUE
from sandbox.opening import prepare
from sandbox.sessions import Session, Sessions


@pytest.fixture
def kept(tmp_path: Path) -> Session:
    """A session on a small checkout, with nothing written yet. No engine is needed for that."""
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.py").write_text("x\n")
    sessions = Sessions(tmp_path / "state")
    return prepare(sessions=sessions, checkout=folder, kind="exec", image=Image("base", "sha256:0"))


def write(kept: Session, *paths: str) -> None:
    for path in paths:
        target = kept.upper / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("written")


def written(kept: Session) -> list[str]:
    return sorted(str(path.relative_to(kept.upper)) for path in kept.upper.rglob("*"))


def drop(kept: Session, *paths: bytes) -> None:
    discard_paths(kept, Path(kept.meta().checkout), paths)


def test_one_path_goes_and_the_others_stay(kept):
    write(kept, "src/main.py", "src/other.py", "top")
    drop(kept, b"src/other.py")
    assert written(kept) == ["src", "src/main.py", "top"]


def test_a_new_folder_goes_with_the_last_thing_in_it(kept):
    write(kept, "new/deep/a", "new/b", "src/c")
    drop(kept, b"new/deep/a", b"src/c")
    assert written(kept) == ["new", "new/b", "src"]


def test_a_folder_goes_with_all_that_is_in_it(kept):
    write(kept, "new/deep/a", "new/b")
    drop(kept, b"new")
    assert written(kept) == []


def test_a_path_nothing_was_written_at_is_fine(kept):
    drop(kept, b"src/main.py", b"no/such/thing")
    assert written(kept) == []


def test_nothing_comes_back_alone_from_a_folder_that_was_replaced(kept):
    write(kept, "src/main.py")
    os.setxattr(kept.upper / "src", OPAQUE, b"y")
    with pytest.raises(FileError, match="src: was deleted or replaced as a whole"):
        drop(kept, b"src/main.py")
    drop(kept, b"src")
    assert written(kept) == []


@pytest.mark.parametrize("path", [b"", b"..", b"src/../x", b"/etc/passwd", b"src//x", b"."])
def test_a_path_that_is_none_is_refused(kept, path):
    with pytest.raises(StateError, match="is not a path below the checkout"):
        drop(kept, path)


def test_no_link_is_followed(kept, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("precious")
    (kept.upper / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(FileError):
        drop(kept, b"link/precious")
    discard_all(kept)
    assert (tmp_path / "outside" / "precious").read_text() == "precious"


def test_all_of_it_goes_and_the_folder_keeps_its_mode(kept):
    write(kept, "a", "b/c")
    kept.upper.chmod(0o755)
    discard_all(kept)
    assert written(kept) == []
    assert kept.upper.stat().st_mode & 0o777 == 0o755
    assert sorted(os.listdir(kept.path)) == ["base", "blobs", "meta.json", "outputs", "upper", "work", "workspace.json"]


def test_a_tree_deeper_than_any_stack_goes(tmp_path):
    root = tmp_path / "deep"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    remove_tree(root)
    assert not root.exists()


def test_a_wide_tree_of_folders_without_permissions_goes(tmp_path):
    for number in range(200):
        folder = tmp_path / "wide" / str(number) / "inner"
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
        folder.chmod(0)
    remove_tree(tmp_path / "wide")
    remove_tree(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []
