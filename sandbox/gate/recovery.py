"""Carry out a committed journal, the first time or after a crash; throw away one that was not committed."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandbox.changes import Change, Directory
from sandbox.errors import ApplyUnfinished, CheckoutRefused, OutOfSpace, SessionBusy, StateError
from sandbox.gate.approval import Approved, Outcome, record_discarded, record_outcome, records
from sandbox.gate.host import facts_at, opened_checkout, shut
from sandbox.gate.journal import LEFT_ALONE, TRASH, Journal, journals
from sandbox.gate.manifest import Manifest, Renewal
from sandbox.gate.moves import exchange_in_two
from sandbox.gate.past import Past
from sandbox.gate.preimages import Conflict
from sandbox.gate.steps import steps
from sandbox.gate.syscalls import exchange, probe
from sandbox.gate.transaction import Exchange, Transaction
from sandbox.sessions import Session, Sessions

_POLL = 0.02  # seconds between two looks at a lock


@dataclass(frozen=True)
class Recovered:
    """What a crashed apply came to: `paths` are as approved, `kept` are the user's own, both empty if discarded.

    `is_undo`: it was one that takes an earlier one back.
    """

    outcome: Literal["applied", "not applied"]
    session: str
    paths: tuple[bytes, ...] = ()
    kept: tuple[Conflict, ...] = ()
    is_undo: bool = False


def recover(checkout: Path, *, sessions: Sessions, patience: float = 10.0) -> Recovered | None:
    """Finish, or throw away, an apply that a crash cut short; None if there was none.

    Every command that touches a checkout begins with this. `patience` is how many seconds to wait for a live process
    that is applying here.

    Raises: SessionBusy; StateError for a journal that is damaged, or not one of this user's sessions (nothing is
    done with it); ApplyUnfinished if the file system still refuses; CheckoutRefused if the checkout is gone.
    """
    with opened_checkout(checkout) as root:
        if not _journals(root, checkout):
            return None
        with exclusive(root, checkout, patience=patience):
            return finish_earlier(root, checkout, sessions)


@contextlib.contextmanager
def exclusive(root: int, checkout: Path, *, patience: float) -> Iterator[None]:
    """Be the only one who applies to a checkout. The lock lies on the folder itself, by whatever path it is reached."""
    with contextlib.ExitStack() as held:
        deadline = time.monotonic() + patience
        try:
            lock = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
            held.callback(shut, lock)
            while not _is_locked(lock):
                if time.monotonic() > deadline:
                    raise SessionBusy(f"another process is applying changes to {checkout}: try again later")
                time.sleep(_POLL)
        except OSError as error:
            raise CheckoutRefused(f"{checkout} cannot be locked ({error.strerror}): nothing was done") from error
        yield


def _is_locked(descriptor: int) -> bool:
    """Lock it, unless another process has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def finish_earlier(root: int, checkout: Path, sessions: Sessions) -> Recovered | None:
    """What `recover` does, for one who holds the lock."""
    result: Recovered | None = None
    for name in _journals(root, checkout):
        session, approved = _origin(checkout, name, sessions)
        journal = Journal.find(root, name)
        try:
            result = _finish_one(root, journal, session, approved) or result
        except OSError as error:
            raise ApplyUnfinished(
                f"an earlier apply to {checkout} cannot be finished ({error.strerror}): mend that, and try again"
            ) from error
        finally:
            journal.close()
    return result


def _journals(root: int, checkout: Path) -> Sequence[bytes]:
    try:
        return journals(root)
    except OSError as error:
        raise CheckoutRefused(f"{checkout} cannot be read ({error.strerror}): nothing was done") from error


def _finish_one(root: int, journal: Journal, session: Session, approved: Approved) -> Recovered | None:
    if journal.name.endswith(TRASH):
        journal.discard()
        return None
    quote = journal.committed()
    if quote is None:
        journal.discard()
        record_discarded(session, approved)
        return Recovered("not applied", session.id, is_undo=bool(approved.undoes))
    if quote != approved.digest():
        raise StateError(f"{os.fsdecode(journal.name)} does not belong to the approval it names: {LEFT_ALONE}")
    if journal.is_finished():
        journal.discard()
        return _told(session, approved)
    kept = carry_out(root, journal, session, approved, manifest=_manifest(session), staged=None)
    paths = as_approved(approved, kept)
    return Recovered("applied", session.id, paths, tuple(kept), is_undo=bool(approved.undoes))


