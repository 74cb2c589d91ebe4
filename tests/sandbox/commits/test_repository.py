"""The user's repository is found by its files, whatever they are; and git on it is held within bounds."""

import os
from pathlib import Path

import pytest

from sandbox.commits.hostgit import NEUTRAL, SAFE_SETTINGS, Git, as_person
from sandbox.commits.identity import PASSED_ON
from sandbox.commits.quarantine import quarantine
from sandbox.commits.repository import find
from sandbox.errors import CommitRefused
from tests.sandbox.commits.repositories import git

NOT_ONE = {
    "rm -rf .git": "not the top of a git repository",
    "rm -rf .git; ln -s nowhere .git": "not the top of a git repository",
    "rm -rf .git; mkfifo .git": "does not say where",
    "rm -rf .git; echo nonsense > .git": "does not say where",
    "rm -rf .git; truncate -s 8T .git": "does not say where",
    "rm -rf .git; echo 'gitdir: /nowhere' > .git": "is no git repository",
    "rm -rf .git/objects": "is no git repository",
    "mkfifo .git/commondir": "does not say where",
    "git config core.repositoryFormatVersion 1; git config extensions.objectFormat md5": "git cannot use",
}


@pytest.mark.parametrize("script", NOT_ONE)
def test_what_is_no_repository_is_said_to_be_none(script: str, repository: Path) -> None:
    os.system(f"cd {repository}; {script}")
    with pytest.raises(CommitRefused, match=NOT_ONE[script]):
        find(repository)


def test_a_folder_below_a_repository_is_none(repository: Path) -> None:
    with pytest.raises(CommitRefused, match="not the top"):
        find(repository / "src")


def test_a_repository_is_found_with_all_its_references(repository: Path) -> None:
    found = find(repository)
    assert (found.folder, found.format, found.is_apart) == (repository / ".git", "sha1", False)
    assert found.references()["HEAD"] == found.references()["refs/heads/main"] == git(repository, "rev-parse", "HEAD")
    assert {"refs/tags/v1", "refs/stash"} <= found.references().keys()
    assert found.branches() == {"main"}


def test_no_variable_of_the_host_reaches_git_but_those_of_the_user() -> None:
    hostile = {"GIT_DIR": "/x", "GIT_SSH_COMMAND": "x", "GIT_EXTERNAL_DIFF": "x", "LD_PRELOAD": "x", "HOME": "/home/u"}
    allowed = {name: value for name, value in hostile.items() if name in PASSED_ON}
    assert as_person(allowed).keys() & hostile.keys() == {"HOME"}
    assert NEUTRAL["GIT_ALLOW_PROTOCOL"] == ""
    assert SAFE_SETTINGS["core.hooksPath"] == os.devnull


def test_a_leftover_of_a_killed_process_is_no_obstacle(repository: Path, session: Path) -> None:
    (session / "quarantine" / "objects").mkdir(parents=True)
    (session / "quarantine" / "config").write_text("[core]\n\tbare = nonsense\n")
    with quarantine(session, find(repository)) as quarantined:
        assert quarantined.git.line("config", "transfer.fsckObjects") == "true"
        assert quarantined.kind(git(repository, "rev-parse", "HEAD")) == "commit"
    assert not (session / "quarantine").exists()


def test_a_git_that_fails_is_told_in_its_own_words(repository: Path) -> None:
    with pytest.raises(CommitRefused, match=r"git cat-file failed: Not a valid object name \\u202enone"):
        Git(repository / ".git").read("cat-file", "-p", "\u202enone")
