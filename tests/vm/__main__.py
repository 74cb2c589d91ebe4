"""Tests on another kernel: control groups of version 2, AppArmor, NFS, project quotas. What to try there may be named.

python -m tests.vm [PYTEST ARGUMENT]...
"""

import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cli import environment
from images import catalog, definition
from sandbox import toolbox
from sandbox.engine import Engine
from tests.vm import machine

ROOT = Path(__file__).parents[2]
START = Path(__file__).with_name("start.sh")
PYTHON = (3, 11)
"""What Debian 12 has: our environment's packages are used in there as they are."""
CHOSEN = (
    "tests/vm/checks/kernel.py",
    "tests/vm/checks/nfs.py",
    "tests/sandbox/test_limits.py",
    "tests/sandbox/test_selfcheck.py",
    "tests/sandbox/test_pausing.py",
    "tests/attacks/test_limits.py",
    "tests/attacks/test_isolation.py",
    "tests/attacks/test_profiles.py",
    "tests/attacks/test_quota.py",
    "tests/contracts/test_commands.py",
)
TIMED = (
    "tests/attacks/test_limits.py::test_r04_who_has_our_own_part_killed_for_memory_loses_its_sandbox_and_is_told_why",
    "tests/contracts/test_commands.py::test_output_is_seen_while_it_is_made",
    "tests/contracts/test_commands.py::test_a_timeout_is_the_hosts_and_kills_all_of_the_call",
    "tests/contracts/test_commands.py::test_a_background_process_does_not_hold_the_call",
    "tests/contracts/test_commands.py::test_calls_run_side_by_side",
)
"""What holds something against seconds: an emulated machine does a tenth of the work in one."""
ALL = ("-q", "-m", "not slow", "-k", "not fake", *(f"--deselect={one}" for one in TIMED), *CHOSEN)


def main(arguments: Sequence[str]) -> int:
    """Build, pack, boot; the exit code is pytest's."""
    if sys.version_info[:2] != PYTHON:
        raise SystemExit(
            f"vm: Python {PYTHON[0]}.{PYTHON[1]} is needed: make clean, then make PYTHON=python3.11 test-vm"
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what is packed is removed then too
    cache = environment.read().cache
    built = machine.built(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="vm-run-") as folder:
        given = packed(Path(folder), arguments or ALL)
        return machine.run(built, given)


def packed(folder: Path, arguments: Sequence[str]) -> Path:
    """A disk with the project, its environment, its images and what to do with them."""
    top = folder / "given"
    (top / "images").mkdir(parents=True)
    for number, tag in enumerate(_images()):
        subprocess.run(["docker", "save", "--output", str(top / "images" / f"{number}.tar"), tag], check=True)
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            target = top / "project" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
    shutil.copytree(sys.prefix, top / "project" / ".venv", symlinks=True)
    told = f"ROOT={shlex.quote(str(ROOT))}\nBASE={shlex.quote(sys.base_prefix)}\nset -- {shlex.join(arguments)}\n"
    (top / "start").write_text(told + START.read_text())
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(top), str(folder / "disk"), "4G"], check=True)
    shutil.rmtree(top)
    return folder / "disk"


def _images() -> Sequence[str]:
    """The base image and the toolbox's, by name; on this machine's engine afterwards."""
    engine = Engine.connect()
    catalog.resolve(catalog.DEFAULT, engine.images, print)
    toolbox.image_on(engine, print)
    return [definition.load(catalog.DEFAULT).tag, toolbox.toolbox().tag]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
