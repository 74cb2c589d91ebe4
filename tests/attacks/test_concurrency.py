"""Group VI: the user keeps working while the agent does. Nothing of the user's is lost, and nothing untrue is said."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from sandbox.changes import File
from sandbox.gate.apply import Applied, Conflicts
from sandbox.gate.approval import Outcome, records
from sandbox.gate.bases import Bases
from sandbox.gate.blobs import Blobs
from sandbox.gate.decisions import approval
from sandbox.gate.manifest import Manifest
from sandbox.sessions import new_id
from tests.attacks.scene import unchanged
from tests.sandbox.conftest import make_gate

ROOT = Path(__file__).parents[2]
TEXT = "".join(f"{number}\n" for number in range(1, 31))


@pytest.fixture
def gate(tmp_path):
    """A gate on an empty checkout, without an engine."""
    return make_gate(tmp_path)


@pytest.fixture
def repository(gate):
    """The checkout as a git repository of thirty files on two branches."""

    def git(*arguments):
        identity = ["-c", "user.name=U", "-c", "user.email=u@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=gate.checkout, check=True, capture_output=True)

    def write(text):
        for number in range(30):
            (gate.checkout / f"f{number:02}").write_text(f"{text} {number}\n")

    git("init", "-q", "-b", "main")
    write("main")
    git("add", ".")
    git("commit", "-qm", "main")
    git("checkout", "-qb", "other")
    write("other")
    git("commit", "-qam", "other")
    git("checkout", "-q", "main")
    gate.begin()
    return git


def another(gate):
    """A second session on the same checkout, begun now."""
    session = gate.sessions.create(gate.session.meta().model_copy(update={"id": new_id()}))
    session.upper.mkdir()
    second = replace(gate, session=session, upper=session.upper, blobs=Blobs(session.blobs))
    second.begin()
    return second


def contents(gate):
    """The text of every file of the checkout that is not git's."""
    files = (file for file in gate.checkout.rglob("*") if file.is_file() and ".git" not in file.parts)
    return {str(file.relative_to(gate.checkout)): file.read_text() for file in files}


@pytest.mark.engine
@pytest.mark.anyio
@pytest.mark.parametrize("base", ["live", "frozen"])
async def test_k01_k02_k04_k05_what_the_user_did_meanwhile_stays(scene):
    """One session with an edit, deletion, rename, chmod and new file on both sides."""
    names = ("edited", "deleted", "renamed", "chmodded", "alone")
    for name in names:
        (scene.checkout / name).write_text("base\n")
    await scene.bash("echo warm-up")
    (scene.checkout / "edited").write_text("user\n")
    (scene.checkout / "deleted").unlink()
    (scene.checkout / "renamed").rename(scene.checkout / "moved-by-user")
    (scene.checkout / "chmodded").chmod(0o755)
    (scene.checkout / "of-user").write_text("user\n")
    (scene.checkout / "new").write_text("user\n")
    (scene.checkout / "same").write_text("same\n")
    (scene.checkout / "src" / "beside.py").write_text("user\n")
    changes = await scene.after(
        "for f in edited deleted renamed chmodded new src/main.py; do echo agent > $f; done; echo same > same"
    )
    moved = {change.path for change in changes.changes if change.moved}
    assert {b"edited", b"new"} <= moved
    assert b"same" not in {change.path for change in changes.changes}
    before = scene.outside()
    assert isinstance(await scene.apply_all(changes), Conflicts)
    assert scene.outside() == before
    alone = changes.only([b"src/main.py"])
    assert isinstance(await scene.project.apply(changes, only=alone), Applied)
    assert (scene.checkout / "src" / "beside.py").read_text() == "user\n"
    assert (scene.checkout / "edited").read_text() == "user\n"
    assert not (scene.checkout / "deleted").exists()


