"""An apply that is killed, or meets an error, at any system call: the tree is the old one or the new one.

Faults are injected by strace into the real process. The oracle is threefold: after `recover` the tree is OLD or NEW,
the session's record says the same, and nothing of ours is left in the checkout.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sandbox.changes import File, Link
from sandbox.errors import ApplyUnfinished, StateError
from sandbox.gate.apply import Recovered, recover
from sandbox.gate.blobs import Blobs
from sandbox.gate.journal import Journal
from sandbox.gate.steps import Swap
from sandbox.gate.syscalls import exchange
from sandbox.gate.transaction import exchange_in_two, judge, settle
from sandbox.sessions import Sessions

ROOT = Path(__file__).parents[3]

# What an apply does to files. Everything is counted from the marker on: before it, Python itself is starting.
CALLS = (
    "renameat2,renameat,rename,unlinkat,unlink,rmdir,mkdirat,mkdir,symlinkat,openat,openat2,write,pwrite64,"
    "fsync,ftruncate,fchmod,fchown,flock,close"
)
MARKER = "sched_yield"
KILLED = -9  # strace ends by the signal that ended its process

APPLY = """
import os, sys
from datetime import datetime
from pathlib import Path
from sandbox.gate.apply import Approval, apply
from sandbox.gate.blobs import Blobs
from sandbox.gate.collect import collect
from sandbox.gate.manifest import Manifest
from sandbox.sessions import Session, now
checkout, session = Path(sys.argv[1]), Session(Path(sys.argv[2]))
manifest, blobs = Manifest.load(session.manifest), Blobs(session.blobs)
changes = collect(session.upper, checkout, manifest=manifest, blobs=blobs)
os.sched_yield()
print(apply(Approval(changes.id, changes.pending, "tester", now()),
            checkout=checkout, blobs=blobs, session=session, manifest=manifest))
