"""The attacks on a running sandbox, tried in every profile: which group held where, as a table.

    python -m tests.attacks.matrix [PROFILE]...

A number is how many attacks were tried and held; `12 of 13` names what did not hold below the table. What a profile
does not promise (the marker `profiles` says so in the test) is not tried in it, and is counted apart.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

from sandbox.choice import ProfileName

ROOT = Path(__file__).parents[2]
FILES = ("isolation", "entrances", "neighbourhood", "resources")
GROUPS: Mapping[str, str] = {"i": "I isolation", "r": "R resources", "n": "N network", "": "others"}


@dataclass
class Tried:
    """What became of the attacks in one profile, by group."""

    held: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)

    def cell(self, group: str, most: int) -> str:
        """For the table."""
        lost = sum(one == group for one in self.failed.values())
        tried = self.held[group] + lost
        apart = f" ({most - tried} not promised)" if most > tried else ""
        return (f"{self.held[group]} of {tried}" if lost else str(tried)) + apart


def main(profiles: Sequence[str]) -> int:
    """Try, print, and end with 1 if anything did not hold."""
    every = {profile: tried(profile) for profile in profiles}
    most = count()
    rows = [["group", *profiles], ["---"] * (1 + len(profiles))]
    rows += [[title, *(one.cell(group, most[group]) for one in every.values())] for group, title in GROUPS.items()]
    lost = [f"{profile}: {name} did not hold" for profile, one in every.items() for name in one.failed]
    sys.stdout.write("\n".join([*(f"| {' | '.join(row)} |" for row in rows), *lost]) + "\n")
    return int(any(one.failed for one in every.values()))


def tried(profile: str) -> Tried:
    """Run them in one profile."""
    found = Tried()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        done = pytest(f"--profile={profile}", f"--junitxml={report}", "-n2")
        if done.returncode not in (0, 1):
            raise SystemExit(done.stdout + done.stderr)
        for case in ET.parse(report).iter("testcase"):
            name = case.attrib["name"]
            if case.find("failure") is not None or case.find("error") is not None:
                found.failed[name] = group_of(name)
            elif case.find("skipped") is None:
                found.held[group_of(name)] += 1
    return found


def count() -> Counter[str]:
    """How many attacks there are, by group: as many as are tried in the default profile."""
    listed = pytest("--collect-only").stdout
    return Counter(group_of(name) for name in re.findall(r"::(test_\S+)", listed))


def group_of(name: str) -> str:
    """The letter of an attack's number, `i` in `test_i14_…`."""
    found = re.match(r"test_([irn])\d\d_", name)
    return found[1] if found else ""


def pytest(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it on the files of the matrix; tests that name a profile of their own are not of it."""
    files = [f"tests/attacks/test_{name}.py" for name in FILES]
    argv = [sys.executable, "-m", "pytest", "-q", "-k", "not strict and not default and not build", *arguments, *files]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or get_args(ProfileName)))
