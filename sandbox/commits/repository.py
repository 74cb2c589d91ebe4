"""The user's repository, found without asking git: where its parts lie, and what its references are.

Only a `.git` in the checkout's own root counts. That may be a folder, or a file that names one: a linked work tree's or
a submodule's. Nothing above the checkout is searched: that is not what the session is about.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.commits.branches import HEADS
from sandbox.commits.hostgit import Git
from sandbox.errors import CommitRefused
from sandbox.workspace.gitfinding import outside

Format = str
"""`sha1` or `sha256`."""

LENGTHS: Mapping[Format, int] = {"sha1": 40, "sha256": 64}
_NO_SUCH_KEY = 1
_SMALL = 1024 * 1024  # bytes of a file that says where something is


@dataclass(frozen=True)
class Repository:
    """Where a checkout's repository is. `folder` is this work tree's own, `common` what all its work trees share."""

    checkout: Path
    folder: Path
    common: Path
    format: Format

    @property
    def objects(self) -> Path:
        """Where its objects lie."""
        return self.common / "objects"

    @property
    def is_apart(self) -> bool:
        """Whether its data lie elsewhere than in the checkout."""
        return self.common != self.checkout / ".git"

    @property
    def nothing(self) -> str:
        """The name that no object has: "there was none"."""
        return "0" * LENGTHS[self.format]

    def git(self) -> Git:
        """Git in it, on no work tree."""
        return Git(self.folder)

    def on_tree(self) -> Git:
        """Git in it, with its index and its work tree."""
        return Git(self.folder, {"GIT_WORK_TREE": str(self.checkout)})

    def references(self) -> Mapping[str, str]:
        """Every reference, by name, with the object it names; `HEAD` among them unless nothing is committed there."""
        listed = self.git().read("for-each-ref", "--format=%(objectname) %(refname)")
        found = {}
        for row in listed.splitlines():
            object_id, _, name = row.decode("utf-8", "surrogateescape").partition(" ")
            found[name] = object_id
        head = self.head()
        return {**found, "HEAD": head} if head else found

    def branches(self) -> frozenset[str]:
        """The names of its branches."""
        return frozenset(name.removeprefix(HEADS) for name in self.references() if name.startswith(HEADS))

    def head(self) -> str | None:
        """The commit that is checked out; None on a branch that has none yet."""
        answer = self.git().ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return answer.output.decode("ascii").strip() if answer.code == 0 else None


def require_seen(repository: Repository) -> None:
    """Raise CommitRefused unless what lies outside the checkout names it back: a download's `.git` may name any folder.

    Otherwise it is not seen in a sandbox either (`sandbox.workspace.gitfinding`), so no commit can be one for it.
    """
    found = outside(repository.checkout)
    if repository.is_apart and not found.folders:
        why = found.notices[0] if found.notices else f"{repository.common} does not name this checkout"
        raise CommitRefused(f"no commits can go there: {why}")


def find(checkout: Path) -> Repository:
    """The repository of a checkout. Raises CommitRefused if there is none, or one we do not know how to use."""
    folder = _git_folder(checkout)
    common = folder
    pointer = folder / "commondir"
    if pointer.exists():
        common = Path(os.path.normpath(folder / _one_line(pointer)))
    if not (folder / "HEAD").exists() or not (common / "objects").is_dir() or not (common / "refs").is_dir():
        raise CommitRefused(f"{folder} is no git repository: there is nothing that a commit could go into")
    return Repository(checkout, folder, common, _format_of(common))


def _git_folder(checkout: Path) -> Path:
    entry = checkout / ".git"
    try:
        facts = entry.stat()
    except OSError as error:
        raise CommitRefused(
            f"{checkout} is not the top of a git repository, so there is nothing that a commit could go into"
        ) from error
    if stat.S_ISDIR(facts.st_mode):
        return entry
    text = _one_line(entry)
    if not text.startswith("gitdir: "):
        raise CommitRefused(f"{entry} does not say where the repository is")
    return Path(os.path.normpath(checkout / text.removeprefix("gitdir: ")))


def _one_line(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CommitRefused(f"{path} cannot be read ({error.strerror}), and it says where the repository is") from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _SMALL:
            raise CommitRefused(f"{path} does not say where the repository is")
        return os.fsdecode(file.read()).rstrip("\n")


def _format_of(common: Path) -> Format:
    """How its objects are named; read from its own settings as a plain file, so that nothing else in them counts."""
    answer = Git(common).ask("config", "--file", str(common / "config"), "--no-includes", "extensions.objectformat")
    if answer.code not in (0, _NO_SUCH_KEY):
        raise CommitRefused(f"git cannot use {common}: {answer.told}")
    found = answer.output.decode("utf-8", "replace").strip().lower() or "sha1"
    if found not in LENGTHS:
        raise CommitRefused(f"{common} names its objects by {found!r}, which paddock does not know")
    return found


def is_object_id(text: str, form: Format) -> bool:
    """Whether this is the whole name of an object."""
    return re.fullmatch(r"[0-9a-f]+", text) is not None and len(text) == LENGTHS[form]
