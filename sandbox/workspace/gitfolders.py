"""Git's folders outside the checkout, seen inside under their own paths: an overlay for each, and none of it leaves.

What git writes there stays in the session's folder, as what it writes to `.git` in the checkout does; the folders
themselves are never written. Passwords in their settings are replaced as in the checkout's own. People keep other work
trees and files of theirs in a bare repository: of such a folder nothing is seen but what is git's.
"""

import hashlib
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydantic

from sandbox.errors import CheckoutRefused
from sandbox.gate.host import names_in, opened, opened_checkout
from sandbox.hiding import gitdata
from sandbox.hiding.hidden import Hidden, Secret
from sandbox.hiding.index import skipping
from sandbox.hiding.mask import lay_over
from sandbox.sessions import Session, make_private, read_record, write_record
from sandbox.workspace.gitfinding import GitFolder, outside
from sandbox.workspace.overlay import Overlay
from sandbox.workspace.placement import placement_of

_RECORD = "git.json"
_WHY = "it is git's own, and holds logins"
_NOT_GITS = "it lies in a repository's folder, and is not git's"
_GITS = re.compile(
    rb"HEAD|config(\.worktree)?|description|hooks|info|objects|refs|reftable|logs|index|sharedindex\..*|packed-refs"
    rb"|shallow|modules|worktrees|branches|lfs|annex|svn|rr-cache|rebase-(apply|merge)|sequencer|gc\.(pid|log)"
    rb"|[A-Z_]+_HEAD|[A-Z_]+MSG|MERGE_[A-Z]+|AUTO_MERGE|BISECT_[A-Z_]+"
)
"""What git itself keeps at the top of a repository (gitrepository-layout(5))."""


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    folders: tuple[tuple[str, str, str], ...] = ()


def prepare(session: Session) -> Sequence[Overlay]:
    """Find them for a start, keep account of them, and make their layers. Raises OSError, StateError.

    One around a checkout that is carried is left out: it would be carried into the checkout's own volume.
    """
    checkout, is_carried = Path(session.meta().checkout), placement_of(session).kind == "carried"
    found = [one for one in outside(checkout).folders if not (is_carried and one.path in checkout.parents)]
    write_record(
        session.path / _RECORD, _Record(folders=tuple((str(one.path), one.index, one.prefix) for one in found))
    )
    overlays = [_overlay(session, one) for one in found]
    for overlay in overlays:
        make_private(session.git, overlay.upper.parent)
        overlay.prepare()
        overlay.upper.chmod(overlay.target.stat().st_mode & 0o777 | 0o700)
        if not overlay.lower.is_symlink():
            overlay.lower.symlink_to(overlay.target)
    return overlays


def overlays(session: Session) -> Sequence[Overlay]:
    """Those that the last `prepare` found. Raises StateError."""
    return [_overlay(session, one) for one in _kept(session)]


def lay(session: Session, hidden: Hidden) -> None:
    """Lay the masks of those that this start mounts. Raises OutOfSpace, StateError."""
    for folder in _kept(session):
        mask = _overlay(session, folder).mask
        assert mask is not None
        lay_over(mask, folder.path, _hidden_in(folder, Path(session.meta().checkout), hidden))


def _overlay(session: Session, folder: GitFolder) -> Overlay:
    place = session.git / hashlib.sha256(os.fsencode(folder.path)).hexdigest()[:16]
    return Overlay(folder.path, place / "base", place / "upper", place / "work", place / "mask")


def _kept(session: Session) -> Sequence[GitFolder]:
    record = read_record(session.path / _RECORD, _Record)
    return [GitFolder(Path(path), index, prefix) for path, index, prefix in record.folders]


def _hidden_in(folder: GitFolder, checkout: Path, hidden: Hidden) -> Hidden:
    if not folder.index:
        return Hidden()  # nothing but objects
    replaced: dict[bytes, bytes] = {}
    absent: list[Secret] = []
    try:
        with opened_checkout(folder.path) as root:
            if ".git" not in folder.path.parts:
                absent += [Secret(path, _NOT_GITS) for path in _others(root, folder.path, checkout)]
            for path, content in gitdata.look(root, b""):
                if content is None:
                    absent.append(Secret(path, _WHY))
                else:
                    replaced[path] = content
            index = _index(root, folder, hidden)
    except OSError as error:
        raise CheckoutRefused(f"{folder.path} cannot be read: {error.strerror}") from error
    if index is not None:
        replaced[os.fsencode(folder.index)] = index
    return Hidden(tuple(absent), replaced)


def _others(root: int, folder: Path, checkout: Path) -> Iterator[bytes]:
    """What is not git's in a repository's folder, but for the way to the checkout, if it lies in there."""
    way = os.fsencode(checkout.relative_to(folder)).split(b"/") if folder in checkout.parents else []
    for name in names_in(root, b"") or ():
        if name not in way[:1] and not _GITS.fullmatch(name):
            yield name
    at = b""
    for passed, following in itertools.pairwise(way):
        at = at + b"/" + passed if at else passed
        for name in names_in(root, at) or ():
            if name != following:
                yield at + b"/" + name


def _index(root: int, folder: GitFolder, hidden: Hidden) -> bytes | None:
    """The index for a work tree of which not all is there; None if it is, or it cannot be read."""
    start = os.fsencode(folder.prefix) + b"/" if folder.prefix else b""
    if not start and not any(secret.is_tracked for secret in hidden.secrets):
        return None
    above, _, name = os.fsencode(folder.index).rpartition(b"/")
    try:
        with opened(root, above) as directory:
            return skipping(
                directory, name, lambda path: not path.startswith(start) or hidden.covers(path[len(start) :])
            )
    except OSError:
        return None
