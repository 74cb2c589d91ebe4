"""Which limits of the container were met: the kernel's own counters of it, read before and after a call.

An exit code proves nothing here: 137 is also what `kill -9` leaves behind.
"""

import os

FOLDERS = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids")
"""Where the container's own control groups are, in version 2 and in version 1."""
COUNTERS = {
    "killed": (("memory.events", b"oom_kill"), ("memory.oom_control", b"oom_kill")),
    "refused": (("memory.events", b"oom"),),
    "processes": (("pids.events", b"max"),),
}
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm", "/home/agent")
FULL = 64 * 1024
"""Bytes left in a folder that count as none: who writes in larger pieces has met its end."""
NEAR = 1024 * 1024
RESERVE = 32
"""With fewer processes left than this, and some refused lately, a call could start and do nothing."""


class Limits:
    """The counters, open. Where an engine shows none of them, no limit is ever said to be met."""

    def __init__(self, folders=FOLDERS):
        self.files = {
            name: [file for place in places for file in opened(folders, *place)] for name, places in COUNTERS.items()
        }
        self.current, self.most = opened(folders, "pids.current"), opened(folders, "pids.max")
        self.peak = opened(folders, "memory.max_usage_in_bytes")
        self.memory = opened(folders, "memory.limit_in_bytes")
        self.seen = self.now()

    def now(self):
        """How often each limit was met so far, and which scratch folders are full."""
        counts = {name: sum(map(number, files)) for name, files in self.files.items()}
        counts["full"] = [folder for folder in SCRATCH if is_full(folder)]
        return counts

    def at_start(self, is_alone):
        """What a call begins with; alone, it also hears of what happened since the last one ended."""
        now = self.now()
        return {**self.seen, "full": now["full"]} if is_alone else now

    def met_since(self, before):
        """The names of what was met since `before`; what a call found full is not its doing."""
        now = self.seen = self.now()
        names = [folder for folder in now["full"] if folder not in before["full"]]
        if now["killed"] > before["killed"]:
            names.append("memory" if now["refused"] > before["refused"] or self.has_filled_memory() else "machine")
        if now["processes"] > before["processes"]:
            names.append("processes")
        return names

    def has_filled_memory(self):
        """Whether the container was ever at its limit; else the machine was. Version 1 counts no refusals."""
        return bool(self.peak) and number(self.peak[0]) > number(self.memory[0]) - NEAR

    def is_crowded(self):
        """Whether processes were refused since the last call ended, and there is hardly room for one now."""
        if sum(map(number, self.files["processes"])) == self.seen["processes"]:
            return False
        return sum(map(number, self.current)) > sum(map(number, self.most)) - RESERVE


def opened(folders, name, field=b""):
    """The file of that name, with the field in it that counts; as a list, because it may not be there."""
    for folder in folders:
        try:
            return [(os.open("%s/%s" % (folder, name), os.O_RDONLY | os.O_CLOEXEC), field)]
        except OSError:
            continue
    return []


def number(file):
    """What a field of a file of the kernel's says now, 0 if nothing."""
    descriptor, field = file
    for line in os.pread(descriptor, 4096, 0).splitlines():
        name, _, value = line.rpartition(b" ")
        if name == field and value.isdigit():
            return int(value)
    return 0


def is_full(folder):
    try:
        facts = os.statvfs(folder)
    except OSError:
        return False
    return facts.f_bavail * facts.f_frsize < FULL or facts.f_favail == 0


def scratch_used():
    """Bytes that lie in scratch folders, which is memory too, by folder."""
    found = {}
    for folder in SCRATCH:
        try:
            facts = os.statvfs(folder)
        except OSError:
            continue
        found[folder] = (facts.f_blocks - facts.f_bfree) * facts.f_frsize
    return found


def die_before_others(score):
    """Be chosen when memory runs out, before whoever has a lower score. Raising one's own is always allowed."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(score))
    except OSError:
        pass  # a runtime without it chooses as it likes
