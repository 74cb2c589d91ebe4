"""Holding everything still: what a pause of the container is elsewhere, where the host needs the guest to look."""

import os
import signal
import time

from sandbox.guest.processes import descendants, signal_quietly

SECONDS = 1.0
STANDS, RUNS = set("TtXZ"), set("RS")


class Hold:
    """The processes of all calls, stopped. Those that somebody else had stopped before stay so afterwards.

    Processes can wake each other again, faster than they can all be stopped: who still runs after a second is killed.
    """

    def __init__(self, guest):
        self.guest = guest
        self.stopped = set()
        deadline = time.monotonic() + SECONDS
        while moving := self.moving():
            late = time.monotonic() - deadline
            if late > SECONDS:
                break  # all they do is wait for a disk: they stop as soon as they come back from it
            for pid in moving:
                signal_quietly(pid, signal.SIGKILL if late > 0 and states(pid) & RUNS else signal.SIGSTOP)
            self.stopped |= moving
            time.sleep(0.001)

    def moving(self):
        """The processes of calls that do not stand still, those that are new among them."""
        every = descendants(os.getpid(), self.guest.spare()) - self.guest.ours
        return {pid for pid in every if states(pid) - STANDS}

    def release(self):
        for pid in self.stopped & descendants(os.getpid(), self.guest.spare()):
            signal_quietly(pid, signal.SIGCONT)


def states(pid):
    """The letters that say what a process's threads do; none for one that is gone."""
    found = set()
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/stat" % (pid, thread), "rb") as file:
                found.add(file.read().rpartition(b")")[2].split()[0].decode())
    except OSError:
        pass  # it ends while it is looked at; the next look sees what is left of it
    return found
