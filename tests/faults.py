"""Faults that strace injects into a process: killed, or told of an error, at the N-th call of a kind.

The process is a fork of the test's own, in which everything is imported and has run before. It waits until strace is
attached: from then on it makes the calls of the work alone, the same ones every time, and each of them can be hit.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CHANGES = (
    *("renameat2", "renameat", "rename", "unlinkat", "unlink", "rmdir", "mkdirat", "mkdir", "symlinkat", "linkat"),
    *("write", "pwrite64", "fsync", "ftruncate", "fchmod", "fchmodat", "fchown", "sync_file_range"),
)
"""Calls that change what is on a disk, or make it last."""

OPENS = ("openat", "openat2", "close", "flock")
"""Calls after which a change may follow."""

READS = ("read", "pread64", "getdents64", "newfstatat", "fstat", "readlinkat", "faccessat2", "flistxattr", "lseek")
"""Calls that only look."""

_ANY = ctypes.c_ulong(-1)  # PR_SET_PTRACER_ANY
_SET_PTRACER = 0x59616D61
_SECONDS = 30.0


@dataclass(frozen=True)
class Ended:
    """How the work ended: its exit code, negative for the signal that killed it; and the calls it made, in order."""

    code: int
    calls: tuple[str, ...]
    text: str

    @property
    def was_hit(self) -> bool:
        """Whether the fault was injected."""
        return self.code == -signal.SIGKILL or "(INJECTED)" in self.text


def traced(work: Callable[[], int], folder: Path, *options: str) -> Ended:
    """Fork, let strace watch, and do the work; what it returns is the exit code. `folder` holds the trace."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.fail("this test injects faults with strace: `apt-get install strace`")
    child = os.fork()
    if child == 0:
        _work(work)
    os.waitpid(child, os.WUNTRACED)
    trace = folder / "trace"
    watcher = subprocess.Popen([strace, "-qq", "-o", trace, "-p", str(child), *options], stderr=subprocess.PIPE)
    _wait_attached(child, watcher)
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    watcher.communicate(timeout=_SECONDS)
    text = trace.read_text(errors="replace")
    return Ended(os.waitstatus_to_exitcode(status), tuple(re.findall(r"^(\w+)\(", text, re.MULTILINE)), text)


def watched(*names: str) -> tuple[str, ...]:
    """The options that show these calls; a name this machine's kernel does not have is passed over."""
    return ("-e", "trace=" + ",".join(f"?{name}" for name in names))


def hit(name: str, number: int, fault: str) -> tuple[str, ...]:
    """The options that hit the `number`-th call of a name: `signal=KILL`, `error=EIO` and the like."""
    return (*watched(name), "-e", f"inject={name}:{fault}:when={number}")


def hit_from(calls: Sequence[str], position: int, fault: str) -> tuple[str, ...]:
    """The options that hit every call from a position in the undisturbed run on, whatever is called then."""
    before = Counter(calls[:position])
    options = [f"inject={name}:{fault}:when={before[name] + 1}+" for name in sorted(set(calls))]
    return (*watched(*set(calls)), *(word for option in options for word in ("-e", option)))


def points(calls: Sequence[str]) -> list[tuple[str, int]]:
    """Every call of a run as the name and number it can be hit by."""
    seen: Counter[str] = Counter()
    found: list[tuple[str, int]] = []
    for name in calls:
        seen[name] += 1
        found.append((name, seen[name]))
    return found


def _work(work: Callable[[], int]) -> None:
    """The child's part; nothing of the test that it was forked from may run on in it."""
    code = 99
    try:
        ctypes.CDLL(None).prctl(_SET_PTRACER, _ANY)
        os.kill(os.getpid(), signal.SIGSTOP)
        code = work()
    finally:
        os._exit(code)


def _wait_attached(child: int, watcher: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _SECONDS
    while "TracerPid:\t0" in Path(f"/proc/{child}/status").read_text():
        if watcher.poll() is not None or time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail(f"strace cannot watch a process: {watcher.stderr.read().decode() if watcher.stderr else ''}")
        time.sleep(0.001)
