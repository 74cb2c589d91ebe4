"""How the gate's costs grow: with what changed, and hardly with the tree around it."""

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.gating import copy_and_sync
from benchmarks.measure import Growth, Row, timed
from benchmarks.reviewing import until_listed, until_reviewed
from runtime.permissions.policy import Policy
from runtime.permissions.rules import Source
from runtime.permissions.settings import Surroundings, load
from sandbox.base import Call, Command
from sandbox.changes import ChangeSet
from sandbox.gate.apply import Applied, Approval, apply
from sandbox.gate.blobs import Blobs
from sandbox.gate.freeze import frozen, manifest_of
from sandbox.opening import opened
from sandbox.sessions import Session, now

CHANGES = (10, 100, 1_000, 10_000)
TREES = (1_000, 10_000, 80_000)
FEW = 100
ROUNDS = 5

RULES = {
    "permissions": {
        "deny": [f"Edit(/secret-{number}/**)" for number in range(10)],
        "ask": ["Edit(**/*.lock)", "Edit(//etc/**)", "Edit(migrations/**)"],
        "allow": ["Edit(/d[0-3]/**)", "Edit(docs/**)", "Edit(**/*.md)"],
    }
}


async def rows(bench: Bench) -> list[Row | Growth]:
    """By the number of changes in one tree; by the size of the tree around a hundred of them."""
    return [*await _by_changes(bench), *await _by_tree(bench)]


async def _by_changes(bench: Bench) -> list[Row | Growth]:
    tree = bench.folder / "growing"
    shutil.copytree(bench.tree(CHANGES[-1]), tree)
    first, again, judged, listed, reviewed, applied, copied, noted = (dict[int, float]() for _ in range(8))
    for number in CHANGES:
        session = bench.session(tree)
        noted[number] = await _change(bench, session, number)
        first[number], found = timed(lambda session=session: frozen(session))
        again[number] = _median(lambda session=session: frozen(session))
        policy = _policy(tree)
        judged[number] = _median(lambda found=found, policy=policy: [policy.judge(one) for one in found.changes])
        listed[number] = until_listed(bench, session)
        reviewed[number] = until_reviewed(bench, session)
        applied[number] = _applied(tree, session, found, number)
        copied[number] = _copied(tree, found, bench.folder / f"copied-{number}")
    return [
        Growth("change set, first look after a run", first, "changes"),
        Growth("change set, looked at again", again, "changes"),
        Growth("note after a call which files it changed", noted, "changes"),
        Growth("judge by 16 rules and the effects", judged, "changes"),
        Growth("`paddock status`, the whole command", listed, "changes"),
        Growth("`paddock review`, until its first screen", reviewed, "changes"),
        Growth("apply, durable", applied, "changes"),
        Growth("  copy and fsync the same files", copied, "changes"),
        Growth(
            "  apply against copy, as a ratio", {n: applied[n] / copied[n] for n in CHANGES}, "changes", is_ratio=True
        ),
    ]


async def _by_tree(bench: Bench) -> list[Row | Growth]:
    first, again, noted = (dict[int, float]() for _ in range(3))
    for size in TREES:
        session = bench.session(bench.tree(size))
        noted[size] = await _change(bench, session, FEW)
        first[size], found = timed(lambda session=session: frozen(session))
        again[size] = _median(lambda session=session: frozen(session))
        if len(found.changes) != FEW:
            raise RuntimeError(f"{len(found.changes)} changes, not {FEW}")
    return [
        Growth(f"change set of {FEW} files, first look after a run", first, "files in the tree"),
        Growth(f"change set of {FEW} files, looked at again", again, "files in the tree"),
        Growth(f"note after a call that changed {FEW} files", noted, "files in the tree"),
    ]


async def _change(bench: Bench, session: Session, number: int) -> float:
    """Change so many files inside; the seconds that a note of it took."""
    script = "find . -name .git -prune -o -name '*.txt' -print | sort | head -%d | while read f; do echo x >> $f; done"
    async with opened(session, bench.engine) as sandbox:
        await sandbox.note(Call("before", "Bash", "true"))
        await sandbox.run(Command(["bash", "-c", script % number], sandbox.root))
        began = time.perf_counter()
        await sandbox.note(Call("call", "Bash", "change files"))
        return time.perf_counter() - began


def _applied(tree: Path, session: Session, found: ChangeSet, number: int) -> float:
    approval = Approval(found.id, found.pending, "benchmark", now())
    blobs, manifest = Blobs(session.blobs), manifest_of(session)
    taken, done = timed(
        lambda: apply(approval, checkout=tree, blobs=blobs, session=session, manifest=manifest, change_set=found)
    )
    if not isinstance(done, Applied) or len(done.paths) != number:
        raise RuntimeError(f"not applied: {done}")
    return taken


def _copied(tree: Path, found: ChangeSet, target: Path) -> float:
    """The same files copied to a new place and fsynced: the least that makes a copy durable."""
    paths = [os.fsdecode(change.path) for change in found.changes]
    taken, _ = timed(lambda: copy_and_sync(tree, paths, target))
    shutil.rmtree(target)
    return taken


def _policy(checkout: Path) -> Policy:
    source = Source("user", "settings.json", str(checkout))
    rules = load(json.dumps(RULES).encode(), source, Surroundings("/home/nobody", str(checkout))).rules
    return Policy(str(checkout), rules)


def _median(work: Callable[[], object]) -> float:
    seconds: Sequence[float] = sorted(timed(work)[0] for _ in range(ROUNDS))
    return seconds[ROUNDS // 2]
