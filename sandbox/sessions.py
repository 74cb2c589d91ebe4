"""The folder one session keeps on the host: where it is, what lies in it, who holds it.

$XDG_STATE_HOME/paddock/sessions/ID/     0700, never inside a mount, never in the checkout
    meta.json          what the session is: enough to make its sandbox again
    transcript.jsonl   the conversation (runtime.transcript)
    blobs/             contents by SHA-256 (sandbox.gate.blobs)
    outputs/           full outputs of tool calls
    manifest           facts of the checkout's files at the start (sandbox.gate.manifest)
    provenance.jsonl   which call changed what (sandbox.gate.notes)
    approvals.jsonl    who approved what, and what became of it (sandbox.gate.approval)
    upper/ work/       the overlay's own: what the sandbox wrote
    hidden.json        what of the checkout is not seen inside (sandbox.hiding)
    mask/              the layer that hides it
    workspace.json     what the workspace lies on, and why (sandbox.workspace.base)
    frozen/            a copy of the checkout, if it lies on one (sandbox.workspace.frozen)
    git/               the same of git's folders outside the checkout (sandbox.workspace.gitfolders), in git.json
    base               a symbolic link to that or to the checkout, under a name every mount option can hold
    lock               held (flock) by the process that runs the session
    ports              the socket on which whoever runs the session answers about its ports (sandbox.doorway)
    pause              held by the process that has its container paused (sandbox.pausing)
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

import pydantic

from sandbox.choice import Choice
from sandbox.errors import OutOfSpace, SessionBusy, SessionNotFound, StateError

Record = TypeVar("Record", bound=pydantic.BaseModel)


class Meta(pydantic.BaseModel):
    """What `meta.json` holds. Unknown keys are refused: a file from a newer version is not half understood.

    `folder` is which folder the checkout was (`sandbox.checkout.identity`), by whatever path it is reached later.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    id: str
    kind: Literal["run", "chat", "exec", "shell"]
    title: str = ""
    checkout: str
    folder: str = ""
    created: datetime
    image: str
    image_name: str
    choice: Choice = Choice()
    uid: int
    gid: int
    model: str = ""
    finished: bool = False


