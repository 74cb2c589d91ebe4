"""What git needs of a checkout and has elsewhere: found by reading git's files ourselves, since git runs what they say.

A checkout may be a download that names any folder. So what lies outside is only taken if it names the checkout itself:
that is written where no download can write. Nothing above the home folder is looked at.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.checkout import checked
from sandbox.errors import CheckoutRefused
from sandbox.escape import escape
from sandbox.gate.syscalls import FILE

_LARGEST = 1024 * 1024
_DEEPEST = 5  # borrowers of borrowers: git's own limit
_SECTION = re.compile(r"\[\s*([\w.-]+)\s*\]\s*(.*)")
_SETTING = re.compile(r"([A-Za-z][\w-]*)\s*=\s*(.*)")


@dataclass(frozen=True)
class GitFolder:
    """A folder outside the checkout that is seen inside, under its own path.

    `index` is the path in it of this work tree's index, empty if it has none; `prefix` is where the checkout lies in
    that work tree, empty if it is all of it.
    """

    path: Path
    index: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class Outside:
    """All of them, and why git will not find what it needs, each with what to do."""

    folders: tuple[GitFolder, ...] = ()
    notices: tuple[str, ...] = ()


class _Stays(Exception):
    """Something is not taken; the text says why, and what to do."""


def outside(checkout: Path) -> Outside:
    """What a checkout's git needs of other folders of this user. Nothing is started, and nothing is believed."""
    folders: list[GitFolder] = []
    notices: list[str] = []
    try:
        folders.append(_folder_of(checkout))
        source = folders[0].path / "objects"
    except _Inside:
        source = checkout / ".git" / "objects"
    except _Stays as problem:
        return Outside(notices=(str(problem),) if str(problem) else ())
    for found in _borrowed(source, checkout):
        if isinstance(found, str):
            notices.append(found)
        elif not any(found == one.path or one.path in found.parents for one in folders):
            folders.append(GitFolder(found))
    return Outside(tuple(folders), tuple(notices))


class _Inside(Exception):
    """All of it lies in the checkout."""


def _folder_of(checkout: Path) -> GitFolder:
    entry = checkout / ".git"
    try:
        facts = entry.lstat()
    except OSError:
        return _above(checkout)
    if stat.S_ISDIR(facts.st_mode):
        raise _Inside
    if stat.S_ISLNK(facts.st_mode):
        folder = _usable(Path(os.path.normpath(checkout / os.readlink(entry))))
    else:
        text = _text(entry)
        if not text.startswith("gitdir: "):
            raise _Stays("")
        folder = _usable(Path(os.path.normpath(checkout / text.removeprefix("gitdir: ").rstrip("\n"))))
    if checkout in folder.parents:
        raise _Inside
    if (folder / "commondir").exists():
        return _linked(checkout, folder)
    work_tree = _setting(folder, "core", "worktree")
    if work_tree is None or Path(os.path.normpath(folder / work_tree)) != checkout:
        raise _Stays(
            f"git finds no repository inside: {_shown(folder)} does not name this checkout as its work tree; if it is "
            f"yours, `git config core.worktree {_shown(checkout)}` in the checkout"
        )
    _require_repository(folder)
    return GitFolder(folder, "index")


def _linked(checkout: Path, folder: Path) -> GitFolder:
    """A linked work tree: the repository keeps which `.git` file belongs to it."""
    common = _usable(Path(os.path.normpath(folder / _text(folder / "commondir").rstrip("\n"))))
    back = Path(os.path.normpath(folder / _text(folder / "gitdir").rstrip("\n")))
    if folder.parent != common / "worktrees" or back != checkout / ".git":
        raise _Stays(
            f"git finds no repository inside: {_shown(common)} does not know this work tree; "
            "`git worktree repair` in it mends that"
        )
    _require_repository(common)
    return GitFolder(common, f"worktrees/{folder.name}/index")


