"""Does the sandbox hold on this engine? Asked of a real one that is thrown away; each check tries one thing inside.

What `tests/attacks` shows at length for one machine, this looks at in a few seconds on any: that the engine did what it
was asked, and that the kernel follows it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

from images.image import Image
from sandbox.base import Command, ExecResult
from sandbox.choice import Choice
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.errors import SandboxError
from sandbox.opening import opened, prepare
from sandbox.profile import CAPABILITIES, MIB, Profile, User, profile_of
from sandbox.programs import PYTHON
from sandbox.sessions import Meta, Sessions

MEMORY: Final = 192 * MIB
PROCESSES: Final = 64
SECONDS: Final = 60.0


@dataclass(frozen=True)
class Finding:
    """What one check came to. `holds` is what matters; `text` says it to a person.

    `is_announced`: the engine says itself that it cannot do this, so nobody is deceived.
    """

    name: str
    holds: bool
    text: str
    is_announced: bool = False


@dataclass(frozen=True)
class Subject:
    """A running sandbox, and the profile it is held against."""

    sandbox: DockerSandbox
    profile: Profile
    meta: Meta
    checkout: Path

    async def python(self, script: str, *, timeout: float = 20.0) -> ExecResult:
        """Run a script inside."""
        argv = [PYTHON, "-I", "-S", "-c", script]
        return await self.sandbox.run(Command(argv, self.sandbox.root, timeout=timeout))

    async def said(self, script: str) -> str:
        """What a script prints."""
        return (await self.python(script)).stdout.all.decode("utf-8", "replace").strip()


async def selfcheck(engine: Engine, image: Image, folder: Path, choice: Choice) -> Sequence[Finding]:
    """Try a choice's profile and runtime, with small limits, in an empty folder of its own below `folder`.

    Raises: SandboxError, ImageError if no sandbox starts; TimeoutError.
    """
    checkout = folder / "checkout"
    checkout.mkdir(mode=0o755, parents=True)
    small = Choice(profile=choice.profile, runtime=choice.runtime, memory=MEMORY, processes=PROCESSES)
    session = prepare(sessions=Sessions(folder / "state"), checkout=checkout, kind="exec", image=image, choice=small)
    meta = session.meta()
    with anyio.fail_after(SECONDS):
        async with opened(session, engine) as sandbox:
            subject = Subject(sandbox, profile_of(small), meta, checkout)
            await sandbox.ready()
            return await tried(subject)


async def tried(subject: Subject) -> Sequence[Finding]:
    """Every check, one after the other; one that cannot be tried does not hold."""
    return [await _tried(check, subject) for check in CHECKS]


async def _tried(check: Callable[[Subject], Awaitable[Finding]], subject: Subject) -> Finding:
    if check.__name__ in (await subject.sandbox.ready()).engine.kind.unlimited:
        return Finding(check.__name__, False, "no limit: this engine enforces none", is_announced=True)
    try:
        return await check(subject)
    except SandboxError as error:
        return Finding(check.__name__, False, f"could not be tried: {error}")


async def rights(subject: Subject) -> Finding:
    """Whom tools run as, and with what."""
    script = """
import os
print(os.getuid())
print(*[line for line in open("/proc/self/status") if line.startswith(("Cap", "NoNewPrivs"))])
"""
    words = (await subject.said(script)).split()
    facts = dict(zip(words[1::2], words[2::2], strict=False))
    profile, meta = subject.profile, subject.meta
    user = profile.tools((await subject.sandbox.ready()).engine.kind.inside(User(meta.uid, meta.gid)))
    mask = f"{sum(1 << CAPABILITIES[name] for name in profile.capabilities):016x}"
    holds = (
        words[:1] == [str(user.uid)]
        and [facts.get(f"Cap{kind}:") for kind in ("Prm", "Eff", "Bnd")] == [mask] * 3
        and facts.get("NoNewPrivs:") == ("0" if profile.gains else "1")
    )
    given = ", ".join(profile.capabilities) or "no capabilities"
    what = "setuid programs gain rights" if profile.gains else "no new privileges"
    return Finding("rights", holds, f"tools run as uid {user.uid} with {given}, {what}" if holds else f"not: {words}")


async def seccomp(subject: Subject) -> Finding:
    """That a system call filter is on, and ours where it is to be."""
    script = """
