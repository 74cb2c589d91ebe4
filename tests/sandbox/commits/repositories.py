"""Real repositories for tests of commits: made by git itself, with everything a stranger could put in one."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sandbox.commits.bundle import ASKED

AUTHOR = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(folder: Path, *argv: str, stdin: bytes = b"") -> str:
    """What git prints in a folder; a failing command fails the test."""
    done = subprocess.run(["git", *argv], cwd=folder, env=AUTHOR, input=stdin, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def shell(folder: Path, script: str) -> None:
    """Run a script there."""
    done = subprocess.run(["bash", "-ec", script], cwd=folder, env=AUTHOR, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def make_repository(folder: Path, *options: str) -> Path:
    """A repository with two commits and work in every state: staged, not staged, stashed, untracked."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    shell(
        folder,
        """
        git config user.name Ada; git config user.email ada@example.org
        echo one > a.txt; echo x > other.txt; mkdir src; echo m > src/main.py; git add .; git commit -qm first
        echo two > a.txt; git commit -qam second; git tag v1
        echo wip > a.txt; git stash -q
        echo staged >> other.txt; git add other.txt; echo unstaged >> other.txt; echo new > untracked.txt
        """,
    )
    return folder


def clone_inside(repository: Path, folder: Path) -> Path:
    """What a sandbox has of a repository: all of it."""
    subprocess.run(["cp", "-a", str(repository), str(folder)], check=True)
    return folder


def bundle(inside: Path, into: Path, repository: Path) -> Path:
    """The bundle an honest sandbox gives: what HEAD there has beyond every reference of the repository."""
    known = git(repository, "for-each-ref", "--format=^%(objectname)")
    git(inside, "bundle", "create", str(into), "--stdin", ASKED, stdin=known.encode() + b"\n")
    return into


def files_of(folder: Path) -> Mapping[str, str]:
    """Every file below a folder, with its mode and content hashed; times do not count."""
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top, name)
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(folder))] = f"{path.lstat().st_mode:o} {hashlib.sha256(content).hexdigest()}"
    return found
