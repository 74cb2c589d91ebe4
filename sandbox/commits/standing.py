"""Whether a repository is in a state in which a commit of some files means what its user thinks."""

import os
import unicodedata
from collections.abc import Mapping, Sequence

from sandbox.changes import Change
from sandbox.commits.index import SUBMODULE, Entry, Index
from sandbox.commits.repository import Repository
from sandbox.errors import CommitRefused
from sandbox.escape import escape
from sandbox.gate.folders import above

IN_PROGRESS: Mapping[str, str] = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "sequencer": "a sequence of commits",
}


def require_ready(repository: Repository, changes: Sequence[Change]) -> None:
    """Raise CommitRefused where something is in the way of a commit of these changes, whatever is in them."""
    for name, what in IN_PROGRESS.items():
        if os.path.lexists(repository.folder / name):
            raise CommitRefused(f"{what} is in progress in {repository.checkout}: finish it first")
    if os.path.lexists(repository.folder / "index.lock"):
        raise CommitRefused(
            f"another git is at work in {repository.checkout} ({repository.folder / 'index.lock'} is there): "
            "wait for it, or remove that file if it crashed"
        )
    for change in changes:
        if change.ignored:
            raise CommitRefused(
                f"{escape(change.path)} is ignored by git: leave it out of the commit, or add it by hand"
            )
        inner = next((one for one in above(change.path) if _is_repository(repository, one)), None)
        if inner is not None:
            raise CommitRefused(
                f"{escape(change.path)} is in the repository of its own at {escape(inner)}: commit it there"
            )


def require_unstaged(rows: Mapping[bytes, Entry | None], head: Index, staged: Index) -> None:
    """Raise CommitRefused unless the user's index says of these paths what HEAD says, or what the commit will."""
    if staged.unmerged:
        shown = escape(min(staged.unmerged))
        raise CommitRefused(f"{shown} has a conflict that is not resolved: resolve it first")
    for path, entry in rows.items():
        if path in staged.unwatched:
            raise CommitRefused(
                f"{escape(path)} is one that git was told not to look at (sparse checkout, assume-unchanged): "
                "undo that, or commit by hand"
            )
        if staged.entries.get(path) not in (head.entries.get(path), entry):
            raise CommitRefused(f"you have staged something else for {escape(path)}: commit or unstage it")
    added = [path for path, entry in rows.items() if entry is not None]
    folders = {folder for path in staged.entries for folder in above(path)}
    for path in added:
        for one in (*above(path), *(staged.below(path) if path in folders else ())):
            if one in staged.entries and one not in rows:
                what = "a submodule" if staged.entries[one].mode == SUBMODULE else "something that git has"
                raise CommitRefused(f"{escape(path)} would take the place of {what}, {escape(one)}")


def require_one_spelling(repository: Repository, rows: Mapping[bytes, Entry | None], staged: Index) -> None:
    """Raise CommitRefused if a path is new to git only by its case, where the file system makes no difference of it."""
    asked = repository.git().ask("config", "--type=bool", "--get", "core.ignoreCase")
    if asked.output.strip() != b"true":
        return
    spelled = {_folded(path): path for path in staged.entries if rows.get(path, True) is not None}
    for path, entry in rows.items():
        there = spelled.get(_folded(path), path)
        if entry is not None and there != path:
            raise CommitRefused(
                f"{escape(path)} is {escape(there)} to git, which has it in another spelling: use that one"
            )


def _folded(path: bytes) -> str:
    return unicodedata.normalize("NFC", path.decode("utf-8", "surrogateescape").casefold())


def _is_repository(repository: Repository, folder: bytes) -> bool:
    return os.path.lexists(os.path.join(os.fsencode(repository.checkout), folder, b".git"))
