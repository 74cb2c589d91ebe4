"""What one tool call costs, alone and in a row: through the whole tool path, against `docker exec` and against peers.

Alone, each call comes after others have had their turn: processes have to be woken, here and inside. In a row it is
work that is measured.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from benchmarks.bench import Bench, process
from benchmarks.measure import Row, Step, in_a_row, in_turn
from benchmarks.peering import NoPeer, Peer, mini_swe_agent, swe_rex
from runtime.tools.bash import BashInput, bash
from runtime.tools.tool import Context, Workbench
from sandbox.base import Command

KIB = b"x" * 1024
EXEC = "docker exec … true"


async def rows(bench: Bench) -> list[Row]:
    """A command, a shell command as the Bash tool runs it, and 1 KiB written and read."""
    session = bench.session(bench.tree(100))
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(bench.sandbox(bench.tree(100)))
        work = Workbench(sandbox, sandbox.root, session.outputs)
        context = Context(work, "call", lambda _: None)
        container = (await sandbox.ready()).id
        path = sandbox.root / "note.txt"
        steps: dict[str, Step] = {
            "true": lambda: sandbox.run(Command(["true"], sandbox.root)),
            "bash": lambda: bash(BashInput(command="true"), context),
            "write": lambda: sandbox.write(path, KIB),
            "read": lambda: sandbox.read(path),
            EXEC: lambda: process("docker", "exec", container, "true"),
        }
        peers = await _peers(bench, stack)
        alone = await in_turn(steps | peers, rounds=40, warm=3)
        rows = {name: in_a_row(step) for name, step in (steps | peers).items()}
        together = await in_turn(rows, rounds=10, warm=1)
    return [*_rows(together, ", in a row", REACH), *_rows(alone, ", alone", {})]


def _rows(times: Mapping[str, float], how: str, reach: Mapping[str, str]) -> list[Row]:
    found: list[Row] = []
    for step, what in WHAT.items():
        theirs = [f"{peer}: {doing}" for peer, doing in AGAINST[step] if f"{peer}: {doing}" in times]
        found.append(Row(what + how, times[step], EXEC, times[EXEC], reach.get(step, "")))
        found += [Row(what + how, times[step], name, times[name]) for name in theirs]
    return found


WHAT = {"true": "run `true`", "bash": "tool call Bash `true`", "write": "write 1 KiB", "read": "read 1 KiB"}
REACH = {"bash": "≤ 3 ms, ≤ 0.05 ×", "write": "≤ 1 ms", "read": "≤ 1 ms"}
REX, MINI = "SWE-ReX", "mini-swe-agent"
AGAINST = {
    "true": [(REX, "call")],
    "bash": [(REX, "session"), (MINI, "call")],
    "write": [(REX, "write")],
    "read": [(REX, "read")],
}


async def _peers(bench: Bench, stack: AsyncExitStack) -> dict[str, Step]:
    """What peers do, one container of each started; a peer that cannot be measured is told of."""
    steps: dict[str, Step] = {}
    for name, opening, doings in (
        (REX, swe_rex(bench, bench.tree(100)), ("call", "session", "write", "read")),
        (MINI, mini_swe_agent(bench), ("call",)),
    ):
        try:
            peer = await stack.enter_async_context(opening)
            await peer("start")
            if name == REX:
                await peer("open")
        except NoPeer as reason:
            print(f"{name} is not measured: {reason}")
            continue
        steps |= {f"{name}: {doing}": _asked(peer, doing) for doing in doings}
    return steps


def _asked(peer: Peer, doing: str) -> Step:
    return lambda: peer(doing)
