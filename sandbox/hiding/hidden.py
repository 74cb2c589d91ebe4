"""The account of what is hidden: a value, and the record of it in a session's folder, which the gate goes by.

What a sandbox never saw, it cannot have deleted or edited knowingly. So the record comes before the container, and it
remembers what was hidden at an earlier start of the same session, too.
"""

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import pydantic

from sandbox.errors import SessionNotFound
from sandbox.gate.folders import above
from sandbox.sessions import Session, read_record, write_record

INDEX: Final = b".git/index"


@dataclass(frozen=True)
class Secret:
    """One path that is not there inside; a folder stands for all that is in it.

    `reason` completes "it is hidden because …". `is_tracked`: git has it, so that `git show` inside has its content.
    """

    path: bytes
    reason: str
    is_tracked: bool = False


@dataclass(frozen=True)
class Hidden:
    """What a sandbox must not see of a checkout, whatever its workspace is made of.

    `secrets` are absent inside. `replaced` are files that git needs, with the content that stands in for theirs: those
    with a password, and an index that knows of what is absent.
    `coming` are paths that are not there, and would be hidden if they came. `earlier` are paths that were hidden when
    the session was started before, and are no more.
    """

    secrets: tuple[Secret, ...] = ()
    replaced: Mapping[bytes, bytes] = field(default_factory=dict)
    coming: Collection[bytes] = frozenset()
    earlier: Collection[bytes] = frozenset()

    @property
    def redacted(self) -> Sequence[bytes]:
        """The files of git's that are there without the passwords in them."""
        return sorted(path for path in self.replaced if path != INDEX)

    @functools.cached_property
    def _now(self) -> frozenset[bytes]:
        return frozenset(secret.path for secret in self.secrets) | frozenset(self.coming)

    def covers(self, path: bytes) -> bool:
        """Whether a path is hidden now: itself, or with a folder above it."""
        return bool(self._now) and _is_in(self._now, path)

    def secret_at(self, path: bytes) -> Secret | None:
        """What is hidden at a path: the file itself, or a folder above it."""
        folders = {path, *above(path)}
        return next((secret for secret in self.secrets if secret.path in folders), None)

    def was_unseen(self, path: bytes) -> bool:
        """Whether a path is hidden now, or was at an earlier start."""
        return self.covers(path) or (bool(self.earlier) and _is_in(self.earlier, path))


NOTHING: Final = Hidden()


class _Row(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    path: str
    reason: str
    is_tracked: bool


class _Record(pydantic.BaseModel):
    """What `hidden.json` holds, paths in hex. Of what is replaced only the names: the content is in the mask."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    secrets: tuple[_Row, ...] = ()
    replaced: tuple[str, ...] = ()
    coming: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()


def hidden_of(session: Session) -> Hidden:
    """What a session's record says, without the contents of what is replaced. Raises StateError."""
    try:
        record = read_record(session.path / "hidden.json", _Record)
    except SessionNotFound:
        return NOTHING  # it was never started
    return Hidden(
        tuple(Secret(bytes.fromhex(row.path), row.reason, row.is_tracked) for row in record.secrets),
        {bytes.fromhex(path): b"" for path in record.replaced},
        frozenset(map(bytes.fromhex, record.coming)),
        frozenset(map(bytes.fromhex, record.earlier)),
    )


def remember(session: Session, found: Hidden) -> Hidden:
    """Keep the account for the gate, before anything is laid over the checkout; with what was hidden before.

    Raises: OutOfSpace, StateError.
    """
    before = hidden_of(session)
    now = {*(secret.path for secret in found.secrets), *found.coming}
    earlier = ({secret.path for secret in before.secrets} | set(before.earlier)) - now
    hidden = replace(found, earlier=frozenset(earlier))
    record = _Record(
        secrets=tuple(
            _Row(path=secret.path.hex(), reason=secret.reason, is_tracked=secret.is_tracked) for secret in found.secrets
        ),
        replaced=tuple(sorted(path.hex() for path in found.replaced)),
        coming=tuple(sorted(path.hex() for path in found.coming)),
        earlier=tuple(sorted(path.hex() for path in earlier)),
    )
    write_record(session.path / "hidden.json", record)
    return hidden


def _is_in(found: Collection[bytes], path: bytes) -> bool:
    return path in found or any(folder in found for folder in above(path))