"""

RECOVER = """
import os, sys
from pathlib import Path
from sandbox.gate.apply import recover
from sandbox.sessions import Session, Sessions
session = Session(Path(sys.argv[2]))
os.sched_yield()
print(recover(Path(sys.argv[1]), sessions=Sessions(session.path.parent.parent)))
"""


def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        pytest.fail("this test injects faults with strace: `apt-get install strace`")
    return found


def run(code: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts above on a scene, under strace."""
    (session,) = (folder / "state" / "sessions").iterdir()
    command = [strace(), "-f", "-qq", "-o", str(folder / "trace"), *options]
    return subprocess.run(
        [*command, sys.executable, "-B", "-c", code, folder / "checkout", session],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def calls_after_marker(code: str, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """How often each call is made before the marker, and in all."""
    done = run(code, folder, "-e", f"trace={CALLS},{MARKER}")
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^(?:\d+ +)?(\w+)\(", (folder / "trace").read_text(), re.MULTILINE)
    start = names.index(MARKER)
    return Counter(names[:start]), Counter(names)


@pytest.fixture
def scene(gate, lay_out, tmp_path):
    """Edit, chmod, delete, link, type change and a new deep file, ready to be applied; a factory of copies of it."""
    lay_out({"edit": "old\n", "run": "#!/bin/sh\n", "gone/x": "x", "l": "->edit", "f": "file"})
    gate.put("edit", "new\n")
    gate.put("run", "#!/bin/sh\n", 0o755)
    gate.whiteout("gone")
    (gate.upper / "l").symlink_to("run")
    gate.opaque("f")
    gate.put("f/inside", "folder now")
    gate.put("deep/er/new", "new\n")
    numbers = iter(range(10_000))

    def copy():
        folder = tmp_path / f"copy-{next(numbers)}"
        folder.mkdir()
        # The copy has its own inodes, so the session has to begin anew on it.
        for name in ("checkout", "state"):
            subprocess.run(["cp", "-a", tmp_path / name, folder / name], check=True)
        begin_again(folder)
        return folder

    return copy


def begin_again(folder: Path) -> None:
    from sandbox.gate.manifest import Manifest

    (session,) = (folder / "state" / "sessions").iterdir()
    Manifest.take(folder / "checkout").save(session / "manifest")


def verdict(folder: Path) -> str | None:
    """What the session's record says in the end."""
    (session,) = (folder / "state" / "sessions").iterdir()
    try:
        kinds = [json.loads(line)["kind"] for line in (session / "approvals.jsonl").read_text().split("\n")[:-1]]
    except FileNotFoundError:
        return None
    return kinds[-1] if kinds else None


def check(folder: Path, tree, old, new, what: str) -> None:
    """The oracle."""
    recovered = recover(folder / "checkout", sessions=Sessions(folder / "state"))
    found = tree(folder / "checkout")
    assert found in (old, new), f"{what}: torn tree {found}"
    is_new = found == new
    assert (verdict(folder) == "applied") == is_new, f"{what}: the record says {verdict(folder)}"
    if recovered is not None:
        assert (recovered.outcome == "applied") == is_new, what
        assert recovered.kept == (), what
    assert recover(folder / "checkout", sessions=Sessions(folder / "state")) is None, what


def faults(before: Counter[str], total: Counter[str], *, every: int):
    """Which call to hit, by name and number."""
    points = [
        (name, number)
        for name in sorted(total)
        if name != MARKER
        for number in range(before[name] + 1, total[name] + 1)
    ]
    return points[::every]


@pytest.fixture
def expected(scene, tree):
    """The tree before and after, and how many calls an undisturbed apply makes."""
    folder = scene()
    old = tree(folder / "checkout")
    before, total = calls_after_marker(APPLY, folder)
    new = tree(folder / "checkout")
    assert old != new
    return old, new, before, total


def inject(scene, tree, expected, *, fault: str, every: int) -> None:
    old, new, before, total = expected
    points = faults(before, total, every=every)
    assert len(points) > 5
    for name, number in points:
        folder = scene()
        done = run(APPLY, folder, "-e", f"trace={name}", "-e", f"inject={name}:{fault}:when={number}")
        # How many files Python itself opens to start varies a little: a number past the last call hits nothing.
        assert was_hit(folder, done, fault) or count(folder, name) < number, f"{name} {number} was not hit"
        check(folder, tree, old, new, f"{fault} at {name} {number}")
        shutil.rmtree(folder)


def test_c01_killed_at_a_sample_of_calls_the_tree_is_old_or_new(scene, tree, expected):
    inject(scene, tree, expected, fault="signal=KILL", every=11)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_c01_killed_at_every_call_the_tree_is_old_or_new(scene, tree, expected):
    inject(scene, tree, expected, fault="signal=KILL", every=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS"])
def test_c20_an_error_at_every_call_leaves_the_tree_old_or_new(scene, tree, expected, error):
    old, new, before, total = expected
    for name in ("close", "flock"):  # those do not fail this way
        del total[name]
    inject(scene, tree, (old, new, before, total), fault=f"error={error}", every=1)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_c20_an_error_at_a_sample_of_calls_leaves_the_tree_old_or_new(scene, tree, expected, error):
    old, new, before, total = expected
    kept = Counter({name: total[name] for name in ("renameat2", "fsync", "mkdirat", "mkdir", "renameat", "rename")})
    inject(scene, tree, (old, new, before, kept), fault=f"error={error}", every=5)


def was_hit(folder: Path, done: subprocess.CompletedProcess[str], fault: str) -> bool:
    return done.returncode == KILLED if "KILL" in fault else "(INJECTED)" in (folder / "trace").read_text()


def count(folder: Path, name: str) -> int:
    return len(re.findall(rf"^(?:\d+ +)?{name}\(", (folder / "trace").read_text(), re.MULTILINE))


def half_done(scene, tree, expected) -> Path:
    """A scene whose apply was killed in the middle of its steps."""
    _, _, before, total = expected
    number = before["renameat2"] + (total["renameat2"] - before["renameat2"]) // 2 + 1
    folder = scene()
    done = run(APPLY, folder, "-e", "trace=renameat2", "-e", f"inject=renameat2:signal=KILL:when={number}")
    assert done.returncode == KILLED
    assert any(name.startswith(".paddock-txn.") for name in os.listdir(folder / "checkout"))
    return folder


def double(scene, tree, expected, *, every: int) -> None:
    _, new, _, _ = expected
    killed = half_done(scene, tree, expected)
    (killed / "trace").unlink(missing_ok=True)
    kept = killed.with_name("killed")
    subprocess.run(["cp", "-a", killed, kept], check=True)
    before, total = calls_after_marker(RECOVER, killed)
    assert tree(killed / "checkout") == new
    for name, number in faults(before, total, every=every):
        folder = kept.with_name(f"again-{name}-{number}")
        subprocess.run(["cp", "-a", kept, folder], check=True)
        done = run(RECOVER, folder, "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}")
        assert was_hit(folder, done, "KILL") or count(folder, name) < number, f"{name} {number} was not hit"
        recover(folder / "checkout", sessions=Sessions(folder / "state"))
        assert tree(folder / "checkout") == new, f"{name} {number}"
        assert verdict(folder) == "applied"
        shutil.rmtree(folder)


def test_c02_a_recovery_that_is_killed_too_is_recovered(scene, tree, expected):
    double(scene, tree, expected, every=23)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_c02_a_recovery_that_is_killed_at_every_call_is_recovered(scene, tree, expected):
    double(scene, tree, expected, every=1)


def test_s37_without_exchange_in_the_file_system_the_apply_is_as_good(scene, tree, expected):
    old, new, _, _ = expected
    folder = scene()
    # The first renameat2 is the probe for an exchange; told EINVAL, nothing may try another.
    done = run(APPLY, folder, "-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL:when=1")
    assert done.returncode == 0, done.stderr
    assert (folder / "trace").read_text().count("RENAME_EXCHANGE") == 1
    check(folder, tree, old, new, "no exchange")
    assert tree(folder / "checkout") == new


@pytest.mark.parametrize("signal", ["INT", "TERM", "HUP"])
def test_c11_an_interrupt_past_the_commit_point_waits_for_the_end(scene, tree, expected, signal):
    _, new, before, total = expected
    number = before["renameat2"] + (total["renameat2"] - before["renameat2"]) // 2 + 1
    folder = scene()
    done = run(APPLY, folder, "-e", "trace=renameat2", "-e", f"inject=renameat2:signal={signal}:when={number}")
    assert done.returncode != 0
    assert tree(folder / "checkout") == new
    assert verdict(folder) == "applied"
    assert recover(folder / "checkout", sessions=Sessions(folder / "state")) is None


def test_c11_an_interrupt_before_the_commit_point_leaves_the_tree_as_it_was(scene, tree, expected):
    old, _, before, _ = expected
    folder = scene()
    done = run(APPLY, folder, "-e", "trace=fsync", "-e", f"inject=fsync:signal=INT:when={before['fsync'] + 4}")
    assert "KeyboardInterrupt" in done.stderr
    assert tree(folder / "checkout") == old
    assert verdict(folder) == "not applied"


def committed(gate, root, content="new", *, before="old"):
    """A journal as a crash right after COMMIT leaves it, for one edit of `a`."""
    from sandbox.changes import Change
    from sandbox.gate.approval import Approval, Before, record_approval
    from sandbox.sessions import now

    change = Change(b"a", gate.blobs.put(before.encode()), gate.blobs.put(content.encode()))
    approval = Approval("any", (change,), "tester", now())
    approved = record_approval(gate.session, approval, gate.checkout, before=Before())
    journal = Journal.make(root, os.fsencode(approved.journal))
    journal.stage(0, change, gate.blobs, None)
    journal.sync([0])
    journal.commit(approved.digest())
    return approved, journal


@pytest.fixture
def root(gate, lay_out):
    lay_out({"a": "old"})
    descriptor = os.open(gate.checkout, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_committed_journal_is_finished_by_the_next_command(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    assert gate.recover() == Recovered("applied", gate.session.id, (b"a",))
    assert os.listdir(gate.checkout) == ["a"]
    assert (gate.checkout / "a").read_text() == "new"


def test_an_edit_between_crash_and_recovery_is_kept_and_reported(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    (gate.checkout / "a").write_text("user")
    found = gate.recover()
    assert found is not None
    assert [conflict.path for conflict in found.kept] == [b"a"]
    assert (gate.checkout / "a").read_text() == "user"


def test_a_save_that_the_crash_caught_inside_the_journal_is_handed_back(gate, root):
    _, journal = committed(gate, root)
    (gate.checkout / "a").write_text("user")
    exchange(root, b"a", journal.new, b"0")  # and then the process died
    journal.close()
    found = gate.recover()
    assert found is not None
    assert [conflict.path for conflict in found.kept] == [b"a"]
    assert (gate.checkout / "a").read_text() == "user"


def test_c15_a_damaged_staged_copy_is_never_put_into_place(gate, root):
    _, journal = committed(gate, root)
    (gate.checkout / os.fsdecode(journal.name) / "new" / "0").write_text("n\0w")
    journal.close()
    found = gate.recover()
    assert found is not None
    assert [conflict.path for conflict in found.kept] == [b"a"]
    assert (gate.checkout / "a").read_text() == "old"


def tamper_flip(gate, journal):
    path = gate.checkout / os.fsdecode(journal.name) / "COMMIT"
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def tamper_truncate(gate, journal):
    os.truncate(gate.checkout / os.fsdecode(journal.name) / "COMMIT", 10)


def tamper_empty(gate, journal):
    os.truncate(gate.checkout / os.fsdecode(journal.name) / "COMMIT", 0)


def tamper_mode(gate, journal):
    (gate.checkout / os.fsdecode(journal.name)).chmod(0o755)


def tamper_owner(gate, journal):
    try:
        os.chown(gate.checkout / os.fsdecode(journal.name), 4321, 4321)
    except PermissionError:
        pytest.fail("this test gives a folder away, which takes root")


def tamper_link(gate, journal):
    path = gate.checkout / os.fsdecode(journal.name)
    path.rename(gate.checkout.parent / "elsewhere")
    path.symlink_to(gate.checkout.parent / "elsewhere")


def tamper_record(gate, journal):
    text = gate.session.approvals.read_text()
    gate.session.approvals.write_text(text.replace('"61"', '"62"'))


@pytest.mark.root
@pytest.mark.parametrize(
    "tamper",
    [tamper_flip, tamper_truncate, tamper_empty, tamper_mode, tamper_owner, tamper_link, tamper_record],
)
def test_c15_a_damaged_or_foreign_journal_is_refused_and_left_alone(gate, root, tamper):
    _, journal = committed(gate, root)
    tamper(gate, journal)
    journal.close()
    for _ in range(2):
        with pytest.raises(StateError, match=r"nothing was done with it|damaged"):
            gate.recover()
    assert (gate.checkout / "a").read_text() == "old"
    assert (gate.checkout / os.fsdecode(journal.name)).exists()


def test_c15_a_journal_that_came_with_a_repository_is_never_applied(gate, lay_out):
    lay_out({"a": "old", ".paddock-txn.evil/COMMIT": "yes", ".paddock-txn.evil/new/0": "evil", "b": "1"})
    (gate.checkout / ".paddock-txn.evil").chmod(0o700)
    with pytest.raises(StateError, match="belongs to no session of yours"):
        gate.recover()
    gate.put("b", "2")
    with pytest.raises(StateError, match="belongs to no session of yours"):
        gate.apply_all()
    assert (gate.checkout / "a").read_text() == "old"
    assert (gate.checkout / "b").read_text() == "1"


def test_a_damaged_record_is_refused(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    gate.session.approvals.write_text("{}\n" + gate.session.approvals.read_text())
    with pytest.raises(StateError, match="is damaged"):
        gate.recover()
    assert (gate.checkout / "a").read_text() == "old"


def test_a_torn_last_record_is_dropped_and_does_not_swallow_the_next(gate, lay_out):
    lay_out({"a": "1"})
    gate.put("a", "2")
    gate.session.approvals.write_text('{"kind":"approved","id":"tor')
    gate.apply_all()
    kinds = [json.loads(line)["kind"] for line in gate.session.approvals.read_text().splitlines()]
    assert kinds == ["approved", "applied"]


@pytest.mark.root
def test_c20_a_checkout_that_turned_read_only_keeps_its_journal_for_later(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    if os.system(f"mount --bind {gate.checkout} {gate.checkout} && mount -o remount,ro,bind {gate.checkout}") != 0:
        pytest.fail("this test mounts the checkout read-only, which takes root")
    try:
        with pytest.raises(ApplyUnfinished, match="Read-only"):
            gate.recover()
    finally:
        os.system(f"umount {gate.checkout}")
    found = gate.recover()
    assert found is not None
    assert found.paths == (b"a",)
    assert (gate.checkout / "a").read_text() == "new"


def test_c19_two_recoveries_at_once_do_it_once(gate, root, tmp_path):
    _, journal = committed(gate, root)
    journal.close()
    command = [sys.executable, "-c", RECOVER, gate.checkout, gate.session.path]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = sorted(process.communicate()[0].strip()[:9] for process in running)
    assert told == ["None", "Recovered"]
    assert (gate.checkout / "a").read_text() == "new"


OLD, NEW, OTHER = File("0" * 64, 1), File("1" * 64, 1), Link(b"x")


@pytest.mark.parametrize(
    ("at", "staged", "wanted"),
    [
        (OLD, NEW, "swap"),
        (NEW, OLD, "done"),
        (NEW, NEW, "done"),
        (NEW, None, "done"),
        (NEW, OTHER, "hand back"),
        (OTHER, NEW, "keep"),
        (None, NEW, "keep"),
        (OTHER, OLD, "done"),
        (None, OLD, "done"),
        (OTHER, OTHER, "keep"),
        (OLD, OTHER, "damaged"),
        (OLD, None, "damaged"),
    ],
)
def test_what_is_left_of_a_swap_follows_from_the_two_places(at, staged, wanted):
    assert judge(at, staged, Swap(b"a", OLD, NEW, 0)) == wanted


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_an_exchange_in_two_that_is_cut_short_is_settled(tmp_path, cut):
    (tmp_path / "there").mkdir()
    (tmp_path / "a").write_text("old")
    (tmp_path / "there" / "0").write_text("new")
    here, there = os.open(tmp_path, os.O_RDONLY), os.open(tmp_path / "there", os.O_RDONLY)
    moves = [
        functools.partial(os.rename, tmp_path / "a", tmp_path / "there" / "0.out"),
        functools.partial(os.rename, tmp_path / "there" / "0", tmp_path / "a"),
        functools.partial(os.rename, tmp_path / "there" / "0.out", tmp_path / "there" / "0"),
    ]
    for move in moves[:cut]:
        move()
    settle(here, b"a", there, b"0")
    found = ((tmp_path / "a").read_text(), (tmp_path / "there" / "0").read_text())
    assert found == (("old", "new") if cut < 2 else ("new", "old"))
    exchange_in_two(here, b"a", there, b"0")
    assert ((tmp_path / "a").read_text(), (tmp_path / "there" / "0").read_text()) == found[::-1]
    assert os.listdir(there) == ["0"]
    os.close(here)
    os.close(there)


def test_blobs_are_not_needed_to_finish(gate, root):
    _, journal = committed(gate, root)
    journal.close()
    shutil.rmtree(gate.session.blobs)
    found = gate.recover()
    assert found is not None
    assert found.paths == (b"a",)
    assert Blobs(gate.session.blobs).holds(File("0" * 64, 0)) is False
