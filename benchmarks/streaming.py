"""How fast much output and a large file come out of a sandbox."""

from contextlib import AsyncExitStack

from benchmarks.bench import Bench, process
from benchmarks.measure import Row, Step, in_turn
from benchmarks.peering import NoPeer, mini_swe_agent, swe_rex
from sandbox.base import Command

SIZE = 100_000_000
SPEAK = f"head -c {SIZE} /dev/zero | tr '\\0' x"


async def rows(bench: Bench) -> list[Row]:
    """100 MB that a command says, and 100 MB of a file."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(bench.sandbox(bench.tree(100)))
        container = (await sandbox.ready()).id
        path = sandbox.root / "large.bin"

        async def heard() -> None:
            pieces: list[bytes] = []
            await sandbox.run(Command(["sh", "-c", SPEAK], sandbox.root), lambda _, data: pieces.append(data))
            whole(b"".join(pieces))

        async def read() -> None:
            whole(await sandbox.read(path, limit=SIZE))

        async def execute(*argv: str) -> None:
            whole(await process("docker", "exec", container, *argv))

        await sandbox.run(Command(["sh", "-c", f"{SPEAK} > {path}"], sandbox.root))
        steps: dict[str, Step] = {
            "heard": heard,
            "run": lambda: process(*bench.docker_run("sh", "-c", SPEAK)),
            "exec": lambda: execute("sh", "-c", SPEAK),
            "read": read,
            "cat": lambda: execute("cat", str(path)),
        }
        times = await in_turn(steps | await _peers(bench, stack), rounds=3)
    what, reading = "100 MB of output, all of it heard", "100 MB of a file, read"
    return [
        Row(what, times["heard"], "docker run … COMMAND", times["run"]),
        Row(what, times["heard"], "docker exec … COMMAND", times["exec"]),
        *(Row(what, times["heard"], name, times[name]) for name in ("SWE-ReX", "mini-swe-agent") if name in times),
        Row(reading, times["read"], "docker exec … cat FILE", times["cat"]),
    ]


def whole(data: bytes) -> None:
    """All of it has to be there: an engine's own clients have lost some."""
    if len(data) != SIZE:
        raise RuntimeError(f"{len(data)} bytes came, not {SIZE}")


async def _peers(bench: Bench, stack: AsyncExitStack) -> dict[str, Step]:
    steps: dict[str, Step] = {}
    for name, opening in (("SWE-ReX", swe_rex(bench, bench.tree(100))), ("mini-swe-agent", mini_swe_agent(bench))):
        try:
            peer = await stack.enter_async_context(opening)
            await peer("start")
            await peer("stream")
        except NoPeer as reason:
            print(f"{name} is not measured: {reason}")
            continue
        steps[name] = lambda peer=peer: peer("stream")
    return steps
