"""What a whole turn costs: from the end of the model's answer, through a tool, to the next request."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import Bench, process
from benchmarks.measure import Row
from runtime.agent import agent_for
from runtime.script import Script, ScriptServer
from runtime.settings import Bounds, ModelChoice, Places
from sandbox.opening import opened

CALLS = 60
SCRIPT = {"turns": [*[{"tools": [{"Bash": {"command": "true"}}]}] * CALLS, {"text": "done"}]}

PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
# Run by a small process: at its start a program counts as large as the one that started it.


async def rows(bench: Bench) -> list[Row]:
    """A run of 60 calls of Bash `true`, start and container included; one turn of it; the first words of a command."""
    tree = bench.tree(100)
    return [*await _command(bench, tree), await _turn(bench, tree), *_first_words()]


async def _turn(bench: Bench, tree: Path) -> Row:
    """Without what the model took."""
    session = bench.session(tree)
    with ScriptServer(Script.model_validate(SCRIPT), cwd=str(tree)) as server:
        choice = ModelChoice(base_url=server.url, api_key="scripted")
        async with (
            opened(session, bench.engine) as sandbox,
            agent_for(session, sandbox, model=choice, bounds=Bounds(), places=Places(tree)) as agent,
        ):
            await sandbox.ready()
            began = time.perf_counter()
            finished = await agent.run("go", lambda _: None)
            taken = time.perf_counter() - began
    if finished.outcome != "success" or finished.turns != CALLS + 1:
        raise RuntimeError(f"the run went wrong: {finished}")
    seconds = (taken - finished.api_seconds) / CALLS
    return Row("one turn: request, answer, Bash `true`", seconds, reach="≤ 10 ms")


async def _command(bench: Bench, tree: Path) -> list[Row]:
    """The real command, Python's own start in it, with the model's script in its own process."""
    script = bench.folder / "turns.json"
    script.write_text(Script.model_validate(SCRIPT).model_dump_json(exclude_defaults=True))
    argv = [sys.executable, "-m", "cli.main", "run", "-C", str(tree), "--apply", "never", "--script", str(script), "go"]
    seconds, memory = [], []
    for _ in range(3):
        began = time.perf_counter()
        said = await process(sys.executable, "-c", PEAK, *argv, variables=bench.variables())
        seconds.append(time.perf_counter() - began)
        memory.append(int(said) * 1024)
    what = f"`paddock run` of {CALLS} Bash calls"
    return [
        Row(f"{what}, start and container included", statistics.median(seconds), reach="≤ 2.4 s"),
        Row(f"{what}: memory at its peak", statistics.median(memory), reach="≤ 150 MB", unit="bytes"),
    ]


def _first_words() -> list[Row]:
    """What a person waits for before the first word."""
    found = []
    for arguments, reach in ((["--version"], "≤ 0.12 s"), (["--help"], "≤ 0.3 s")):
        taken = []
        for _ in range(7):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "cli.main", *arguments], check=True, capture_output=True)
            taken.append(time.perf_counter() - began)
        found.append(Row(f"paddock {arguments[0]}", statistics.median(taken), reach=reach))
    return found
