"""K-14: histories of a user, an agent and a gate that is killed, thousands of them; see tests/attacks/histories.py."""

import os
import subprocess
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.attacks.histories import Step, World, history
from tests.sandbox.conftest import make_gate


def shrunk(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> Sequence[Step]:
    """The same failure with fewer steps."""
    steps = list(steps)
    number = 0
    while number < len(steps):
        shorter = steps[:number] + steps[number + 1 :]
        if fails(shorter):
            steps = shorter
        else:
            number += 1
    return steps


def played(folder: Path, steps: Sequence[Step]) -> str:
    """What went wrong when a history was played; nothing if it held."""
    place = folder / os.urandom(6).hex()
    place.mkdir()
    world = World(make_gate(place))
    try:
        world.begin()
        world.play(steps)
    except Exception:  # noqa: BLE001 - whatever it is, the history that leads to it is printed
        return traceback.format_exc()
    finally:
        subprocess.run(["rm", "-rf", place], check=True)
    return ""


def hold(folder: Path, seeds: range) -> None:
    """Play these histories; the first that does not hold is shortened and shown."""
    for seed in seeds:
        wrong = played(folder, history(seed))
        if wrong:
            reason = wrong.strip().splitlines()[-1][:25]
            short = shrunk(history(seed), lambda fewer, reason=reason: reason in played(folder, fewer))
            pytest.fail(f"history {seed}:\n" + "\n".join(map(str, short)) + f"\n{wrong}")


def test_k14_random_histories_lose_nothing_and_report_what_is(tmp_path):
    hold(tmp_path, range(20))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a tenth of a second each
@pytest.mark.parametrize("first", range(20, 10_020, 1000))
def test_k14_ten_thousand_random_histories_lose_nothing_and_report_what_is(tmp_path, first):
    hold(tmp_path, range(first, first + 1000))
