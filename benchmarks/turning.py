"""What a whole turn costs: from the end of the model's answer, through a tool, to the next request."""

import resource
import subprocess
import sys
import time

from benchmarks.bench import Bench
from benchmarks.measure import Row
from runtime.agent import agent_for
from runtime.script import Script, ScriptServer
from runtime.settings import Bounds, ModelChoice, Places
from sandbox.opening import opened

CALLS = 60


async def rows(bench: Bench) -> list[Row]:
    """A run of 60 calls of Bash `true`, start and container included; and one turn of it."""
    turn = {"tools": [{"Bash": {"command": "true"}}]}
    script = Script.model_validate({"turns": [turn] * CALLS + [{"text": "done"}]})
    tree = bench.tree(100)
    session = bench.session(tree)
    with ScriptServer(script, cwd=str(tree)) as server:
        began = time.perf_counter()
        choice = ModelChoice(base_url=server.url, api_key="scripted")
        async with (
            opened(session, bench.engine) as sandbox,
            agent_for(session, sandbox, model=choice, bounds=Bounds(), places=Places(tree)) as agent,
        ):
            finished = await agent.run("go", lambda _: None)
            taken = time.perf_counter() - began
    if finished.outcome != "success" or finished.turns != CALLS + 1:
        raise RuntimeError(f"the run went wrong: {finished}")
    print(f"memory of this process at its peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")
    return [
        Row(f"run of {CALLS} Bash calls, start and container included", taken, reach="≤ 2.4 s"),
        Row("one turn of it: request, answer, Bash `true`", (taken - finished.api_seconds) / CALLS, reach="≤ 10 ms"),
    ]


def command_line() -> list[Row]:
    """What a person waits for before the first word."""
    found = []
    for arguments, reach in ((["--version"], "≤ 0.12 s"), (["--help"], "≤ 0.3 s")):
        taken = []
        for _ in range(7):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "cli.main", *arguments], check=True, capture_output=True)
            taken.append(time.perf_counter() - began)
        found.append(Row(f"paddock {arguments[0]}", sorted(taken)[3], reach=reach))
    return found
