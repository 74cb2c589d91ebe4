"""What a workspace lies on: the checkout itself, or a copy of it; decided when a session is made, and kept with it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pydantic

from sandbox.choice import BaseKind
from sandbox.errors import CheckoutRefused
from sandbox.escape import escape
from sandbox.gate.host import lstat, opened, opened_checkout
from sandbox.gate.syscalls import FILE
from sandbox.sessions import Session, read_record, write_record
from sandbox.workspace.copying import Uncopyable, clone, names_of, opened_or_none

MOST_FILES = 200
"""Files, git's own among them, that are copied while a container is made; more would make its start wait.

Measured (`make bench PART=start`), against `docker run`, on an idle disk and on a busy one: 130 files 1.07 and 1.22
times as long, 230 files 1.11 and 1.44, 430 files 1.24 and 1.84, 830 files 1.46 and 2.62; on a live base 1.0 for all.
"""

MOST_BYTES = 50 * 1000 * 1000
"""Bytes that are copied meanwhile; where the file system shares blocks, nothing is, and there is no limit."""

_RECORD = "workspace.json"
_READS = 0o400


class Base(pydantic.BaseModel):
    """What is kept of the decision. `live`: the checkout; `frozen`: a copy of it. `why` follows a colon."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    kind: Literal["live", "frozen"]
    files: int = 0
    size: int = 0
    why: str = ""

    @property
    def sentence(self) -> str:
        """What a person is told of it."""
        if self.kind == "frozen":
            return f"frozen copy ({self.files:,} {'file' if self.files == 1 else 'files'}, {_shown(self.size)})"
        return f"live checkout ({self.why})" if self.why else "live checkout"


LIVE = Base(kind="live")
"""What sessions lie on that have no record."""


def decide(checkout: Path, session: Session, wish: BaseKind) -> Base:
    """What a new session lies on. Raises CheckoutRefused where a wish cannot be met."""
    if wish == "live":
        return Base(kind="live", why="as asked")
    is_asked = wish == "frozen"
    try:
        with opened_checkout(checkout) as root:
            return _measured(root, session, is_asked=is_asked)
    except Uncopyable as problem:
        if is_asked:
            raise CheckoutRefused(f"{checkout} cannot be copied as it is: {problem}") from problem
        return Base(kind="live", why=str(problem))


def keep(session: Session, base: Base) -> None:
    """Keep it with the session, and let the overlay's lower layer be just that."""
    write_record(session.path / _RECORD, base)
    lower = session.frozen if base.kind == "frozen" else Path(session.meta().checkout)
    link = session.path / f"base.{os.getpid()}.partial"
    link.unlink(missing_ok=True)
    link.symlink_to(lower)
    link.rename(session.base)


def base_of(session: Session) -> Base:
    """What a session lies on. Raises StateError if the record is damaged."""
    path = session.path / _RECORD
    return read_record(path, Base) if path.exists() else LIVE


def frozen_base(session: Session) -> Path | None:
    """The copy that a session lies on; None if it lies on the checkout itself. Raises StateError."""
    return session.frozen if base_of(session).kind == "frozen" else None


def _measured(root: int, session: Session, *, is_asked: bool) -> Base:
    files = size = 0
    shares: bool | None = None
    for path, facts in _files(root):
        files += 1
        size += facts.st_size
        if is_asked:
            continue
        if files > MOST_FILES:
            return Base(kind="live", why=f"more than {MOST_FILES:,} files: too many to copy at the start")
        if size > MOST_BYTES and shares is None:
            shares = _shares_blocks(root, path, session)
        if size > MOST_BYTES and not shares:
            return Base(kind="live", why=f"more than {_shown(MOST_BYTES)}: too much to copy at the start")
    return Base(kind="frozen", files=files, size=size)


def _files(root: int) -> Iterator[tuple[bytes, os.stat_result]]:
    """Every regular file of a tree, unless something in it cannot be copied as it is. Raises Uncopyable, OSError."""
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        with opened_or_none(root, path) as here:
            for name in () if here is None else names_of(here, path):
                below = path + b"/" + name if path else name
                facts = None if here is None else lstat(here, name)
                if facts is None:
                    continue
                _require_copyable(below, facts)
                if stat.S_ISDIR(facts.st_mode):
                    waiting.append(below)
                elif stat.S_ISREG(facts.st_mode):
                    yield below, facts


def _require_copyable(path: bytes, facts: os.stat_result) -> None:
    """Only root can make a file that belongs to somebody else, and read what is closed to everybody."""
    if os.geteuid() == 0:
        return
    if facts.st_uid != os.geteuid():
        raise Uncopyable(f"{escape(path)} belongs to another user")
    if stat.S_ISREG(facts.st_mode) and not facts.st_mode & _READS:
        raise Uncopyable(f"{escape(path)} cannot be read")


def _shares_blocks(root: int, path: bytes, session: Session) -> bool:
    """Whether the session's folder can hold a copy of a file that takes no room, tried with this one."""
    folder, _, name = path.rpartition(b"/")
    probe = session.path / f"clone.{os.getpid()}.partial"
    try:
        with opened(root, folder) as here:
            reading = os.open(name, FILE, dir_fd=here)
        with os.fdopen(reading, "rb") as source, open(probe, "xb") as target:
            return clone(source.fileno(), target.fileno())
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)


def _shown(size: int) -> str:
    """Bytes in the unit that reads best."""
    for unit, one in (("GB", 1000**3), ("MB", 1000**2), ("kB", 1000)):
        if size >= one:
            return f"{size / one:.0f} {unit}"
    return f"{size} bytes"
