"""Killed after any of git's calls: the repository is whole, and all other work is as it was."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.commits.repositories import bundle, clone_inside, files_of, git, shell

ROOT = Path(__file__).parents[3]
REAL = shutil.which("git") or "git"
SHIM = """#!/bin/sh
number=$(($(cat {counter} 2>/dev/null || echo 0) + 1)); echo $number > {counter}
{real} "$@"; code=$?
[ $number = {at} ] && kill -9 $PPID
exit $code
"""
COMMIT = """
from pathlib import Path
import sys
from sandbox.changes import Change
from tests.sandbox.commits.test_making import commit
from sandbox.gate.blobs import Blobs
checkout, session = Path(sys.argv[1]), Path(sys.argv[2])
blobs = Blobs(session / "blobs")
commit(checkout, blobs, [Change(b"a.txt", blobs.put(b"two\\n"), blobs.put(b"three\\n"))])
"""
IMPORT = """
from pathlib import Path
import sys
from tests.sandbox.commits.test_taking import bring
bring(Path(sys.argv[2]), Path(sys.argv[1]), Path(sys.argv[3]))
"""
MOST = 60


def run(script: str, at: int, *argv: Path) -> int:
    """Run it with a git in front of git, that kills whoever called it; how it ended."""
    folder = argv[1] / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "counter").unlink(missing_ok=True)
    (folder / "git").write_text(SHIM.format(counter=folder / "counter", real=REAL, at=at))
    (folder / "git").chmod(0o755)
    variables = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    variables |= {"PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run([sys.executable, "-c", script, *map(str, argv)], env=variables, capture_output=True, cwd=ROOT)
    assert done.returncode in (0, -9), done.stderr.decode()
    return done.returncode


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_commit_cut_short_anywhere_leaves_all_other_work(template: Path, tmp_path: Path) -> None:
    ends = set()
    for at in range(1, MOST):
        checkout, session = clone_inside(template, tmp_path / f"c{at}"), tmp_path / f"s{at}"
        (session / "blobs").mkdir(parents=True)
        (checkout / "a.txt").write_text("three\n")
        old, staged = git(checkout, "rev-parse", "HEAD"), git(checkout, "diff", "--cached", "--", "other.txt")
        code = run(COMMIT, at, checkout, session)
        head = git(checkout, "rev-parse", "HEAD")
        assert git(checkout, "fsck", "--strict", "--no-dangling") == ""
        assert git(checkout, "diff", "--cached", "--", "other.txt") == staged
        assert git(checkout, "rev-parse", "stash@{0}") == git(template, "rev-parse", "stash@{0}")
        assert (checkout / "a.txt").read_text() == "three\n"
        ends.add((code, head != old, "a.txt" in git(checkout, "status", "--porcelain")))
        if head == old:
            assert run(COMMIT, 0, checkout, session) == 0
        assert git(checkout, "show", "--format=", "--name-only") == "a.txt"
        if code == 0:
            break
    assert ends == {(-9, False, True), (-9, True, True), (-9, True, False), (0, True, False)}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_import_cut_short_anywhere_leaves_a_whole_branch_or_none(
    template: Path, tmp_path: Path, inside: Path
) -> None:
    shell(inside, "git add untracked.txt; git commit -qm three")
    packed = bundle(inside, tmp_path / "b", template)
    made = set()
    for at in range(1, MOST):
        checkout, session = clone_inside(template, tmp_path / f"c{at}"), tmp_path / f"s{at}"
        (session / "blobs").mkdir(parents=True)
        before = files_of(checkout)
        code = run(IMPORT, at, checkout, session, packed)
        assert {name: text for name, text in files_of(checkout).items() if name in before} == before
        assert git(checkout, "fsck", "--strict", "--no-dangling") == ""
        branches = git(checkout, "branch", "--format=%(refname:short) %(objectname)").split("\n")[1:]
        assert branches in ([], [f"paddock/abcdef01 {git(inside, 'rev-parse', 'HEAD')}"])
        made.add((code, bool(branches)))
        if code == 0:
            break
    assert made == {(-9, False), (-9, True), (0, True)}
