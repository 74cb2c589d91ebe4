"""`paddock demo`: the main job on a small sample project, told step by step; every part of it is real."""

import hashlib
import importlib.resources
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cli.order import Order
    from cli.screen.output import Output
    from cli.settled import Settled

PROMPT: Final = "One test of this project fails. Find out why, and fix it."
TITLE: Final = (
    "Paddock: coding agents run free in a container on a copy of your repository;\nnothing leaves without your say."
)
SAMPLE: Final = "sample"


def demo() -> int:
    """See the whole thing in a minute: an agent fixes a failing test in a container, and you approve the fix.

    Sets up the Docker engine and the base image first if this machine has none. Without ANTHROPIC_API_KEY a script
    answers in the model's place; everything else is real. YES=1 answers the questions of set-up.
    """
    from cli import place, setup
    from cli.order import Order
    from cli.screen.output import Output

    here = place.place()
    script = None if here.environment.has_key else _file("demo.yaml")
    output = Output.of(Order(script=script))
    out = output.answer
    for line in TITLE.split("\n"):
        out.line(out.style(line, "bold"))
    out.line()
    if not setup.ensure(here, out):
        raise setup.refuse()
    setup.build_base(here, out)
    project = copy_sample()
    order = Order(directory=project, script=script)
    _heading(output, 1, "A sample project with a failing test")
    out.line(f"  {project}")
    _show_tests(output, project, "here on the host, before")
    settled, is_proven = _work(order, project, output)
    return _tell(settled, project, output, is_proven=is_proven)


def copy_sample() -> Path:
    """A fresh copy of the sample project in a new temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="paddock-demo-")).resolve() / "receipts"
    folder.mkdir()
    for entry in _file("project").iterdir():
        if entry.is_file():
            (folder / entry.name).write_bytes(entry.read_bytes())
    return folder


def fingerprint(folder: Path) -> str:
    """A hash over every path, mode and content of a folder: equal means nothing was touched."""
    seen = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        seen.update(repr((str(path.relative_to(folder)), path.lstat().st_mode, content)).encode())
    return seen.hexdigest()


def run_tests(folder: Path) -> "subprocess.CompletedProcess[str]":
    """The sample's own tests, here on the host, leaving nothing behind."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "unittest"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _work(order: "Order", project: Path, output: "Output") -> tuple["Settled", bool]:
    """The agent's part and the gate's; whether the host was untouched in between."""
    import functools

    from cli.agent import rehearsed, set_up
    from cli.ask import has_person
    from cli.ending import settle
    from cli.run import drive
    from cli.settled import Terms
    from cli.signals import run_async

    before = fingerprint(project)
    setup = set_up(order, "run", PROMPT, output.progress)
    _heading(output, 2, "An agent works on it: in a container, without network, on a copy")
    if order.script is not None:
        output.answer.line("  no ANTHROPIC_API_KEY: a script answers in the model's place, the rest is real")
    output.answer.line(f'  the task: "{PROMPT}"')
    output.answer.line()
    with rehearsed(setup) as ready:
        finished = run_async(functools.partial(drive, ready, PROMPT, output))
    output.close()
    is_proven = fingerprint(project) == before
    _heading(output, 3, "The gate: what it changed, and your say")
    same = "byte for byte what it was" if is_proven else "NOT what it was"
    output.answer.line(f"  your copy on the host is {same}")
    terms = Terms("ask" if has_person() else "auto", is_explicit=True, can_ask=has_person())
    if finished.outcome != "success":
        terms = replace(terms, dial="never")
    return settle(setup.session, terms, output.answer), is_proven


def _tell(settled: "Settled", project: Path, output: "Output", *, is_proven: bool) -> int:
    """What happened, in a few lines; then the truth about the host."""
    from cli import exits
    from cli.truth import Applied

    out = output.answer
    if not isinstance(settled.truth, Applied):
        out.line()
        out.line("Nothing was written to the project: without your yes, nothing ever is.")
        out.line("To look at it again:")
        out.line(f"  cd {project}")
        out.line("  paddock review")
        output.end(settled.truth)
        return settled.code
    _heading(output, 4, "Approved and applied")
    passed = _show_tests(output, project, "here on the host, after")
    out.line()
    out.line(out.style("What happened", "bold"))
    out.line("  The agent ran free, but in a container that holds nothing but a copy of this")
    out.line("  folder. Until you approved, not one byte of the folder itself changed (checked).")
    out.line("  Then exactly the approved bytes were written: all of them, or none.")
    out.line()
    out.line(out.style("Try next", "bold"))
    out.line("  cd your/project")
    out.line('  paddock run "…"              one task for an agent (needs ANTHROPIC_API_KEY)')
    out.line("  paddock                      a conversation with it")
    out.line("  paddock exec -- make test    any command, on a copy")
    output.end(settled.truth)
    return exits.DONE if passed and is_proven else exits.FAILED


def _show_tests(output: "Output", project: Path, when: str) -> bool:
    """Run the tests, and show their last word."""
    done = run_tests(project)
    words = [line for line in done.stderr.splitlines() if line.strip()]
    verdict = output.answer.style(words[-1] if words else "?", "green" if done.returncode == 0 else "red")
    output.answer.line(f"  $ python3 -m unittest      {verdict}   ({when})")
    return done.returncode == 0


def _heading(output: "Output", number: int, text: str) -> None:
    output.answer.line()
    output.answer.line(output.answer.style(f"{number}  {text}", "bold", "cyan"))


def _file(name: str) -> Path:
    """A data file of the package. The package is always on disk: `pip` unpacks wheels."""
    return Path(str(importlib.resources.files("cli").joinpath(SAMPLE, name)))
