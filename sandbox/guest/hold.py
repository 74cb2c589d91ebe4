"""Holding everything still: what a pause of the container is elsewhere, where the host needs the guest to look."""

import os
import signal
import time

from sandbox.guest.processes import descendants, signal_quietly

SECONDS = 1.0


class Hold:
    """The processes of all calls, stopped. Those that somebody else had stopped before stay so afterwards."""

    def __init__(self, guest):
        self.guest = guest
        self.stopped = set()
        seen = set()
        while True:
            fresh = descendants(os.getpid(), guest.spare()) - guest.ours - seen
            if not fresh:
                break
            for pid in fresh:
                if state(pid) not in "Tt":
                    signal_quietly(pid, signal.SIGSTOP)
                    self.stopped.add(pid)
            seen |= fresh
        deadline = time.monotonic() + SECONDS
        while any(state(pid) in "RSD" for pid in self.stopped) and time.monotonic() < deadline:
            time.sleep(0.001)

    def release(self):
        for pid in self.stopped & descendants(os.getpid(), self.guest.spare()):
            signal_quietly(pid, signal.SIGCONT)


def state(pid):
    """The letter that says what a process does; X for one that is gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return "X"