@pytest.mark.parametrize("doing", ["unlink", "rename", "replace by a link", "replace by a folder"])
def test_k04_a_file_that_is_gone_or_something_else_is_a_conflict(gate, doing):
    (gate.checkout / "a").write_text(TEXT)
    gate.begin()
    gate.put("a", TEXT + "agent\n")
    Bases(gate.session).learn([b"a"])
    match doing:
        case "rename":
            (gate.checkout / "a").rename(gate.checkout / "b")
        case _:
            (gate.checkout / "a").unlink()
    if doing == "replace by a link":
        (gate.checkout / "a").symlink_to("elsewhere")
    elif doing == "replace by a folder":
        (gate.checkout / "a").mkdir()
    gate.manifest = Manifest.load(gate.session.manifest)
    (change,) = gate.collect().changes
    assert change.moved
    assert isinstance(gate.apply_all(), Conflicts)


def test_k04_a_mode_that_the_user_changed_is_merged_with_the_sandboxs_text(gate):
    (gate.checkout / "a").write_text(TEXT)
    gate.begin()
    gate.put("a", TEXT + "agent\n")
    Bases(gate.session).learn([b"a"])
    (gate.checkout / "a").chmod(0o755)
    gate.manifest = Manifest.load(gate.session.manifest)
    assert gate.apply_all() == Applied((b"a",))
    assert (gate.checkout / "a").read_text() == TEXT + "agent\n"
    assert (gate.checkout / "a").stat().st_mode & 0o111


@pytest.mark.parametrize("doing", [["checkout", "-q", "other"], ["stash", "-q"], ["rebase", "-q", "other"]])
def test_k06_another_branch_in_the_checkout_is_one_mass_conflict_and_git_is_not_touched(gate, repository, doing):
    for number in range(20):
        gate.put(f"f{number:02}", f"agent {number}\n")
    if doing[0] != "checkout":
        (gate.checkout / "f00").write_text("user\n")
        repository("commit", "-qam", "mine") if doing[0] == "rebase" else None
        gate.begin()
        for number in range(20):
            (gate.checkout / f"f{number:02}").write_text("user\n")
    if doing[0] == "rebase":
        repository("checkout", "-q", ".")
        assert subprocess.run(["git", *doing], cwd=gate.checkout, capture_output=True, check=False).returncode != 0
    else:
        repository(*doing)
    before = contents(gate)
    with unchanged(gate.checkout / ".git"):
        changes = gate.collect()
        assert [change.moved for change in changes.changes] == [True] * 20
        assert isinstance(gate.apply_all(), Conflicts)
    assert contents(gate) == before


def test_k06_a_lock_on_the_index_does_not_matter_to_us(gate, repository):
    gate.put("f00", "agent\n")
    (gate.checkout / ".git" / "index.lock").write_text("")
    with unchanged(gate.checkout / ".git"):
        assert gate.apply_all() == Applied((b"f00",))


def test_k06_back_on_the_first_branch_the_changes_apply(gate, repository):
    gate.put("f00", "agent\n")
    gate.collect()  # the file is read while it is what the session began with
    repository("checkout", "-q", "other")
    assert isinstance(gate.apply_all(), Conflicts)
    repository("checkout", "-q", "main")
    assert gate.apply_all() == Applied((b"f00",))


def test_k07_a_program_that_saves_all_the_time_keeps_what_it_saved_last(gate):
    for name in ("busy", "quiet"):
        (gate.checkout / name).write_text("base\n")
    gate.begin()
    stop = threading.Event()
    saved = ["base\n"]

    def save() -> None:
        while not stop.is_set():
            (gate.checkout / "draft~").write_text(f"saved {len(saved)}\n")
            (gate.checkout / "draft~").rename(gate.checkout / "busy")
            saved.append(f"saved {len(saved)}\n")
            time.sleep(0.001)

    saver = threading.Thread(target=save)
    saver.start()
    try:
        for number in range(30):
            gate.put("busy", f"agent {number}\n")
            gate.put("quiet", f"agent {number}\n")
            result = gate.apply_all()
            if isinstance(result, Applied) and b"quiet" in result.paths:
                assert (gate.checkout / "quiet").read_text() == f"agent {number}\n"
    finally:
        stop.set()
        saver.join()
    assert (gate.checkout / "busy").read_text() == saved[-1]
    assert not list(gate.checkout.glob(".paddock*"))


