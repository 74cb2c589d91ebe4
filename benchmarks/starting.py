"""How long until the first tool result, on small and on large trees, alone and many at once."""

import os
import shutil
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio

from benchmarks.bench import Bench, git, process
from benchmarks.measure import Row, Step, in_turn
from benchmarks.peering import NoPeer, Peer, mini_swe_agent, swe_rex
from sandbox.base import Command
from sandbox.choice import BaseKind
from sandbox.opening import opened

LARGE = 80_000
MANY = 8
BASES = (50, 100, 200, 400)
"""A large copy would burden the disk for the next in turn."""
RUN = "docker run … true"


async def rows(bench: Bench) -> list[Row]:
    """Ready on a small tree, on a large one, on either base, against peers, and eight at once."""
    return [*await _ready(bench), *await _bases(bench), *await _peers(bench), *await _many(bench)]


async def _first_result(bench: Bench, checkout: Path) -> None:
    async with bench.sandbox(checkout) as sandbox:
        await sandbox.run(Command(["true"], sandbox.root))


async def until_first_result(bench: Bench, checkout: Path, base: BaseKind = "auto") -> float:
    """The seconds until the first result in a new session's sandbox; its end does not count."""
    began = anyio.current_time()
    session = bench.session(checkout, base)  # which decides what it lies on, and counts for that
    async with opened(session, bench.engine) as sandbox:
        await sandbox.run(Command(["true"], sandbox.root))
        return anyio.current_time() - began


async def _ready(bench: Bench) -> list[Row]:
    small, large = bench.tree(100), bench.tree(LARGE)
    times = await in_turn(
        {
            "small": lambda: until_first_result(bench, small),
            "large": lambda: until_first_result(bench, large),
            "command": lambda: _whole_command(bench, small),
            "docker": lambda: process(*bench.docker_run("true")),
        },
        rounds=9,
    )
    docker = times["docker"]
    copy = await in_turn({"cp": lambda: _copy(large), "git": lambda: _worktree(large)}, rounds=1, warm=0)
    return [
        Row("sandbox ready, first result", times["small"], RUN, docker, "≤ 1.0 ×"),
        Row("`paddock exec -- true`, the whole command", times["command"], RUN, docker),
        Row(f"sandbox ready on {LARGE:,} files", times["large"], RUN, docker, "≤ 1.5 ×"),
        Row(f"sandbox ready on {LARGE:,} files", times["large"], "cp -a", copy["cp"]),
        Row(f"sandbox ready on {LARGE:,} files", times["large"], "git worktree add", copy["git"], "≤ 0.033 ×"),
    ]


async def _bases(bench: Bench) -> list[Row]:
    """A frozen base against a live one: from where on copying is longer than the container needs to start."""
    kinds: tuple[BaseKind, BaseKind] = ("live", "frozen")

    def start(size: int, kind: BaseKind) -> Step:
        return lambda: until_first_result(bench, bench.tree(size), kind)

    steps = {
        f"{_count(bench.tree(size)):,} files, git's own among them, {kind}": start(size, kind)
        for size in BASES
        for kind in kinds
    }
    times = await in_turn(steps | {RUN: lambda: process(*bench.docker_run("true"))}, rounds=5)
    return [Row(f"ready on {name}", times[name], RUN, times[RUN]) for name in steps]


async def _peers(bench: Bench) -> list[Row]:
    """Until the first result, each at its own way of ending, which does not count."""
    small = bench.tree(100)
    rows = [await _against("SWE-ReX: start, execute `true`", swe_rex(bench, small), bench)]
    return [*rows, await _against("mini-swe-agent: start, execute `true`", mini_swe_agent(bench), bench)]


async def _against(name: str, opening: AbstractAsyncContextManager[Peer], bench: Bench) -> Row:
    what = "sandbox ready, first result"

    async def theirs(peer: Peer) -> float:
        taken = await peer("start")
        await peer("stop")
        return taken

    try:
        async with opening as peer:
            steps: dict[str, Step] = {
                "ours": lambda: until_first_result(bench, bench.tree(100)),
                "theirs": lambda: theirs(peer),
            }
            times = await in_turn(steps, rounds=5)
    except NoPeer as reason:
        return Row(what, 0.0, f"{name}: not measured, {reason}")
    return Row(what, times["ours"], name, times["theirs"])


async def _many(bench: Bench) -> list[Row]:
    small = bench.tree(100)

    async def ours() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(MANY):
                tasks.start_soon(_first_result, bench, small)

    async def theirs() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(MANY):
                tasks.start_soon(process, *bench.docker_run("true"))

    times = await in_turn({"ours": ours, "docker": theirs}, rounds=3)
    rate, their_rate = MANY / times["ours"], MANY / times["docker"]
    return [Row(f"{MANY} sandboxes at once, start to end", rate, RUN, their_rate, "≥ 0.9 ×", "a second")]


async def _whole_command(bench: Bench, checkout: Path) -> None:
    argv = [sys.executable, "-m", "cli.main", "exec", "-C", checkout, "--apply", "never", "--", "true"]
    await process(*argv, variables=bench.variables())


def _count(tree: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(tree))


async def _copy(tree: Path) -> None:
    target = tree.with_name("copy")
    await process("cp", "-a", tree, target)
    shutil.rmtree(target)


async def _worktree(tree: Path) -> None:
    target = tree.with_name("worktree")
    git(tree, "worktree", "add", "--detach", str(target))
    git(tree, "worktree", "remove", "--force", str(target))
