"""Holding everything inside still where an engine cannot: a program of ours, run beside the guest, stops all of it.

Rootless engines on control groups of version 1 have none, and so cannot pause. It runs as root inside with the guest's
right to signal, on the toolbox alone, and says nothing but how it ended. What somebody inside had stopped himself goes
on with the rest.
"""

from sandbox.programs import PYTHON

HOLD = """
import glob, os, signal, sys, time

def are_still():
    for path in glob.glob("/proc/[0-9]*/task/[0-9]*/status"):
        if path.split("/")[2] not in ("1", str(os.getpid())):
            try:
                with open(path, "rb") as file:
                    state = file.read().partition(b"State:")[2].split()[0]
            except OSError:
                continue
            if state not in (b"T", b"t", b"Z", b"X"):
                return False
    return True

for _ in range(50):
    os.kill(-1, signal.SIGSTOP)
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        if are_still():
            sys.exit(0)
    os.kill(-1, signal.SIGCONT)  # who waits for a child it has just made cannot be stopped before that one runs
    time.sleep(0.01)
sys.exit(1)
"""
RELEASE = "import os, signal; os.kill(-1, signal.SIGCONT)"


def argv(script: str) -> list[str]:
    """How it is run."""
    return [PYTHON, "-I", "-S", "-c", script]
