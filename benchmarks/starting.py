"""How long until the first tool result, on small and on large trees, alone and many at once."""

import shutil
from pathlib import Path

import anyio

from benchmarks.bench import Bench, git, process
from benchmarks.measure import Row, Step, in_turn
from sandbox.base import Command
from sandbox.choice import BaseKind
from sandbox.opening import opened

LARGE = 80_000
MANY = 8
BASES = (100, 2_000, 10_000)


async def rows(bench: Bench) -> list[Row]:
    """Ready on a small tree, on a large one, on either base, and eight at once."""
    return [*await _ready(bench), *await _bases(bench), *await _many(bench)]


async def _first_result(bench: Bench, checkout: Path) -> None:
    async with bench.sandbox(checkout) as sandbox:
        await sandbox.run(Command(["true"], sandbox.root))


async def _until_first_result(bench: Bench, checkout: Path, taken: list[float], base: BaseKind = "auto") -> None:
    began = anyio.current_time()
    session = bench.session(checkout, base)  # which decides what it lies on, and counts for that
    async with opened(session, bench.engine) as sandbox:
        await sandbox.run(Command(["true"], sandbox.root))
        taken.append(anyio.current_time() - began)


async def _ready(bench: Bench) -> list[Row]:
    small, large = bench.tree(100), bench.tree(LARGE)
    on_small: list[float] = []
    on_large: list[float] = []
    times = await in_turn(
        {
            "small": lambda: _until_first_result(bench, small, on_small),
            "large": lambda: _until_first_result(bench, large, on_large),
            "docker": lambda: process("docker", "run", "--rm", "--network", "none", bench.image.id, "true"),
        },
        rounds=7,
    )
    docker = times["docker"]
    copy = await in_turn({"cp": lambda: _copy(large), "git": lambda: _worktree(large)}, rounds=1, warm=0)
    ready, ready_large = sorted(on_small[1:])[3], sorted(on_large[1:])[3]
    return [
        Row("sandbox ready, first result", ready, "docker run … true", docker, "≤ 1.0 ×"),
        Row(f"sandbox ready on {LARGE:,} files", ready_large, "docker run … true", docker, "≤ 1.5 ×"),
        Row(f"sandbox ready on {LARGE:,} files", ready_large, "cp -a", copy["cp"], ""),
        Row(f"sandbox ready on {LARGE:,} files", ready_large, "git worktree add", copy["git"], "≤ 0.033 ×"),
    ]


async def _bases(bench: Bench) -> list[Row]:
    """A frozen base against a live one: from where on copying is longer than the container needs to start."""
    kinds: tuple[BaseKind, BaseKind] = ("live", "frozen")
    taken: dict[tuple[int, BaseKind], list[float]] = {(size, kind): [] for size in BASES for kind in kinds}

    def start(size: int, kind: BaseKind) -> Step:
        return lambda: _until_first_result(bench, bench.tree(size), taken[size, kind], kind)

    steps = {f"{size} {kind}": start(size, kind) for size, kind in taken}
    docker = "docker run … true"
    run: dict[str, Step] = {
        docker: lambda: process("docker", "run", "--rm", "--network", "none", bench.image.id, "true")
    }
    times = await in_turn(steps | run, rounds=5)
    found = {key: sorted(seconds[1:])[2] for key, seconds in taken.items()}
    return [
        Row(f"ready on {size:,} files, {kind}", found[size, kind], docker, times[docker], "") for size, kind in found
    ]


async def _many(bench: Bench) -> list[Row]:
    small = bench.tree(100)

    async def ours() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(MANY):
                tasks.start_soon(_first_result, bench, small)

    async def theirs() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(MANY):
                tasks.start_soon(process, "docker", "run", "--rm", "--network", "none", bench.image.id, "true")

    times = await in_turn({"ours": ours, "docker": theirs}, rounds=3)
    return [Row(f"{MANY} sandboxes at once, start to end", times["ours"], "docker run", times["docker"], "≤ 1.1 ×")]


async def _copy(tree: Path) -> None:
    target = tree.with_name("copy")
    await process("cp", "-a", tree, target)
    shutil.rmtree(target)


async def _worktree(tree: Path) -> None:
    target = tree.with_name("worktree")
    git(tree, "worktree", "add", "--detach", str(target))
    git(tree, "worktree", "remove", "--force", str(target))
