"""What one tool call costs: through the whole tool path, against `docker exec`."""

import statistics

from benchmarks.bench import Bench, process
from benchmarks.measure import Row, in_turn
from runtime.tools.bash import BashInput, bash
from runtime.tools.tool import Context, Workbench
from sandbox.base import Command

KIB = b"x" * 1024


async def rows(bench: Bench) -> list[Row]:
    """A command, a shell command as the Bash tool runs it, and 1 KiB written and read."""
    session = bench.session(bench.tree(100))
    async with bench.sandbox(bench.tree(100)) as sandbox:
        work = Workbench(sandbox, sandbox.root, session.outputs)
        context = Context(work, "call", lambda _: None)
        container = (await sandbox.ready()).id
        path = sandbox.root / "note.txt"
        times = await in_turn(
            {
                "true": lambda: sandbox.run(Command(["true"], sandbox.root)),
                "bash": lambda: bash(BashInput(command="true"), context),
                "write": lambda: sandbox.write(path, KIB),
                "read": lambda: sandbox.read(path),
                "exec": lambda: process("docker", "exec", container, "true"),
            },
            rounds=40,
            warm=3,
        )
        memory = [await _resident(container) for _ in range(3)]
    against = "docker exec … true"
    print(f"idle memory of a sandbox: {statistics.median(memory) / 1e6:.1f} MB (its whole control group)")
    return [
        Row("run `true`", times["true"], against, times["exec"]),
        Row("tool call Bash `true`, end to end", times["bash"], against, times["exec"], "≤ 3 ms, ≤ 0.05 ×"),
        Row("write 1 KiB", times["write"], against, times["exec"], "≤ 1 ms"),
        Row("read 1 KiB", times["read"], against, times["exec"], "≤ 1 ms"),
    ]


async def _resident(container: str) -> int:
    text = await process("docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", container)
    amount = text.decode().split("/")[0].strip()
    unit = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}[amount[-3:]]
    return int(float(amount[:-3]) * unit)
