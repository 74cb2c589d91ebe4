"""What the gate costs: finding the changes, and writing them for good."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.measure import Row, timed
from sandbox.base import Command
from sandbox.gate.apply import Applied, Approval, apply
from sandbox.gate.blobs import Blobs
from sandbox.gate.freeze import frozen, manifest_of
from sandbox.opening import opened
from sandbox.sessions import now

CHANGES = 100
APPLIED = 1_000
LARGE = 80_000


async def rows(bench: Bench) -> list[Row]:
    """A change set of 100 files in 80,000, and an apply of 1,000."""
    return [await _change_set(bench), await _apply(bench)]


async def _change_set(bench: Bench) -> Row:
    tree = bench.tree(LARGE)
    session = bench.session(tree)
    async with opened(session, bench.engine) as sandbox:
        script = f"for i in $(seq 0 {CHANGES - 1}); do echo changed >> d$((i / 20))/d$i/0.txt; done"
        await sandbox.run(Command(["bash", "-c", script], sandbox.root))
    frozen(session)
    began = time.perf_counter()
    found = frozen(session)
    taken = time.perf_counter() - began
    if len(found.changes) != CHANGES:
        raise RuntimeError(f"{len(found.changes)} changes, not {CHANGES}")
    return Row(f"change set of {CHANGES} files in {LARGE:,}", taken, reach="≤ 50 ms")


async def _apply(bench: Bench) -> Row:
    tree = bench.folder / "apply"
    shutil.copytree(bench.tree(1000), tree)
    session = bench.session(tree)
    async with opened(session, bench.engine) as sandbox:
        script = "find . -name '*.txt' -exec sh -c 'for f; do echo changed >> $f; done' _ {} +"
        await sandbox.run(Command(["bash", "-c", script], sandbox.root))
    found = frozen(session)
    approval = Approval(found.id, found.pending, "benchmark", now())
    began = time.perf_counter()
    done = apply(approval, checkout=tree, blobs=Blobs(session.blobs), session=session, manifest=manifest_of(session))
    ours = time.perf_counter() - began
    if not isinstance(done, Applied) or len(done.paths) != APPLIED:
        raise RuntimeError(f"not applied: {done}")
    paths = [os.fsdecode(change.path) for change in found.changes]
    theirs, _ = timed(lambda: copy_and_sync(tree, paths, bench.folder / "copied"))
    return Row(f"apply {APPLIED:,} files, durable", ours, "copy and fsync them", theirs, "≤ 3 ×")


def copy_and_sync(source: Path, paths: Sequence[str], target: Path) -> None:
    """Copy these files and fsync each: the least that makes a copy durable."""
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)
        descriptor = os.open(target / path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
