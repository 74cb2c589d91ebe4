"""The last step out: approved commits become one new branch of the user's repository; nothing else in it changes."""

from collections.abc import Collection
from dataclasses import dataclass

from sandbox.commits.branches import HEADS, first_free, name_problem, taken
from sandbox.commits.look import Brought
from sandbox.commits.quarantine import Quarantine
from sandbox.commits.repository import Repository
from sandbox.errors import CommitRefused
from sandbox.escape import escape

PREFIX = "paddock/"


@dataclass(frozen=True)
class Taken:
    """The branch that now names the commits."""

    branch: str
    commits: int


def branch_for(repository: Repository, session: str, asked: str) -> str:
    """The name of the branch to make: the one asked for, or one of ours that is still free.

    Raises CommitRefused if the name asked for is none, or is in use.
    """
    branches = repository.branches()
    if not asked:
        return first_free(f"{PREFIX}{session[:8]}", branches)
    _require_free(asked, branches)
    return asked


def take(quarantined: Quarantine, brought: Brought, branch: str, known: Collection[str]) -> Taken:
    """Copy the objects, then make the branch, which must not exist: HEAD, index, stash and settings stay as they are.

    Raises CommitRefused; then at most objects were added that nothing names, which git sweeps in its own time.
    """
    repository = quarantined.repository
    _require_free(branch, repository.branches())
    quarantined.hand_over(brought.tip, sorted(known))
    answer = repository.git().ask(
        "update-ref",
        "--no-deref",
        "-m",
        "paddock: commits made in a sandbox",
        "--stdin",
        stdin=f"create {HEADS}{branch} {brought.tip}\n".encode(),
    )
    if answer.code != 0:
        raise CommitRefused(f"the branch {escape(branch)} could not be made: {answer.told}")
    return Taken(branch, len(brought.commits))


def _require_free(branch: str, branches: Collection[str]) -> None:
    problem = name_problem(branch)
    if problem:
        raise CommitRefused(f"no branch can be called {escape(branch)}: {problem}")
    there = taken(branch, branches)
    if there is not None:
        raise CommitRefused(
            f"the branch {escape(there)} is there already, and no branch is ever changed: name another with --branch"
        )
