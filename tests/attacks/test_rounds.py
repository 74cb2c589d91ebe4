"""Several syncs of one session, with edits and commits of the user's in between: each brings only what is new."""

import subprocess

import pytest

from sandbox.gate.apply import Applied
from sandbox.gate.bases import Bases
from sandbox.gate.decisions import approval
from sandbox.gate.hunks import with_hunks
from sandbox.gate.manifest import Manifest
from tests.sandbox.conftest import make_gate

LINES = tuple(f"{number}\n" for number in range(40))


@pytest.fixture
def gate(tmp_path):
    """A gate on a checkout with one file, in a git repository."""
    made = make_gate(tmp_path)
    (made.checkout / "f").write_text("".join(LINES))
    subprocess.run(["git", "init", "-q"], cwd=made.checkout, check=True)
    made.begin()
    return made


def commit(gate):
    """What the user has, as a commit."""
    identity = ["-c", "user.name=U", "-c", "user.email=u@example.org"]
    subprocess.run(["git", "add", "f"], cwd=gate.checkout, check=True)
    subprocess.run(["git", *identity, "commit", "-qm", "round"], cwd=gate.checkout, check=True)


def sync(gate, *paths):
    """All that waits, applied, as a command of its own does it."""
    gate.manifest = Manifest.load(gate.session.manifest)
    changes = gate.collect()
    assert tuple(change.path for change in changes.changes) == paths
    assert gate.apply(approval(changes, changes.changes, "sync"), change_set=changes) == Applied(paths)
    assert gate.collect().changes == ()


def written(gate):
    """The lines of the file that somebody wrote since."""
    return [line for line in (gate.checkout / "f").read_text().splitlines() if not line.isdigit()]


def user_writes(gate, line, text):
    """The user replaces a line of what stands in the checkout."""
    lines = (gate.checkout / "f").read_text().splitlines(keepends=True)
    lines[line] = f"{text}\n"
    (gate.checkout / "f").write_text("".join(lines))


def test_a53_three_rounds_with_edits_and_commits_in_between_send_only_what_is_new(gate):
    agents = list(LINES)
    expected = []
    for number in range(3):
        agents[10 + number * 10] = f"agent {number}\n"
        gate.put("f", "".join(agents))
        gate.put(f"new{number}", "new\n")
        Bases(gate.session).learn([b"f"])
        user_writes(gate, 5 + number * 10, f"user {number}")
        commit(gate)
        sync(gate, b"f", f"new{number}".encode())
        expected += [f"user {number}", f"agent {number}"]
        assert written(gate) == expected


def test_what_the_user_takes_back_after_a_sync_stays_taken_back(gate):
    agents = list(LINES)
    agents[10] = "agent 0\n"
    gate.put("f", "".join(agents))
    sync(gate, b"f")
    user_writes(gate, 10, "10")
    agents[30] = "agent 1\n"
    gate.put("f", "".join(agents))
    sync(gate, b"f")
    assert written(gate) == ["agent 1"]


def test_hunks_then_an_edit_then_the_rest(gate):
    agents = list(LINES)
    agents[10], agents[30] = "agent 0\n", "agent 1\n"
    gate.put("f", "".join(agents))
    changes = gate.collect()
    (change,) = changes.changes
    part = with_hunks(change, [2], gate.blobs)
    gate.apply(approval(changes, [part], "person"), change_set=changes)
    user_writes(gate, 20, "user")
    sync(gate, b"f")
    assert written(gate) == ["agent 0", "user", "agent 1"]


def test_a_round_in_which_only_the_user_worked_asks_for_nothing(gate):
    agents = list(LINES)
    agents[10] = "agent 0\n"
    gate.put("f", "".join(agents))
    sync(gate, b"f")
    for number in range(3):
        user_writes(gate, 20 + number, f"user {number}")
        commit(gate)
        assert gate.collect().changes == ()


@pytest.mark.engine
@pytest.mark.anyio
@pytest.mark.parametrize("base", ["live"])
async def test_what_the_agent_read_of_the_users_edits_is_no_conflict_when_it_edits_the_file_then(scene):
    await scene.bash("true")
    for name in ("hello.txt", "src/main.py"):
        with (scene.checkout / name).open("a") as file:
            file.write("# user\n")
    sandbox = scene.project.sandbox
    path = sandbox.root / "hello.txt"
    data = await sandbox.read(path)
    assert data.endswith(b"# user\n")
    await sandbox.saw(path, data)
    changes = await scene.after("for f in hello.txt src/main.py; do echo '# agent' >> $f; done")
    assert {change.path: change.moved for change in changes.changes} == {b"hello.txt": False, b"src/main.py": True}
    assert isinstance(await scene.project.apply(changes, only=changes.only([b"hello.txt"])), Applied)
    assert (scene.checkout / "hello.txt").read_text().endswith("# user\n# agent\n")
