"""Which settings files there are, and all their rules as one policy.

The repository's own files are read once for a session, as they were before anything of that session was applied: what
an agent writes into them, and a person lets pass, has no say about the rest of what this agent did.
"""

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs
import pydantic

from runtime.permissions.errors import SettingsError
from runtime.permissions.policy import Policy, counts
from runtime.permissions.rules import Rule, Scope, Source
from runtime.permissions.settings import Document, Loaded, Surroundings, load, read_file, read_regular
from sandbox.errors import CheckoutRefused, SessionNotFound
from sandbox.gate.host import opened, opened_checkout
from sandbox.gate.syscalls import FILE
from sandbox.sessions import Session, read_record, write_record

MANAGED: Final = Path("/etc/claude-code")
FOLDER: Final = b".claude"
OF_PROJECT: Final[Mapping[Scope, bytes]] = {"local": b"settings.local.json", "project": b"settings.json"}


@dataclass(frozen=True)
class Files:
    """Where the user's own settings are. `own` is the file that is Paddock's alone; `given` is a file or its JSON."""

    home: Path
    own: Path
    given: str = ""
    managed: Path = MANAGED


def own_files() -> Files:
    """Where this user's files are, for a script; the command line reads its own environment."""
    return Files(home=Path.home(), own=platformdirs.user_config_path("paddock") / "settings.json")


class _Kept(pydantic.BaseModel):
    """One of the repository's files, as it was: its bytes in hex, or why there is no reading it."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    content: str = ""
    problem: str = ""


class _Repository(pydantic.BaseModel):
    """What a session keeps of the repository's settings; files that were not there are not here."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    files: dict[Scope, _Kept]


def policy_for(checkout: Path, files: Files, session: Session | None = None) -> Policy:
    """All rules for a checkout, and for a session of it as it began. Raises SettingsError.

    A file of the repository that cannot be read is left out and said so; any other that cannot is an error.
    """
    around = Surroundings(os.path.realpath(files.home), str(checkout))
    rules: list[Rule] = []
    notices: list[str] = []
    for found in _all(files, around, _repository(checkout, session)):
        rules += found.rules
        notices += found.notices
    ignored = [rule for rule in rules if rule.is_on_effects and not counts(rule)]
    notices += [f"{rule.where}: allow {rule.text} is ignored: a repository cannot allow itself" for rule in ignored]
    return Policy(str(checkout), tuple(rules), tuple(notices))


def documents(checkout: Path, files: Files, session: Session | None = None) -> Sequence[Document]:
    """The settings files for a checkout that can be read, those with the most say first. Raises like `policy_for`."""
    around = Surroundings(os.path.realpath(files.home), str(checkout))
    found = _all(files, around, _repository(checkout, session))
    return [one.document for one in found if one.document is not None]


def check(name: str, checkout: Path, home: Path) -> Loaded:
    """What one settings file says, read as the user's own. Raises SettingsError, also if there is none."""
    around = Surroundings(os.path.realpath(home), str(checkout))
    data = read_file(name)
    if data is None:
        raise SettingsError(f"there is no settings file {name}")
    folder = os.path.dirname(os.path.realpath(name))
    root = str(checkout) if folder == str(checkout / os.fsdecode(FOLDER)) else folder
    return load(data, Source("user", name, root), around)


def _all(files: Files, around: Surroundings, repository: _Repository) -> Iterator[Loaded]:
    """Every file that there is, those with the most say first."""
    yield from _from_paths("managed", _managed(files.managed), around)
    if files.given.lstrip().startswith("{"):
        yield load(files.given.encode(), Source("command line", "--settings", around.checkout), around)
    elif files.given:
        yield check(files.given, Path(around.checkout), Path(around.home))
    for scope in OF_PROJECT:
        kept = repository.files.get(scope)
        if kept is not None:
            yield _of_repository(scope, kept, around)
    yield from _from_paths("user", [files.home / ".claude" / "settings.json"], around)
    yield from _from_paths("paddock", [files.own], around)


def _from_paths(scope: Scope, paths: Sequence[Path], around: Surroundings) -> Iterator[Loaded]:
    for path in paths:
        data = read_file(str(path))
        if data is not None:
            yield load(data, Source(scope, str(path), os.path.realpath(path.parent)), around)


def _managed(folder: Path) -> Sequence[Path]:
    """The administrator's file, then what is dropped in beside it, by name. Raises SettingsError."""
    dropped_in = folder / "managed-settings.d"
    try:
        names = sorted(os.listdir(dropped_in))
    except FileNotFoundError:
        names = []
    except OSError as error:  # rules that cannot be seen must not be taken for none
        raise SettingsError(f"{dropped_in} cannot be read: {error.strerror}") from error
    return [folder / "managed-settings.json", *(dropped_in / name for name in names if name.endswith(".json"))]


def _of_repository(scope: Scope, kept: _Kept, around: Surroundings) -> Loaded:
    name = os.fsdecode(FOLDER + b"/" + OF_PROJECT[scope])
    if kept.problem:
        return Loaded(notices=(f"{name} {kept.problem}; the whole file is left out",))
    try:
        return load(bytes.fromhex(kept.content), Source(scope, name, around.checkout), around)
    except SettingsError as error:
        return Loaded(notices=(f"{error}; the whole file is left out",))


def _repository(checkout: Path, session: Session | None) -> _Repository:
    """The repository's files: those the session began with, or if it has kept none yet, those of now, kept for it."""
    if session is None:
        return _look(checkout)
    path = session.path / "settings.json"
    with contextlib.suppress(SessionNotFound):
        return read_record(path, _Repository)
    found = _look(checkout)
    with contextlib.suppress(OSError):  # the disk is full: the next command looks again
        write_record(path, found)
    return found


def _look(checkout: Path) -> _Repository:
    """What lies in the checkout now, read through no link: a repository may hold anything under these names."""
    files: dict[Scope, _Kept] = {}
    try:
        with opened_checkout(checkout) as root, opened(root, FOLDER) as folder:
            for scope, name in OF_PROJECT.items():
                with contextlib.suppress(FileNotFoundError):
                    files[scope] = _keep(name, folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        files["project"] = _Kept(problem=f"cannot be read: {error.strerror}")
    except CheckoutRefused:  # it is gone: nothing can be applied to it either
        pass
    return _Repository(files=files)


def _keep(name: bytes, folder: int) -> _Kept:
    """Raises FileNotFoundError."""
    try:
        descriptor = os.open(name, FILE, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        return _Kept(problem="is a link" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}")
    content = read_regular(descriptor)
    return _Kept(problem="is not a regular file") if content is None else _Kept(content=content.hex())