def _above(checkout: Path) -> GitFolder:
    """The repository that the checkout is a folder of, if there is one below the home folder."""
    home = Path.home().resolve()
    for top in checkout.parents:
        if top == home or top in home.parents or len(top.parts) < 2:
            break
        entry = top / ".git"
        if not os.path.lexists(entry):
            continue
        if entry.is_symlink() or not entry.is_dir():
            raise _Stays(f"git finds no repository inside: start in {_shown(top)} instead, a work tree of its own kind")
        folder = _usable(entry)
        _require_repository(folder)
        return GitFolder(folder, "index", str(checkout.relative_to(top)))
    raise _Stays("")


def _borrowed(objects: Path, checkout: Path, depth: int = 0) -> Iterator[Path | str]:
    """The object folders that one borrows from, and the reasons why one is not taken."""
    try:
        lines = _text(objects / "info" / "alternates").splitlines()
    except _Stays:
        return
    for line in lines:
        if not line or line.startswith("#") or depth >= _DEEPEST:
            continue
        try:
            lender = _lender(objects, line, checkout)
        except _Stays as problem:
            yield str(problem)
            continue
        if checkout not in lender.parents:
            yield lender
            yield from _borrowed(lender, checkout, depth + 1)


def _lender(objects: Path, line: str, checkout: Path) -> Path:
    """One that is named in a list of object folders, which may be a stranger's: so it has to say that it lends."""
    folder = _usable(Path(os.path.normpath(objects / line)))
    if folder.name != "objects":
        raise _Stays(f"git lacks objects inside: {_shown(folder)} is no folder of them")
    borrowers = {str(checkout), str(objects.parent)}
    if checkout not in folder.parents and not borrowers & set(_settings(folder.parent, "paddock", "lendsto")):
        lender, borrower = _shown(folder.parent), _shown(objects.parent)
        raise _Stays(
            f"git lacks objects inside: {borrower} borrows them from {lender}; to let it, "
            f"`git --git-dir {lender} config --add paddock.lendsTo {borrower}`"
        )
    return folder


def _usable(folder: Path) -> Path:
    """A folder of the user's that can be mounted under this very path."""
    try:
        real = checked(folder)
        facts = real.stat()
    except (CheckoutRefused, OSError) as error:
        raise _Stays(f"git finds no repository inside: {error}") from error
    if real != folder:
        raise _Stays(f"git finds no repository inside: the way to {_shown(folder)} leads through a link")
    if facts.st_uid != os.geteuid():
        raise _Stays(f"git finds no repository inside: {_shown(folder)} belongs to another user")
    return folder


def _require_repository(folder: Path) -> None:
    is_one = (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
    if not is_one:
        raise _Stays(f"git finds no repository inside: {_shown(folder)} is none")


def _setting(folder: Path, section: str, name: str) -> str | None:
    found = list(_settings(folder, section, name))
    return found[-1] if found else None


def _settings(folder: Path, section: str, name: str) -> list[str]:
    """The values of a setting in a repository's own file; a form that is rarely written is not understood."""
    found: list[str] = []
    current = ""
    try:
        text = _text(folder / "config")
    except _Stays:
        return found
    for line in map(str.strip, text.splitlines()):
        rest = line
        if line.startswith("["):
            match = _SECTION.fullmatch(line)
            current, rest = (match[1].lower(), match[2]) if match else ("", "")
        setting = _SETTING.fullmatch(rest)
        if setting and (current, setting[1].lower()) == (section, name):
            found.append(setting[2].strip('"').replace('\\"', '"').replace("\\\\", "\\"))
    return found


def _text(path: Path) -> str:
    try:
        descriptor = os.open(path, FILE)
    except OSError as error:
        raise _Stays(f"git finds no repository inside: {_shown(path)} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST:
            raise _Stays(f"git finds no repository inside: {_shown(path)} is not what git writes")
        return os.fsdecode(file.read())


def _shown(path: Path) -> str:
    return escape(os.fsencode(path))
