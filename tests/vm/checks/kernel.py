"""That the machine is what it is there for, and that the product sees it: otherwise what follows shows nothing."""

import json
from pathlib import Path

import pytest

from tests.attacks.scene import shell
from tests.vm.checks.scene import paddock

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def test_doctor_finds_every_layer_on():
    checks = {check["name"]: check for check in json.loads(paddock("doctor", "--json").stdout)}
    assert "cgroup v2" in checks["engine"]["text"]
    assert (checks["cgroup"]["verdict"], checks["lsm"]["text"]) == ("ok", "AppArmor is on")
    assert {name for name, check in checks.items() if check["verdict"] in ("failed", "missing")} == set()


async def test_tools_are_confined_by_apparmor(sandbox):
    assert (await shell(sandbox, "cat /proc/self/attr/current")).stdout.all == b"docker-default (enforce)\n"


async def test_limits_are_those_of_version_2(sandbox):
    assert Path("/sys/fs/cgroup/cgroup.controllers").exists()
    said = await shell(sandbox, "cat /proc/self/cgroup; cat /sys/fs/cgroup/memory.swap.max /sys/fs/cgroup/pids.max")
    assert said.stdout.all == b"0::/\n0\n512\n"
