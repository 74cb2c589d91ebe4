"""Which folders can be worked on."""

import os
from pathlib import Path

import pytest

from sandbox.checkout import checked, identity, is_same
from sandbox.errors import CheckoutRefused


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("/", "whole machine"),
        ("/usr", "system folder"),
        ("/proc/self", "kernel"),
        ("/nowhere", "does not exist"),
        ("/etc/passwd", "not a folder"),
    ],
)
def test_b15_a_place_that_is_no_project_is_refused(folder: str, reason: str) -> None:
    with pytest.raises(CheckoutRefused, match=reason):
        checked(Path(folder))


def test_b15_the_home_folder_and_what_is_above_it_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home" / "user"
    (home / "project").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for folder in (home, home.parent, tmp_path):
        with pytest.raises(CheckoutRefused, match="home folder"):
            checked(folder)
    assert checked(home / "project") == home / "project"


def test_a_link_to_a_project_is_that_project(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "link").symlink_to("project")
    assert checked(tmp_path / "link") == tmp_path / "project"


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CheckoutRefused):
        checked(tmp_path / "loop")


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    with pytest.raises(CheckoutRefused, match="UTF-8"):
        checked(folder)


def test_a_folder_is_known_by_itself_and_not_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    noted = identity(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()
    assert is_same(noted, tmp_path / "b")
    assert not is_same(noted, tmp_path / "a")


def test_after_a_reboot_a_folder_is_known_by_its_inode(tmp_path: Path) -> None:
    _, device, inode = identity(tmp_path).split(":")
    assert is_same(f"another-boot:{int(device) + 1}:{inode}", tmp_path)
    assert not is_same(f"another-boot:{device}:{int(inode) + 1}", tmp_path)


def test_a_folder_of_which_nothing_was_noted_may_be_any(tmp_path: Path) -> None:
    assert is_same("", tmp_path)
