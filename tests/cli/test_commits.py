"""`paddock apply --commits` and `--commit`, as people and scripts use them, on a real engine."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Emulator, Paddock

pytestmark = pytest.mark.engine

WORK = """
printf 'two\\n' >> a.txt; git commit -qam 'second\x1b[2J'
echo 'all:' > Makefile; git add Makefile; git commit -qm third; echo later > pending.txt
"""


def git(folder: Path, *argv: str) -> str:
    return subprocess.run(["git", *argv], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(project: Path) -> Path:
    git(project, "init", "-q", "-b", "main")
    git(project, "config", "user.name", "Ada")
    git(project, "config", "user.email", "ada@example.org")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    return project


@pytest.fixture
def worked(repository: Path, paddock: Paddock) -> Path:
    """A repository of whose files a session has committed some, and left one."""
    assert paddock("exec", "--apply", "never", "--", "bash", "-ec", WORK, cwd=repository).returncode == 0
    return repository


def test_commits_leave_when_what_needs_a_yes_is_named(worked: Path, paddock: Paddock) -> None:
    asked = paddock("apply", "--commits", cwd=worked)
    assert (asked.returncode, "has to be approved: add --yes" in asked.stderr) == (4, True)
    assert "\\x1b[2J" in asked.stdout
    assert "\x1b[2J" not in asked.stdout
    unnamed = paddock("apply", "--commits", "--yes", cwd=worked)
    assert (unnamed.returncode, "Makefile" in unnamed.stderr) == (4, True)
    assert paddock("apply", "--commits", "--yes", "other.txt", cwd=worked).returncode == 2
    assert git(worked, "branch", "--format=%(refname:short)") == "main"
    done = paddock("apply", "--commits", "--yes", "--branch", "from/agent", "Makefile", cwd=worked)
    assert (done.returncode, "2 commits on the new branch from/agent" in done.stdout) == (0, True)
    assert git(worked, "rev-list", "--count", "main..from/agent") == "2"
    assert git(worked, "status", "--porcelain") == ""
    again = paddock("apply", "--commits", "--yes", cwd=worked)
    assert (again.returncode, "nothing to take over" in again.stdout) == (0, True)
    assert "3 files pending" in paddock("status", cwd=worked).stdout


def test_a_rule_that_denies_holds_for_commits(worked: Path, paddock: Paddock, tmp_path: Path) -> None:
    rules = json.dumps({"permissions": {"deny": ["Edit(Makefile)"]}})
    denied = paddock("apply", "--commits", "--yes", "--settings", rules, "Makefile", cwd=worked)
    assert (denied.returncode, "denied by" in denied.stderr) == (1, True)
    assert git(worked, "branch", "--format=%(refname:short)") == "main"


def test_a_person_sees_the_diff_and_says_yes(worked: Path, terminal: Callable[..., Emulator]) -> None:
    shown = terminal("apply", "--commits", cwd=worked)
    shown.wait_for("is that what you want?")
    shown.send("y\r")
    shown.wait_for("as the new branch")
    shown.send("d\r")
    shown.wait_for("+all:")
    shown.send("y\r")
    assert shown.end() == 0
    assert git(worked, "branch", "--format=%(refname:short)").startswith("main\npaddock/")


def test_approved_files_become_one_commit(worked: Path, paddock: Paddock) -> None:
    (worked / "mine.txt").write_text("mine\n")
    git(worked, "add", "mine.txt")
    done = paddock("apply", "--yes", "--commit", "-m", "take it", "-m", "why", "a.txt", cwd=worked)
    assert (done.returncode, "committed " in done.stdout) == (0, True)
    assert git(worked, "log", "-1", "--format=%an|%B", "--name-only") == "Ada|take it\n\nwhy\n\n\na.txt"
    assert git(worked, "status", "--porcelain") == "A  mine.txt"
    as_json = paddock("apply", "--yes", "--json", "--commit", "-m", "next", "pending.txt", cwd=worked)
    assert json.loads(as_json.stdout)["commit"] == git(worked, "rev-parse", "HEAD")


def test_a_commit_that_cannot_be_made_applies_nothing(worked: Path, paddock: Paddock) -> None:
    git(worked, "config", "--unset", "user.email")
    refused = paddock("apply", "--yes", "--commit", "-m", "x", "a.txt", cwd=worked)
    assert (refused.returncode, refused.stderr.count("nothing was applied")) == (1, 1)
    assert "git does not know who you are" in refused.stderr
    assert (worked / "a.txt").read_text() == "one\n"
    shutil.rmtree(worked / ".git")
    for words in (["--commits"], ["--commit", "-m", "x"]):
        refused = paddock("apply", "--yes", *words, cwd=worked)
        assert (refused.returncode, "is not the top of a git repository" in refused.stderr) == (1, True)


CONTRADICTIONS = {
    ("--branch", "x"): "add --commits",
    ("--commit",): "give both, or neither",
    ("-m", "x"): "give both, or neither",
    ("--commits", "--commit", "-m", "x"): "--commits does not go with --commit and --message",
    ("--commits", "--json"): "--commits does not go with --json",
    ("--commits", "--hunks", "a:1"): "--commits does not go with --hunks",
    ("--watch", "--commits"): "does not go with",
    ("--watch", "--deletions", "3"): "--watch does not go with --deletions",
}


@pytest.mark.parametrize("words", CONTRADICTIONS)
def test_options_that_contradict_each_other_are_a_misuse(words: tuple[str, ...], paddock: Paddock) -> None:
    refused = paddock("apply", *words)
    assert (refused.returncode, CONTRADICTIONS[words] in refused.stderr) == (2, True)


def test_a33_2_commits_leave_from_a_linked_work_tree_and_from_a_submodule(
    repository: Path, paddock: Paddock, tmp_path: Path
) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "work")
    git(tmp_path, "init", "-q", "-b", "main", "super")
    add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q"]
    git(tmp_path / "super", *add, str(repository), "inner")
    for tree, home in ((tmp_path / "linked", repository), (tmp_path / "super" / "inner", tmp_path / "super" / "inner")):
        head = git(tree, "rev-parse", "HEAD")
        work = "echo two >> a.txt; git commit -qam inside"
        assert paddock("exec", "--apply", "never", "--", "bash", "-ec", work, cwd=tree).returncode == 0
        done = paddock("apply", "--commits", "--yes", "--branch", "from/agent", cwd=tree)
        assert (done.returncode, "1 commit on the new branch from/agent" in done.stdout) == (0, True), done.stderr
        assert git(home, "rev-parse", "from/agent~1") == head
        assert git(tree, "status", "--porcelain") == ""


def test_commits_do_not_go_where_a_strangers_checkout_points(
    repository: Path, paddock: Paddock, tmp_path: Path
) -> None:
    stranger = tmp_path / "download"
    stranger.mkdir()
    (stranger / ".git").write_text(f"gitdir: {repository}/.git\n")
    fake = "rm .git; git init -q; git commit -q --allow-empty -m evil"
    done = paddock("exec", "--apply", "never", "--", "bash", "-ec", fake, cwd=stranger)
    assert (done.returncode, "does not name this checkout" in done.stderr) == (0, True), done.stderr
    refused = paddock("apply", "--commits", "--yes", cwd=stranger)
    assert (refused.returncode, "no commits can go there" in refused.stderr) == (1, True)
    assert git(repository, "branch", "--format=%(refname:short)") == "main"
