"""A workspace that is carried into a volume, where an engine cannot mount it: filling it, and bringing changes home."""

import subprocess
from pathlib import Path

import anyio.to_thread

from benchmarks.bench import Bench, process
from benchmarks.measure import Growth, Row, in_turn
from benchmarks.peering import NoPeer, swe_rex
from benchmarks.starting import until_first_result
from sandbox.base import Call, Command
from sandbox.opening import opened

SIZES = (1_000, 10_000)
CHANGED = 100
CHANGE = (
    f"find . -name .git -prune -o -name '*.txt' -print | sort | head -{CHANGED} | while read f; do echo x >> $f; done"
)


async def rows(bench: Bench) -> list[Row | Growth]:
    """Ready with so many files inside, and a note of a hundred changed ones; `docker cp` is used by nobody here."""
    filled, tarred, uploaded = (dict[int, float]() for _ in range(3))
    noted, fetched = (dict[int, float]() for _ in range(2))
    for size in SIZES:
        tree = bench.tree(size)
        times = await in_turn(
            {
                "ours": lambda tree=tree: until_first_result(bench, tree, "copy"),
                "tar": lambda tree=tree: _tar(bench, tree),
            },
            rounds=3,
        )
        filled[size], tarred[size] = times["ours"], times["tar"]
        if (taken := await _upload(bench, tree)) is not None:
            uploaded[size] = taken
        noted[size], fetched[size] = await _note(bench, tree)
    of = "files carried"
    found = [
        Growth("carried: ready, first result", filled, of),
        Growth("  docker run -d; tar c | docker exec -i … tar x", tarred, of),
        Growth("  as a ratio", {n: filled[n] / tarred[n] for n in SIZES}, of, is_ratio=True),
        *([Growth("  SWE-ReX: upload the same folder", uploaded, of)] if len(uploaded) == len(SIZES) else []),
        Growth(f"carried: note a call that changed {CHANGED} files", noted, of),
        Growth("  find -newer | tar c in docker exec | tar x", fetched, of),
        Growth("  as a ratio", {n: noted[n] / fetched[n] for n in SIZES}, of, is_ratio=True),
    ]
    return list(found)


async def _tar(bench: Bench, tree: Path) -> float:
    """A container, the tree piped into it, and a first result."""
    began = anyio.current_time()
    container = await _sleeping(bench)
    try:
        await anyio.to_thread.run_sync(_pipe_in, tree, container)
        await process("docker", "exec", container, "true")
        return anyio.current_time() - began
    finally:
        await process("docker", "rm", "-f", container)


async def _sleeping(bench: Bench) -> str:
    argv = bench.docker_run("sleep", "inf", options=("--rm", "-d"))
    return (await process(*argv)).decode().strip()


def _pipe_in(tree: Path, container: str) -> None:
    with subprocess.Popen(["tar", "c", "-C", tree, "."], stdout=subprocess.PIPE) as packing:
        unpack = ["docker", "exec", "-i", container, "sh", "-c", "mkdir /work && tar x -C /work"]
        subprocess.run(unpack, stdin=packing.stdout, check=True, capture_output=True)


def _pipe_out(container: str, target: Path) -> None:
    target.mkdir(exist_ok=True)
    find = "cd /work && find . -newer /mark -type f -print0 | tar c --null -T -"
    with subprocess.Popen(["docker", "exec", container, "sh", "-c", find], stdout=subprocess.PIPE) as packing:
        subprocess.run(["tar", "x", "-C", target], stdin=packing.stdout, check=True)


async def _upload(bench: Bench, tree: Path) -> float | None:
    try:
        async with swe_rex(bench, tree) as peer:
            await peer("start")
            return await peer("fill")
    except NoPeer as reason:
        print(f"SWE-ReX is not measured: {reason}")
        return None


async def _note(bench: Bench, tree: Path) -> tuple[float, float]:
    """Seconds until changed files are at home: ours, and through a pipe."""
    container = await _sleeping(bench)
    try:
        await anyio.to_thread.run_sync(_pipe_in, tree, container)
        async with opened(bench.session(tree, "copy"), bench.engine) as sandbox:
            await sandbox.note(Call("before", "Bash", "true"))

            async def note() -> float:
                await sandbox.run(Command(["sh", "-c", CHANGE], sandbox.root))
                began = anyio.current_time()
                found = await sandbox.note(Call("call", "Bash", "change files"))
                taken = anyio.current_time() - began
                if len(found) != CHANGED:
                    raise RuntimeError(f"{len(found)} changes came home, not {CHANGED}")
                return taken

            async def fetch() -> float:
                await process(
                    "docker", "exec", "-w", "/work", container, "sh", "-c", f"touch /mark; sleep 0.02; {CHANGE}"
                )
                began = anyio.current_time()
                await anyio.to_thread.run_sync(_pipe_out, container, bench.folder / "fetched")
                return anyio.current_time() - began

            times = await in_turn({"note": note, "fetch": fetch}, rounds=3)
    finally:
        await process("docker", "rm", "-f", container)
    return times["note"], times["fetch"]
