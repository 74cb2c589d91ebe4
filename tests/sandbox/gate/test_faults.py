"""An apply, an undo and a recovery that are killed, or meet an error, at any system call.

The oracle: afterwards the tree is the old one or the new one; the record and what the process said are the same as the
tree; a second look finds nothing to do; what waits in the session fits; and nothing beside the checkout has changed.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.changes import ChangeSet
from sandbox.errors import ApplyUnfinished, SandboxError
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.manifest import Manifest
from sandbox.gate.recovery import recover
from sandbox.gate.undo import last_apply, undo
from tests.faults import CHANGES, OPENS, READS, Ended, hit, hit_from, points, traced, watched
from tests.sandbox.conftest import Gate, Tree, make_gate, tree

DONE, KEPT, UNFINISHED, REFUSED, BUG = range(5)
KILLED = -signal.SIGKILL

OLD: Tree = {
    b"edit": ("file", b"old\n"),
    b"run": ("file", b"#!/bin/sh\n"),
    b"gone": ("folder", b""),
    b"gone/x": ("file", b"x"),
    b"l": ("link", b"edit"),
    b"f": ("file", b"file"),
}
NEW: Tree = {
    b"edit": ("file", b"new\n"),
    b"run": ("program", b"#!/bin/sh\n"),
    b"l": ("link", b"run"),
    b"f": ("folder", b""),
    b"f/inside": ("file", b"folder now"),
    b"deep": ("folder", b""),
    b"deep/er": ("folder", b""),
    b"deep/er/new": ("file", b"new\n"),
}


@dataclass
class Scene:
    """A checkout and a session, and something that is about to be done to it. `old` and `new`: the tree around that."""

    folder: Path
    gate: Gate
    changes: ChangeSet
    old: Tree
    new: Tree
    act: Callable[[], Applied | Conflicts]

    def work(self) -> int:
        """Do it, and say how it went by the exit code: a disk that fails takes no words."""
        return _told(self.folder, self.act)

    def recover(self) -> int:
        """What the next command begins with."""
        return _told(self.folder, lambda: recover(self.gate.checkout, sessions=self.gate.sessions))


def _told(folder: Path, act: Callable[[], object]) -> int:
    try:
        result = act()
    except ApplyUnfinished:
        return UNFINISHED
    except SandboxError:
        return REFUSED
    except Exception:  # noqa: BLE001 - whatever else comes out is what is looked for
        (folder / "error").write_text(traceback.format_exc())
        return BUG
    if isinstance(result, Conflicts):
        return REFUSED
    return KEPT if getattr(result, "kept", ()) else DONE


def to_apply(folder: Path) -> Scene:
    """Edit, chmod, delete, link, type change and a new deep file, approved."""
    folder.mkdir()
    (folder / "outside").write_text("canary")
    gate = make_gate(folder)
    for name, (kind, content) in OLD.items():
        path = gate.checkout / os.fsdecode(name)
        if kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(os.fsdecode(content))
        else:
            path.write_bytes(content)
    gate.begin()
    gate.put("edit", "new\n")
    gate.put("run", "#!/bin/sh\n", 0o755)
    gate.whiteout("gone")
    (gate.upper / "l").symlink_to("run")
    gate.opaque("f")
    gate.put("f/inside", "folder now")
    gate.put("deep/er/new", "new\n")
    changes = gate.collect()
    return Scene(folder, gate, changes, OLD, NEW, lambda: gate.apply(gate.approval(changes), change_set=changes))


def to_undo(folder: Path) -> Scene:
    """The same, applied and about to be taken back."""
    scene = to_apply(folder)
    assert isinstance(scene.act(), Applied)
    plan = last_apply(scene.gate.checkout, scene.gate.sessions.all())
    assert plan is not None
    return Scene(
        folder, scene.gate, scene.changes, NEW, OLD, lambda: undo(plan, checkout=scene.gate.checkout, by="tester")
    )


MAKERS = pytest.mark.parametrize("make", [to_apply, to_undo])


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """Fresh folders, each gone when the next is asked for."""

    def fresh() -> Iterator[Path]:
        for number in itertools.count():
            folder = tmp_path / str(number)
            yield folder
            shutil.rmtree(folder, ignore_errors=True)

    return fresh()


def undisturbed(make: Callable[[Path], Scene], folders: Iterator[Path], *names: str) -> Sequence[str]:
    """The calls of these names that the work makes, in order; the first run warms up what is loaded late."""
    make(next(folders)).act()
    scene = make(next(folders))
    ended = traced(scene.work, scene.folder, *watched(*names))
    assert (ended.code, tree(scene.gate.checkout)) == (DONE, scene.new)
    return ended.calls


def visible(scene: Scene) -> Tree:
    """The tree as the user sees it, without a journal that waits to be swept."""
    return {path: node for path, node in tree(scene.gate.checkout).items() if not path.startswith(b".paddock")}


def verdict(scene: Scene) -> bool:
    """Whether the record says that it was done."""
    path = scene.gate.session.approvals
    records = [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []
    is_undo = scene.new is OLD
    asked = {record["id"] for record in records if record["kind"] == "approved" and bool(record["undoes"]) == is_undo}
    return any(record["kind"] == "applied" and record["id"] in asked for record in records)


def check(scene: Scene, ended: Ended, what: str) -> None:
    """The oracle."""
    error = scene.folder / "error"
    assert ended.code in (KILLED, DONE, UNFINISHED, REFUSED), f"{what}: {error.read_text() if error.exists() else ''}"
    if ended.code in (DONE, REFUSED):
        wanted = scene.new if ended.code == DONE else scene.old
        assert visible(scene) == wanted, f"{what}: it said {ended.code}"
    recovered = recover(scene.gate.checkout, sessions=scene.gate.sessions)
    found = tree(scene.gate.checkout)
    assert found in (scene.old, scene.new), f"{what}: torn tree {found}"
    is_new = found == scene.new
    assert verdict(scene) == is_new, f"{what}: the record says otherwise"
    match ended.code:
        case 0 | 3:
            assert is_new == (ended.code == DONE), f"{what}: it said {ended.code}"
        case 2:
            assert recovered is not None, f"{what}: nobody says how it ended"
        case _:
            pass
    if recovered is not None:
        assert (recovered.outcome == "applied", recovered.kept) == (is_new, ()), what
        assert recovered.is_undo == (scene.new is OLD), what
    assert recover(scene.gate.checkout, sessions=scene.gate.sessions) is None, what
    assert (scene.folder / "outside").read_text() == "canary", what
    scene.gate.manifest = Manifest.load(scene.gate.session.manifest)
    assert scene.gate.collect().changes == (() if found == NEW else scene.changes.changes), what


def try_all(
    make: Callable[[Path], Scene], folders: Iterator[Path], chosen: Sequence[tuple[str, int]], fault: str
) -> None:
    """Hit each of these calls, in a scene of its own."""
    assert len(chosen) > 5
    for name, number in chosen:
        scene = make(next(folders))
        ended = traced(scene.work, scene.folder, *hit(name, number, fault))
        assert ended.was_hit, f"{name} {number} was not hit"
        check(scene, ended, f"{fault} at {name} {number}")


@MAKERS
def test_c01_c22_killed_at_a_sample_of_calls_the_tree_is_old_or_new(make, folders):
    found = points(undisturbed(make, folders, *CHANGES))
    try_all(make, folders, found[::5], "signal=KILL")


@pytest.mark.slow
@pytest.mark.timeout(600)
@MAKERS
def test_c01_c22_killed_at_every_call_the_tree_is_old_or_new(make, folders):
    found = points(undisturbed(make, folders, *CHANGES, *OPENS))
    try_all(make, folders, found, "signal=KILL")


@MAKERS
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_c20_an_error_at_a_sample_of_calls_leaves_the_tree_old_or_new(make, folders, error):
    found = points(undisturbed(make, folders, *CHANGES))
    try_all(make, folders, found[::11], f"error={error}")


@pytest.mark.slow
@pytest.mark.timeout(600)
@MAKERS
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS", "EDQUOT"])
def test_c20_an_error_at_every_call_leaves_the_tree_old_or_new(make, folders, error):
    names = [name for name in CHANGES if name != "sync_file_range"]  # a hint, whose failure the fsync after it tells
    found = points(undisturbed(make, folders, *names, *OPENS, *(READS if error == "EIO" else ())))
    try_all(make, folders, found, f"error={error}")


def try_from(make: Callable[[Path], Scene], folders: Iterator[Path], error: str, *, every: int) -> None:
    """A disk that goes bad at one call and stays bad: the process can tidy up nothing."""
    calls = undisturbed(make, folders, *CHANGES)
    for position in range(0, len(calls), every):
        scene = make(next(folders))
        ended = traced(scene.work, scene.folder, *hit_from(calls, position, f"error={error}"))
        check(scene, ended, f"{error} from {calls[position]} on, which is call {position}")


@MAKERS
def test_c20_a_disk_that_fails_and_stays_so_leaves_the_tree_old_or_new(make, folders):
    try_from(make, folders, "EIO", every=9)


@pytest.mark.slow
@pytest.mark.timeout(600)
@MAKERS
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS"])
def test_c20_a_disk_that_fails_at_any_call_and_stays_so_leaves_the_tree_old_or_new(make, folders, error):
    try_from(make, folders, error, every=1)


def killed(make: Callable[[Path], Scene], folders: Iterator[Path], point: tuple[str, int]) -> Scene:
    """A scene in which the work was killed at a call."""
    scene = make(next(folders))
    ended = traced(scene.work, scene.folder, *hit(*point, "signal=KILL"))
    assert ended.code == KILLED
    return scene


def try_double(
    make: Callable[[Path], Scene], folders: Iterator[Path], firsts: Sequence[tuple[str, int]], fault: str, *, every: int
) -> None:
    """Kill the work, then hit the recovery as well, and recover from that."""
    for first in firsts:
        scene = killed(make, folders, first)
        calls = traced(scene.recover, scene.folder, *watched(*CHANGES, *OPENS)).calls
        for point in points(calls)[::every]:
            scene = killed(make, folders, first)
            ended = traced(scene.recover, scene.folder, *hit(*point, fault))
            assert ended.was_hit, point
            assert ended.code in (KILLED, UNFINISHED, REFUSED, DONE), (scene.folder / "error").read_text()
            found = Ended(KILLED, (), "")
            check(scene, found, f"killed at {first}, then {fault} in recovery at {point}")


def in_the_middle(found: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """The rename in the middle of those that an apply makes."""
    renames = [point for point in found if point[0] == "renameat2"]
    return renames[len(renames) // 2 + 1]


@MAKERS
def test_c02_a_recovery_that_is_killed_too_is_recovered(make, folders):
    found = points(undisturbed(make, folders, *CHANGES))
    try_double(make, folders, [in_the_middle(found)], "signal=KILL", every=17)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@MAKERS
@pytest.mark.parametrize("fault", ["signal=KILL", "error=EIO", "error=ENOSPC"])
def test_c02_a_recovery_that_is_hit_at_every_call_is_recovered(make, folders, fault):
    found = points(undisturbed(make, folders, *CHANGES))
    renames = [point for point in found if point[0] in ("renameat2", "renameat")]
    chosen = [renames[2], in_the_middle(found), renames[-1]]
    try_double(make, folders, chosen, fault, every=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@MAKERS
def test_c02_wherever_both_are_killed_the_tree_is_old_or_new(make, folders):
    found = points(undisturbed(make, folders, *CHANGES))
    for number, first in enumerate(found):
        scene = killed(make, folders, first)
        calls = points(traced(scene.recover, scene.folder, *watched(*CHANGES)).calls)
        for point in calls[number % 7 :: 7]:
            scene = killed(make, folders, first)
            traced(scene.recover, scene.folder, *hit(*point, "signal=KILL"))
            check(scene, Ended(KILLED, (), ""), f"killed at {first}, and in recovery at {point}")


@MAKERS
def test_c04_what_a_mark_says_is_on_disk_before_the_mark(make, folders):
    undisturbed(make, folders, "fsync")
    scene = make(next(folders))
    text = traced(scene.work, scene.folder, *watched("fsync", "renameat", "renameat2"), "-y").text
    commit, done = text.index('"COMMIT"'), text.index('"DONE"')
    journal = re.findall(r"[^<\"]+/\.paddock-txn\.[0-9a-f]+", text)[0]
    session = scene.gate.session
    replaced = {os.fspath(session.blobs / digest) for digest in digests(scene.old)}
    assert {*replaced, f"{session.blobs}", f"{session.approvals}", f"{session.path}"} <= synced(text[:commit])
    assert {f"{journal}/.COMMIT", f"{journal}/new", journal, f"{scene.gate.checkout}"} <= synced(text[:commit])
    assert len([path for path in synced(text[:commit]) if path.startswith(f"{journal}/new/")]) == 4
    first_step = commit + text[commit:].index("renameat2(")
    assert journal in synced(text[commit:first_step])
    changed = {os.path.dirname(os.path.join(os.fsencode(scene.gate.checkout), path)) for path in scene.new}
    assert {os.fsdecode(folder) for folder in changed} <= synced(text[commit:done])
    kept = (session.approvals, session.manifest.with_name("manifest.updates"), f"{journal}/new", f"{journal}/old")
    assert set(map(os.fspath, kept)) <= synced(text[commit:done])
    assert journal in synced(text[done : text.index('.trash"')])


def synced(text: str) -> set[str]:
    """What a piece of a trace waited for the disk to have."""
    return set(re.findall(r"^fsync\(\d+<([^>]+)>\)", text, re.MULTILINE))


def digests(files: Tree) -> set[str]:
    """The contents of those files of a tree that the other one does not hold in their place."""
    other = NEW if files is OLD else OLD
    return {
        hashlib.sha256(content).hexdigest()
        for path, (kind, content) in files.items()
        if kind in ("file", "program") and other.get(path) != (kind, content)
    }


@MAKERS
@pytest.mark.parametrize("call", ["mkdirat", "fsync"])
def test_c12_what_was_approved_and_not_committed_is_dropped_and_nothing_newer_is_applied(make, folders, call):
    calls = points(undisturbed(make, folders, call))
    scene = killed(make, folders, calls[2])
    scene.gate.put("edit", "newer\n")
    recovered = recover(scene.gate.checkout, sessions=scene.gate.sessions)
    assert recovered is not None
    assert recovered.outcome == "not applied"
    assert tree(scene.gate.checkout) == scene.old
    assert not verdict(scene)


@MAKERS
def test_s37_without_exchange_in_the_file_system_it_is_as_good(make, folders):
    undisturbed(make, folders, "renameat2")
    scene = make(next(folders))
    # The first renameat2 is the probe for an exchange; told EINVAL, nothing may try another.
    ended = traced(scene.work, scene.folder, *hit("renameat2", 1, "error=EINVAL"))
    assert ended.code == DONE
    assert ended.text.count("RENAME_EXCHANGE") == 1
    check(scene, ended, "no exchange")
    assert tree(scene.gate.checkout) == scene.new


AS_ON_NFS = hit_from(["renameat2"], 0, "error=EINVAL")
"""The options of a file system that knows no rename but the plain one."""


@MAKERS
def test_s37_on_a_file_system_like_nfs_killed_at_any_move_the_tree_is_old_or_new(make, folders):
    make(next(folders)).act()
    scene = make(next(folders))
    moves = watched("linkat", "renameat", "unlink", "unlinkat", "rmdir", "rename")
    ended = traced(scene.work, scene.folder, *AS_ON_NFS, *moves)
    assert (ended.code, tree(scene.gate.checkout)) == (DONE, scene.new)
    found = points([name for name in ended.calls if name != "renameat2"])
    assert {"linkat", "renameat"} <= {name for name, _ in found}
    for name, number in found:
        scene = make(next(folders))
        ended = traced(scene.work, scene.folder, *AS_ON_NFS, *hit(name, number, "signal=KILL"))
        assert ended.code == KILLED, (name, number)
        assert traced(scene.recover, scene.folder, *AS_ON_NFS).code in (DONE, REFUSED), (name, number)
        check(scene, ended, f"killed at {name} {number}")


@MAKERS
@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_c11_a_signal_past_the_commit_point_waits_for_the_end(make, folders, name):
    point = in_the_middle(points(undisturbed(make, folders, "renameat2")))
    scene = make(next(folders))
    ended = traced(lambda: _interruptible(scene), scene.folder, *hit(*point, f"signal={name}"))
    assert ended.code == 130
    assert visible(scene) == scene.new
    assert verdict(scene)
    assert recover(scene.gate.checkout, sessions=scene.gate.sessions) is None


@MAKERS
@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_c11_a_signal_before_the_commit_point_leaves_the_tree_as_it_was(make, folders, name):
    undisturbed(make, folders, "fsync")
    scene = make(next(folders))
    ended = traced(lambda: _interruptible(scene), scene.folder, *hit("fsync", 4, f"signal={name}"))
    assert ended.code == 130
    assert tree(scene.gate.checkout) == scene.old
    assert not verdict(scene)


@pytest.mark.slow
@pytest.mark.timeout(600)
@MAKERS
def test_c11_interrupted_at_any_call_the_tree_is_old_or_new(make, folders):
    for point in points(undisturbed(make, folders, *CHANGES, *OPENS)):
        scene = make(next(folders))
        ended = traced(lambda scene=scene: _interruptible(scene), scene.folder, *hit(*point, "signal=INT"))
        assert ended.code == 130, point
        check(scene, Ended(KILLED, (), ""), f"interrupted at {point}")


def _interruptible(scene: Scene) -> int:
    """The work, in a process that lets these signals unwind the stack, as the command line does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        scene.work()
        os.sched_yield()
    except KeyboardInterrupt:
        return 130
    return (scene.folder / "error").exists() * 130
