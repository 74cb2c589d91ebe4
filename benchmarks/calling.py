"""What one tool call costs: through the whole tool path, against `docker exec` and against peers."""

from contextlib import AsyncExitStack

from benchmarks.bench import Bench, process
from benchmarks.measure import Row, Step, in_turn
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
        times = await in_turn(steps | peers, rounds=40, warm=3)

    def row(what: str, step: str, reach: str = "") -> list[Row]:
        theirs = [f"{peer}: {doing}" for peer, doing in AGAINST[step] if f"{peer}: {doing}" in times]
        return [
            Row(what, times[step], EXEC, times[EXEC], reach),
            *(Row(what, times[step], name, times[name]) for name in theirs),
        ]

    return [
        *row("run `true`", "true"),
        *row("tool call Bash `true`, end to end", "bash", "≤ 3 ms, ≤ 0.05 ×"),
        *row("write 1 KiB", "write", "≤ 1 ms"),
        *row("read 1 KiB", "read", "≤ 1 ms"),
    ]


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
