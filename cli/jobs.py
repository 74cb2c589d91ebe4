"""`/jobs` and `/kill` in a conversation: what the agent left running, and ending it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.screen import safe

if TYPE_CHECKING:
    from sandbox.base import Process, Sandbox


def job_lines(processes: "Sequence[Process]") -> Sequence[str]:
    """Every background command that runs, one a line, safe to show."""
    running = [one for one in processes if one.status == "running"]
    lines = [safe.line(f"{one.id}  {one.seconds:>5.0f} s  {one.command.argv[-1].strip()}") for one in running]
    return lines or ["nothing runs in the background"]


async def kill(argument: str, sandbox: "Sandbox") -> Sequence[str]:
    """End the one that is named, or `all`; what became of it."""
    running = [one for one in sandbox.processes if one.status == "running"]
    chosen = [one for one in running if argument in (one.id, "all")]
    if not chosen:
        return [f"/kill ID, or /kill all: {', '.join(one.id for one in running) or 'nothing'} runs in the background"]
    for one in chosen:
        await one.kill()
    return [f"{one.id} was killed with all its processes" for one in chosen]
