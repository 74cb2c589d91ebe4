"""What is measured can be: the benchmarks follow what they call."""

import subprocess
import sys
from pathlib import Path


def test_every_part_of_the_benchmarks_can_be_imported() -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--help"], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "start" in done.stdout