def test_k09_of_two_sessions_that_edit_one_file_the_second_merges_or_finds_a_conflict(gate):
    (gate.checkout / "a").write_text(TEXT)
    (gate.checkout / "b").write_text(TEXT)
    gate.begin()
    other = another(gate)
    gate.put("a", TEXT.replace("2\n", "two\n", 1))
    other.put("a", TEXT.replace("2\n", "second\n", 1))
    gate.put("b", TEXT.replace("2\n", "two\n", 1))
    other.put("b", TEXT.replace("29\n", "last\n"))
    changes = other.collect()
    assert gate.apply_all() == Applied((b"a", b"b"))
    assert isinstance(other.apply(approval(changes, changes.changes, "second"), change_set=changes), Conflicts)
    assert {change.path: change.moved for change in other.collect().changes} == {b"a": True, b"b": False}
    changes = other.collect()
    other.apply(approval(changes, changes.only([b"b"]), "second"), change_set=changes)
    assert (gate.checkout / "a").read_text() == TEXT.replace("2\n", "two\n", 1)
    assert (gate.checkout / "b").read_text() == TEXT.replace("2\n", "two\n", 1).replace("29\n", "last\n")


@pytest.mark.engine
@pytest.mark.anyio
async def test_k11_two_writers_in_one_sandbox_tear_no_file(scene):
    first, second = b"1" * 3_000_000, b"2" * 3_000_000
    async with anyio.create_task_group() as group:
        for data in (first, second) * 3:
            group.start_soon(scene.project.write, "big", data)
    changes = await scene.project.freeze()
    assert isinstance(await scene.apply_all(changes), Applied)
    assert (scene.checkout / "big").read_bytes() in (first, second)


@pytest.mark.parametrize("seconds", [0, -3600])
def test_k12_the_content_decides_not_the_clock(gate, seconds):
    (gate.checkout / "a").write_text("one\n")
    gate.begin()
    facts = (gate.checkout / "a").stat()
    (gate.checkout / "a").write_text("two\n")
    os.utime(gate.checkout / "a", ns=(facts.st_atime_ns, facts.st_mtime_ns + seconds * 1_000_000_000))
    gate.put("a", "agent\n")
    assert isinstance(gate.apply_all(), Conflicts)
    assert (gate.checkout / "a").read_text() == "two\n"


def test_k15_two_terminals_that_approve_at_once_make_one_apply(gate, tmp_path):
    (gate.checkout / "a").write_text("base\n")
    gate.begin()
    gate.put("a", "agent\n")
    state = tmp_path / "xdg"
    state.mkdir()
    (state / "paddock").symlink_to(gate.sessions.folder.parent)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(state)}
    command = [sys.executable, "-m", "cli.main", "apply", "--yes", gate.session.id]
    both = [
        subprocess.Popen(
            command,
            cwd=gate.checkout,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=60)[0] for one in both]
    assert 0 in [one.returncode for one in both], said
    assert sum("applied 1 file" in text for text in said) == 1, said
    assert all("applied 1 file" in text or "in use" in text or "host unchanged" in text for text in said), said
    outcomes = [record for record in records(gate.session) if isinstance(record, Outcome)]
    assert [outcome.kind for outcome in outcomes] == ["applied"]
    assert (gate.checkout / "a").read_text() == "agent\n"


@pytest.mark.engine
@pytest.mark.anyio
async def test_k16_what_a_background_job_writes_on_is_applied_as_it_was_reviewed(scene):
    # Written in place, never emptied: two looks at an empty file would see the same.
    job = "while :; do printf %06d $((i=i+1)) 1<> busy; sleep 0.001; done"
    await scene.bash(f"({job}) 2>/dev/null &\n sleep 0.2")
    changes = await scene.project.freeze()
    (change,) = changes.changes
    await scene.bash("sleep 0.2; test -e busy")
    assert isinstance(await scene.apply_all(changes), Applied)
    assert isinstance(change.after, File)
    assert hashlib.sha256((scene.checkout / "busy").read_bytes()).hexdigest() == change.after.digest
    assert [one.path for one in (await scene.project.freeze()).changes] == [b"busy"]