def carry_out(
    root: int,
    journal: Journal,
    session: Session,
    approved: Approved,
    *,
    manifest: Manifest | None,
    staged: Mapping[bytes, os.stat_result] | None,
    swap: Exchange | None = None,
) -> Sequence[Conflict]:
    """From the commit point to the end; returns the paths that stayed the user's.

    `staged` are the facts of what this process staged; None means that an earlier one did, and may have got anywhere.
    Raises ApplyUnfinished.
    """
    again = staged is None
    with undisturbed():
        try:
            chosen = swap or (exchange if probe(journal.new).exchange else exchange_in_two)
            kept = Transaction(root, journal, chosen, again=again).run(steps(approved.slots(), approved.restores()))
            paths = as_approved(approved, kept)
            if not (again and _outcome(session, approved)):
                record_outcome(session, approved, paths, [(one.path, one.reason) for one in kept])
            if manifest is not None:
                done = set(paths)
                changes = [change for change in approved.restored() if change.path in done]
                renew(root, manifest, changes, staged=staged or {}, pasts=approved.restores())
                manifest.flush()
            journal.finish()
        except (OSError, OutOfSpace, StateError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ApplyUnfinished(
                f"the approved changes are only partly in place ({reason}): mend that, and any paddock command here "
                f"finishes the {'undo' if approved.undoes else 'apply'}"
            ) from error
        with contextlib.suppress(OSError):
            journal.discard()  # what is left of it is swept by the next command
    return kept


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back the signals that end a process; they arrive at the end. A second process is not needed to finish."""
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def renew(
    root: int,
    manifest: Manifest,
    changes: Sequence[Change],
    *,
    staged: Mapping[bytes, os.stat_result],
    pasts: Mapping[bytes, Past],
) -> None:
    """Tell the manifest what stands at these paths now, and at the folders above them; after an undo, what it said.

    Facts are only taken over for a file that is the one we staged: had the user saved in this moment, his file would
    pass for what the session knows. Without facts the content decides, later.
    """
    renewals: dict[bytes, Renewal] = {}
    for change in changes:
        facts = facts_at(root, change.path)
        mine = staged.get(change.path)
        past = pasts.get(change.path) or Past(None, change.after, change.settles)
        is_ours = isinstance(change.after, Directory) or (mine is not None and _is_same(facts, mine))
        known = facts if is_ours and past.base == change.after else None
        renewals[change.path] = Renewal(known, past.base, past.settled)
        folder = change.path.rpartition(b"/")[0]
        while folder and folder not in renewals:
            above = facts_at(root, folder)
            if above is not None and not manifest.matches(folder, above):
                renewals[folder] = Renewal(above, Directory())
            folder = folder.rpartition(b"/")[0]
    manifest.renew(renewals)


def _is_same(now: os.stat_result | None, staged: os.stat_result) -> bool:
    if now is None:
        return False
    return (now.st_dev, now.st_ino, now.st_mode, now.st_size, now.st_mtime_ns) == (
        staged.st_dev,
        staged.st_ino,
        staged.st_mode,
        staged.st_size,
        staged.st_mtime_ns,
    )


def _origin(checkout: Path, name: bytes, sessions: Sessions) -> tuple[Session, Approved]:
    """The session and the record that a journal belongs to. Raises StateError if no session knows it."""
    wanted = os.fsdecode(name.removesuffix(TRASH))
    for session in sessions.all():
        for record in records(session):
            if isinstance(record, Approved) and record.journal == wanted:
                return session, record
    raise StateError(f"{checkout / os.fsdecode(name)} belongs to no session of yours: {LEFT_ALONE}")


def _outcome(session: Session, approved: Approved) -> Outcome | None:
    found = [record for record in records(session) if isinstance(record, Outcome) and record.id == approved.id]
    return found[-1] if found else None


def _told(session: Session, approved: Approved) -> Recovered:
    outcome = _outcome(session, approved)
    if outcome is None:
        return Recovered("applied", session.id, as_approved(approved, ()), is_undo=bool(approved.undoes))
    kept = tuple(Conflict(bytes.fromhex(path), reason) for path, reason in outcome.kept)
    paths = tuple(bytes.fromhex(path) for path in outcome.paths)
    return Recovered("applied", session.id, paths, kept, is_undo=bool(approved.undoes))


def as_approved(approved: Approved, kept: Sequence[Conflict]) -> tuple[bytes, ...]:
    """The paths of an approval that did not stay the user's."""
    users = {conflict.path for conflict in kept}
    return tuple(change.path for change in approved.restored() if change.path not in users)


def _manifest(session: Session) -> Manifest | None:
    """What the session knows; None if that is damaged for good: then later changes there count as moved.

    Raises StateError where the disk does not give it now: told nothing of an undo, it would call the changes settled.
    """
    try:
        return Manifest.load(session.manifest)
    except StateError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
            raise
        return None
