"""A limit that was reached, as a sentence; and what the guest says of it, which is hostile."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.errors import SandboxLost
from sandbox.frames import Frame, Kind
from sandbox.guest.limits import Limits
from sandbox.limits import LimitReached, size, told
from sandbox.running import done_of


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (LimitReached("memory", 4 * 1024**3), "memory limit 4 GiB reached"),
        (LimitReached("processes", 512), "process limit 512 reached"),
        (LimitReached("disk", 10 * 1024**3), "disk limit 10 GiB reached"),
        (LimitReached("files", 1_000_000), "limit of 1,000,000 files reached"),
        (LimitReached("/tmp", 1024**3), "/tmp is full (1 GiB)"),
        (LimitReached("machine", 0), "the machine ran out of memory"),
        (LimitReached("disk", 1536, "delete something"), "disk limit 1.5 KiB reached: delete something"),
    ],
)
def test_a_limit_is_named_with_its_number(limit: LimitReached, sentence: str) -> None:
    assert str(limit) == sentence


def test_sizes_are_written_as_people_write_them() -> None:
    assert [size(amount) for amount in (0, 1023, 1024, 1600, 10 * 1024**3, 3 * 1024**5)] == [
        "0 bytes", "1023 bytes", "1 KiB", "1.6 KiB", "10 GiB", "3072 TiB",
    ]  # fmt: skip


def test_a_limit_is_told_once_and_with_what_there_is_to_know() -> None:
    limits = told(
        ["memory", "memory", "processes"], {"memory": 1024**3}, ended=7, scratch={"/tmp": 1024**2, "/dev/shm": 5}
    )
    assert [str(limit) for limit in limits] == [
        "memory limit 1 GiB reached: of it lie 1 MiB in /tmp, where files are memory too",
        "process limit 0 reached: 7 that earlier commands had left running were ended to make room",
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        {"limits": ["the moon"]},
        {"limits": ["memory"] * 9},
        {"limits": "memory"},
        {"ended": -1},
        {"scratch": {"/etc": 1}},
        {"scratch": {"/tmp": -1}},
        {"scratch": {"/tmp": "much"}},
    ],
)
def test_a_guest_that_names_what_is_no_limit_has_broken_the_protocol(hostile: dict[str, object]) -> None:
    with pytest.raises(SandboxLost):
        done_of(Frame(1, Kind.DONE, json.dumps({"exit": 0, **hostile}).encode()))


VERSION_1 = {
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill {killed}\n",
    "memory/memory.max_usage_in_bytes": "{peak}\n",
    "memory/memory.limit_in_bytes": "1073741824\n",
    "pids/pids.events": "max {refused}\n",
    "pids/pids.current": "{current}\n",
    "pids/pids.max": "512\n",
}
VERSION_2 = {
    "memory.events": "low 0\nhigh 0\nmax 99\noom {oom}\noom_kill {killed}\noom_group_kill 0\n",
    "pids.events": "max {refused}\n",
    "pids.current": "{current}\n",
    "pids.max": "512\n",
}
QUIET = {"killed": 3, "peak": 500, "oom": 3, "refused": 7, "current": 20}


class Groups:
    """A container's control groups, as files."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder, self._files = folder, files
        for name in ("memory", "pids"):
            (folder / name).mkdir()
        self.say()
        self.limits = Limits([str(folder), str(folder / "memory"), str(folder / "pids")])

    def say(self, **changes: int) -> None:
        """What the kernel counts from now on."""
        for name, text in self._files.items():
            (self._folder / name).write_text(text.format(**{**QUIET, **changes}))

    def met(self, **changes: int) -> list[str]:
        """What a call met that changed the counters so."""
        before = self.limits.at_start(is_alone=True)
        self.say(**changes)
        return [name for name in self.limits.met_since(before) if not name.startswith("/")]


@pytest.fixture(params=[VERSION_1, VERSION_2], ids=["version 1", "version 2"])
def groups(request: pytest.FixtureRequest, tmp_path: Path) -> Groups:
    return Groups(tmp_path, request.param)


def test_what_has_not_changed_was_not_met(groups: Groups) -> None:
    assert groups.met() == []
    assert groups.met(current=511) == []


def test_memory_was_met_if_something_was_killed_while_the_container_was_full(groups: Groups) -> None:
    assert groups.met(killed=4, oom=4, peak=1073741824) == ["memory"]
    assert groups.met(killed=4, oom=4, peak=1073741824) == []


def test_what_was_killed_while_the_container_was_not_full_was_killed_for_the_machine(groups: Groups) -> None:
    assert groups.met(killed=4) == ["machine"]


def test_a_refused_process_is_the_process_limit(groups: Groups) -> None:
    assert groups.met(refused=9) == ["processes"]


def test_a_call_that_is_alone_hears_of_what_happened_before_it_and_one_beside_others_does_not(groups: Groups) -> None:
    groups.say(refused=9)
    assert groups.limits.met_since(groups.limits.at_start(is_alone=False)) == []
    groups.say(refused=10)
    assert groups.limits.met_since(groups.limits.at_start(is_alone=True)) == ["processes"]


def test_it_is_crowded_if_processes_were_refused_lately_and_few_are_left(groups: Groups) -> None:
    groups.say(refused=9, current=511)
    assert groups.limits.is_crowded()
    groups.say(refused=9, current=300)
    assert not groups.limits.is_crowded()
    groups.say(current=511)
    assert not groups.limits.is_crowded()


def test_an_engine_that_shows_no_counter_leaves_every_limit_unmet(tmp_path: Path) -> None:
    limits = Limits([str(tmp_path)])
    assert not limits.is_crowded()
    assert [name for name in limits.met_since(limits.at_start(is_alone=True)) if not name.startswith("/")] == []