import ctypes, socket
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("Seccomp:")][0])
try:
    socket.socket(38, 5).close()
    print("open")
except OSError:
    print("closed")
libc = ctypes.CDLL(None, use_errno=True)
print("open" if libc.syscall(425, 0, 0) == 0 or ctypes.get_errno() not in (1, 38) else "closed")
"""
    mode, alg, uring = ((await subject.said(script)).split() + ["?"] * 3)[:3]
    if subject.profile.filter == "engine":
        return Finding("seccomp", mode == "2", f"the engine's own filter; AF_ALG {alg}, io_uring {uring}")
    holds = (mode, alg, uring) == ("2", "closed", "closed")
    return Finding("seccomp", holds, f"our own filter ({subject.profile.filter}); AF_ALG {alg}, io_uring {uring}")


async def network(subject: Subject) -> Finding:
    """That there is no way out."""
    names = await subject.said("import os; print(' '.join(sorted(os.listdir('/sys/class/net'))))")
    return Finding("network", names == "lo", "none: only loopback inside" if names == "lo" else f"there is {names!r}")


async def guest(subject: Subject) -> Finding:
    """That tools cannot read, trace or stop our own program inside; where they may gain rights, only read and trace."""
    script = """
import ctypes, fcntl, os
opened = []
for name in ("environ", "mem", "maps", "fd/0"):
    try:
        open("/proc/1/" + name, "rb", buffering=0).read(1)
        opened.append(name)
    except OSError:
        pass
if ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0:
    opened.append("ptrace")
for signals in (lambda: os.kill(1, 9), lambda: fcntl.fcntl(os.pipe()[0], 10, 9)):
    try:
        signals()
        opened += [] if GAINS else ["signals"]
    except PermissionError:
        pass
print(*opened)
"""
    gains = subject.profile.gains
    found = await subject.said(script.replace("GAINS", str(gains)))
    lives = await subject.said("print('alive')") == "alive"
    holds = (
        "tools cannot read or trace it, and who ends its processes is found out" if gains else "out of reach of tools"
    )
    return Finding("guest", not found and lives, f"tools reach {found}" if found else holds)


async def workspace(subject: Subject) -> Finding:
    """That what is written stays out of the checkout."""
    result = await subject.python("open('selfcheck', 'w').write('x')")
    is_written = result.exit_code == 0
    holds = is_written == subject.profile.changes_workspace and not list(subject.checkout.iterdir())
    return Finding("workspace", holds, "a copy: the checkout stays as it is" if holds else "the checkout was written")


async def memory(subject: Subject) -> Finding:
    """That the memory limit ends what goes beyond it."""
    taking = f"import mmap\nm = mmap.mmap(-1, {2 * MEMORY})\nfor at in range(0, len(m), 4096): m[at] = 1"
    result = await subject.python(taking)
    holds = result.exit_code == 128 + 9
    return Finding("memory", holds, "the limit holds" if holds else "more than the limit could be taken")


async def processes(subject: Subject) -> Finding:
    """That the process limit holds."""
    forking = """
import os, time
n = 0
try:
    while n < 500 and os.fork():
        n += 1
except OSError:
    print(n)
time.sleep(0.2)
"""
    words = (await subject.said(forking)).split()
    count = int(words[0]) if words and words[0].isdigit() else 500
    return Finding(
        "processes", count < PROCESSES, "the limit holds" if count < PROCESSES else "the limit does not hold"
    )


CHECKS: Final = (rights, seccomp, network, guest, workspace, memory, processes)
