"""How much of the disk a workspace takes: counted as it is allocated, and never less than that."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.disk import GIB, Meter, Room, floor_at, free_at, larger, over, seconds_of, smaller, taken_at, under
from tests.loopdisk import mounted

MIB = 1024**2
MOST = Room(10 * GIB, 1000)


@pytest.mark.parametrize(
    ("used", "name"),
    [
        (Room(0, 0), None),
        (Room(10 * GIB - 1, 999), None),
        (Room(10 * GIB, 0), "disk"),
        (Room(0, 1000), "files"),
        (Room(11 * GIB, 2000), "disk"),
    ],
)
def test_a_limit_is_reached_at_its_number(used: Room, name: str | None) -> None:
    assert over(used, MOST) == name


@pytest.mark.parametrize(
    ("free", "name"),
    [
        (Room(2 * GIB + 1, 100), None),
        (Room(2 * GIB, 100), "free disk"),
        (Room(3 * GIB, 99), "free files"),
        (Room(-1, -1), "free disk"),
    ],
)
def test_the_machine_keeps_its_floor(free: Room, name: str | None) -> None:
    assert under(free, Room(2 * GIB, 100)) == name


def test_bytes_and_files_are_compared_apart() -> None:
    assert larger(Room(1, 20), Room(2, 10)) == Room(2, 20)
    assert smaller(Room(1, 20), Room(2, 10)) == Room(1, 10)


def test_what_hardly_lasts_is_looked_at_the_more_often() -> None:
    assert seconds_of(Room(8 * GIB, 4_000_000)) == 1
    assert seconds_of(Room(8 * GIB, 40_000)) == 0.1
    assert seconds_of(Room(-1, 0)) <= 0


def test_the_floor_is_never_more_than_half_of_what_is_free(tmp_path: Path) -> None:
    assert GIB // 16 <= floor_at(tmp_path).size <= max(GIB // 16, free_at(tmp_path).size // 2)


def test_what_is_counted_is_what_is_allocated(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "full").write_bytes(b"x" * MIB)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(GIB)
    (tmp_path / "link").symlink_to("/")
    used = meter.look()
    assert used.files == 4
    assert MIB <= used.size < 2 * MIB


def test_a_file_of_many_names_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * MIB)
    for name in "abcdef":
        (tmp_path / name).hardlink_to(tmp_path / "one")
    used = Meter(tmp_path).look()
    assert used.files == 1
    assert MIB <= used.size < 2 * MIB


def test_a_link_in_a_folders_place_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "d").symlink_to("/usr")
    used = Meter(tmp_path / "upper").look()
    assert used.files == 1
    assert used.size <= 4096  # btrfs counts a block for the link itself


def taken(*sizes: int) -> Callable[[Path], Room]:
    """A file system of which so many bytes are taken, one after the other; the last for good."""
    left = list(sizes)
    return lambda _: Room(left.pop(0) if len(left) > 1 else left[0], 1000)


def test_what_is_too_deep_to_be_seen_counts_as_all_that_was_written_since(tmp_path: Path) -> None:
    meter = Meter(tmp_path, taken_at=taken(1 * GIB, 1 * GIB, 4 * GIB))
    assert meter.look() == Room(0, 0)
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d" * 250, dir_fd=folder)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)
    assert meter.look().size == 3 * GIB


def test_between_looks_all_that_has_gone_from_the_disk_counts_and_what_came_back_does_not(tmp_path: Path) -> None:
    meter = Meter(tmp_path, taken_at=taken(2 * GIB, 4 * GIB, 1 * GIB))
    meter.look()
    assert [meter.estimate().size, meter.estimate().size] == [2 * GIB, 0]


def test_a_look_is_old_only_if_something_moved_since(tmp_path: Path) -> None:
    never, moved = Meter(tmp_path, taken_at=taken(5)), Meter(tmp_path, taken_at=taken(5, 6))
    assert moved.is_old()
    never.look()
    assert not never.is_old()


@pytest.mark.root
def test_what_btrfs_has_only_promised_counts_at_once(tmp_path: Path) -> None:
    with mounted("btrfs", tmp_path / "disk", tmp_path / "image") as disk:
        taken, free = taken_at(disk), free_at(disk)
        (disk / "file").write_bytes(b"x" * 100 * MIB)
        assert taken_at(disk).size - taken.size >= 100 * MIB
        assert free.size - free_at(disk).size >= 100 * MIB


@pytest.mark.root
def test_on_a_full_xfs_bytes_are_not_taken_for_files(tmp_path: Path) -> None:
    with mounted("xfs", tmp_path / "disk", tmp_path / "image", size=400 * MIB) as disk:
        taken, free = taken_at(disk), free_at(disk)
        (disk / "file").write_bytes(b"x" * 300 * MIB)
        assert free.files - free_at(disk).files > 1000
        assert taken_at(disk).files - taken.files == 1