@dataclass(frozen=True)
class Session:
    """One session's folder. Making the value touches nothing; `create` and `find` do."""

    path: Path

    @property
    def id(self) -> str:
        """The session's id, a UUID; the folder is named by it."""
        return self.path.name

    @property
    def transcript(self) -> Path:
        """The conversation."""
        return self.path / "transcript.jsonl"

    @property
    def blobs(self) -> Path:
        """Contents by digest."""
        return self.path / "blobs"

    @property
    def manifest(self) -> Path:
        """What the checkout looked like when the session began (sandbox.gate.manifest)."""
        return self.path / "manifest"

    @property
    def approvals(self) -> Path:
        """Who approved what, and what became of it (sandbox.gate.approval)."""
        return self.path / "approvals.jsonl"

    @property
    def outputs(self) -> Path:
        """Full outputs of tool calls, one file each."""
        return self.path / "outputs"

    @property
    def upper(self) -> Path:
        """What the sandbox wrote: hostile, read by directory descriptor only."""
        return self.path / "upper"

    @property
    def mask(self) -> Path:
        """The layer that hides secrets of the checkout."""
        return self.path / "mask"

    @property
    def work(self) -> Path:
        """The overlay's scratch folder."""
        return self.path / "work"

    @property
    def frozen(self) -> Path:
        """A copy of the checkout, if the workspace lies on one (sandbox.workspace.frozen)."""
        return self.path / "frozen"

    @property
    def git(self) -> Path:
        """The layers of git's folders outside the checkout (sandbox.workspace.gitfolders)."""
        return self.path / "git"

    @property
    def base(self) -> Path:
        """A link to what the workspace lies on, under a name that mount options can hold."""
        return self.path / "base"

    def meta(self) -> Meta:
        """What the session is. Raises StateError if the file is damaged or from another version."""
        return read_record(self.path / "meta.json", Meta)

    def save(self, meta: Meta) -> None:
        """Replace meta.json, at once or not at all."""
        write_record(self.path / "meta.json", meta)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one process that runs this session. Raises SessionBusy if another does."""
        with locked(self.path / "lock", busy=f"session {self.id[:8]} is in use"):
            yield

    def is_held(self) -> bool:
        """Whether a live process holds the session now."""
        try:
            with self.hold():
                return False
        except SessionBusy:
            return True

    def holder(self) -> int | None:
        """The process that holds the session, or was the last to do so; None if there was none."""
        try:
            pid = (self.path / "lock").read_bytes().strip()
        except OSError:
            return None
        return int(pid) if pid.isdigit() else None

    def is_held_elsewhere(self) -> bool:
        """Whether a live process that is not this one holds the session now."""
        return self.is_held() and self.holder() != os.getpid()


class Sessions:
    """All sessions under one state folder."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "sessions"

    def create(self, meta: Meta) -> Session:
        """Make a session's folders. Raises OutOfSpace."""
        session = Session(self.folder / meta.id)
        try:
            make_private(self.folder.parent, self.folder, session.path, session.blobs, session.outputs)
            session.save(meta)
        except OSError as error:
            shutil.rmtree(session.path, ignore_errors=True)
            raise OutOfSpace(f"cannot make a session under {self.folder}: {error.strerror}") from error
        return session

    def all(self) -> Sequence[Session]:
        """Every session folder, newest first. Raises StateError if the disk does not tell."""
        try:
            names = [entry.name for entry in os.scandir(self.folder) if entry.is_dir(follow_symlinks=False)]
            found = [Session(self.folder / name) for name in names if is_session_id(name)]
            return sorted(found, key=_age, reverse=True)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StateError(f"{self.folder} cannot be read: {error.strerror}") from error

    def find(self, prefix: str) -> Session:
        """The one session whose id starts with `prefix`. Raises SessionNotFound for none and for several."""
        found = [
            session for session in self.all() if re.fullmatch(r"[0-9a-f-]+", prefix) and session.id.startswith(prefix)
        ]
        match found:
            case [session]:
                return session
            case []:
                raise SessionNotFound(f"no session {prefix!r}: `paddock sessions list` shows them")
            case several:
                raise SessionNotFound(f"{prefix!r} names {len(several)} sessions: give more of the id")

    def newest(self, checkout: Path) -> Session:
        """The newest session of a checkout. Raises SessionNotFound if it has none."""
        for session in self.all():
            try:
                if session.meta().checkout == str(checkout):
                    return session
            except StateError:
                continue
        if (above := self._above(checkout)) is not None:
            where = above.meta().checkout
            raise SessionNotFound(f"{checkout} has no session of its own, but {where} above it has: add -C {where}")
        raise SessionNotFound(f"{checkout} has no session yet: `paddock run` starts one")

    def _above(self, checkout: Path) -> Session | None:
        """The newest session of a folder above."""
        parents = {str(parent) for parent in checkout.parents}
        for session in self.all():
            with contextlib.suppress(StateError):
                if session.meta().checkout in parents:
                    return session
        return None


def _age(session: Session) -> int:
    """When a session was last written about; 0 for one that is half removed."""
    try:
        return (session.path / "meta.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def new_id() -> str:
    """A fresh session id."""
    return str(uuid.uuid4())


def now() -> datetime:
    """The time, in UTC and to the millisecond, as records hold it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def is_session_id(name: str) -> bool:
    """Whether a folder's name is one of ours: anything else under `sessions/` is left alone."""
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name) is not None


def make_private(*folders: Path) -> None:
    """Make folders, 0700, parents first; one that exists keeps its mode."""
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_record(path: Path, record: pydantic.BaseModel) -> None:
    """Write a small JSON file, private, so that a reader finds the old one or the new one, also after a crash."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.partial")  # writers may meet
    data = json.dumps(record.model_dump(mode="json"), indent=1).encode() + b"\n"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def read_record(path: Path, shape: type[Record]) -> Record:
    """Read what `write_record` wrote. Raises StateError that names the file and what is wrong with it."""
    try:
        return shape.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise SessionNotFound(f"{path} is missing") from error
    except (OSError, pydantic.ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]
        raise StateError(f"{path} cannot be read: {reason}") from error


@contextlib.contextmanager
def locked(path: Path, *, busy: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel drops it with the process. Raises SessionBusy."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise SessionBusy(f"{busy} by process {holder or 'unknown'}: wait for it, or end it") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
