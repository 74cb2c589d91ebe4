"""What a sandbox costs that does nothing: memory while it is there, and the wait for another once it was ended."""

import gc
from pathlib import Path

import anyio

from benchmarks.bench import Bench, process
from benchmarks.measure import Row, in_turn
from sandbox.base import Command
from sandbox.opening import opened
from sandbox.states import Patience

SOON = 0.2
WARM, COUNTED = 2, 3


async def rows(bench: Bench) -> list[Row]:
    """Memory beyond a container that sleeps; and the first call after an idle end."""
    return [*await _memory(bench), await _coming_back(bench)]


async def _memory(bench: Bench) -> list[Row]:
    """Several sandboxes of this one process: what each adds to it, and what its container has."""
    tree = bench.tree(100)
    held: list[int] = []
    used: list[int] = []

    async def add(left: int) -> None:
        if left == 0:
            return
        async with bench.sandbox(tree) as sandbox:
            await sandbox.run(Command(["true"], sandbox.root))
            await anyio.sleep(1)
            used.append(bench.engine.usage((await sandbox.ready()).id).memory)
            gc.collect()
            held.append(_own_memory())
            await add(left - 1)

    await add(WARM + COUNTED)
    sleeping = (await process(*bench.docker_run("sleep", "inf", options=("--rm", "-d")))).decode().strip()
    try:
        await anyio.sleep(1)
        raw = bench.engine.usage(sleeping).memory
    finally:
        await process("docker", "rm", "-f", sleeping)
    ours = sorted(used)[len(used) // 2]
    growth = max(0, held[-1] - held[WARM - 1]) // COUNTED
    return [
        Row("idle memory: its container", ours, "docker run … sleep inf", raw, unit="bytes"),
        Row("idle memory: what a sandbox adds to our process", growth, unit="bytes"),
        Row("idle memory: both, beyond `docker run … sleep inf`", ours + growth - raw, reach="≤ 30 MB", unit="bytes"),
    ]


async def _coming_back(bench: Bench) -> Row:
    session = bench.session(bench.tree(100))
    async with opened(session, bench.engine, patience=Patience(idle=SOON)) as sandbox:

        async def call() -> float:
            """A call on a sandbox whose container was ended."""
            while any(one.owner.session == session.id for one in bench.engine.containers()):  # noqa: ASYNC110
                await anyio.sleep(SOON)
            began = anyio.current_time()
            await sandbox.run(Command(["true"], sandbox.root))
            return anyio.current_time() - began

        await sandbox.run(Command(["touch", "here"], sandbox.root))
        times = await in_turn({"call": call, "docker": lambda: process(*bench.docker_run("true"))}, rounds=7)
    return Row("first call after an idle end", times["call"], "docker run … true", times["docker"])


def _own_memory() -> int:
    """Bytes that are this process's alone."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
