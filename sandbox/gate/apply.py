"""Write approved changes to the checkout: all of them or none, whatever happens in between.

look         every path against what was reviewed          a conflict ends it here, and nothing was written
record       the approval, in the session                  from here on a crash is known about
stage        every content into a journal, on disk         an error ends it here, and the tree is as it was
look again   at what moved meanwhile                       a conflict ends it here
COMMIT       one file in the journal                       from here on it is finished, by us or the next command
steps        renames and exchanges, each looked at twice   a save by the user in between is handed back
DONE         folders on disk, outcome recorded             and the journal goes
"""

import contextlib
import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.changes import ChangeSet, File
from sandbox.checkout import is_same
from sandbox.errors import ApplyUnfinished, CheckoutRefused, OutOfSpace, SandboxError
from sandbox.gate.approval import (
    Approval,
    Approved,
    Before,
    check_approval,
    record_approval,
    record_discarded,
    record_outcome,
)
from sandbox.gate.blobs import Blobs
from sandbox.gate.decisions import check_amended
from sandbox.gate.fitting import unfit
from sandbox.gate.host import opened_checkout
from sandbox.gate.journal import Journal
from sandbox.gate.manifest import Manifest
from sandbox.gate.moves import exchange_in_two
from sandbox.gate.past import pasts_of
from sandbox.gate.preimages import Conflict, Found, keep, look, still
from sandbox.gate.recovery import (
    Recovered,
    as_approved,
    carry_out,
    exclusive,
    finish_earlier,
    recover,
    renew,
    undisturbed,
)
from sandbox.gate.repositories import assembled
from sandbox.gate.siblings import renew_siblings, siblings
from sandbox.gate.syscalls import exchange, probe
from sandbox.gate.transaction import Exchange
from sandbox.sessions import Session, Sessions

__all__ = ["Applied", "Approval", "Conflict", "Conflicts", "Recovered", "apply", "recover"]


@dataclass(frozen=True)
class Applied:
    """The approved changes are in the checkout, and on disk.

    `paths` are as approved now. `kept` are those the user wrote to in the moment of applying: his version stands.
    `notes` are sentences worth showing.
    """

    paths: tuple[bytes, ...]
    kept: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conflicts:
    """Nothing was written, because of these paths."""

    conflicts: tuple[Conflict, ...]


def apply(
    approval: Approval,
    *,
    checkout: Path,
    blobs: Blobs,
    session: Session,
    manifest: Manifest,
    change_set: ChangeSet | None = None,
    swap: Exchange | None = None,
    patience: float = 10.0,
) -> Applied | Conflicts:
    """Make the approved changes, as one transaction.

    Args:
        approval: what may be written, and nothing else.
        checkout: the user's tree, by its real path.
        blobs: where the contents lie, by digest.
        session: where the approval and its outcome are recorded.
        manifest: what the session knows of the checkout; learns what stands there afterwards.
        change_set: if given, the approval must be for it, and hold only what is in it.
        swap: how two names are exchanged, if not in the best way the file system has.
        patience: seconds to wait for another process that is applying to the same checkout.

    Raises: StateError if the approval is not for `change_set`, names what may never be written, or a content is
        missing or damaged; OutOfSpace, CheckoutRefused (nothing was written); SessionBusy; ApplyUnfinished (past the
        commit point: the next `recover` goes on).
    """
    check_approval(approval, change_set)
    if change_set is not None:
        check_amended(approval, change_set, blobs)
    with opened_checkout(checkout) as root, exclusive(root, checkout, patience=patience):
        finish_earlier(root, checkout, Sessions(session.path.parent.parent))
        if not is_same(session.meta().folder, root):
            raise CheckoutRefused(
                f"{checkout} is not the folder that this session began with, which was moved or replaced: nothing was "
                "written; put it back, or take the changes along with `paddock diff --patch`"
            )
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=root, effective_ids=True):
            raise CheckoutRefused(f"{checkout} cannot be written by you: nothing was written")
        try:
            found = look(root, approval.changes)
            # What an undo brings back was the user's own: also a repository.
            conflicts = found.conflicts or (() if approval.undoes else assembled(root, approval.changes))
        except OSError as error:
            raise CheckoutRefused(f"{checkout} cannot be read ({error.strerror}): nothing was written") from error
        if conflicts:
            return Conflicts(tuple(conflicts))
        approved = record_approval(session, approval, checkout, before=_before(approval, found, manifest))
        if found.pending:
            return _Apply(root, checkout, blobs, session, manifest).run(approved, found, swap)
        paths = tuple(change.path for change in approval.changes)
        record_outcome(session, approved, paths, ())
        with contextlib.suppress(OSError, SandboxError):  # a path without facts is read again, that is all
            renew(root, manifest, approval.changes, staged={}, pasts=approved.restores())
        return Applied(paths)


def _before(approval: Approval, found: Found, manifest: Manifest) -> Before:
    """What an undo will need to know; one that undoes is not undone itself, and gives back what it was told."""
    if approval.undoes:
        return Before(found.already, (), approval.restores)
    facts = {**found.facts, **found.folders}
    return Before(found.already, found.missing, pasts_of(found.pending, manifest, facts))


@dataclass(frozen=True)
class _Apply:
    """The part between the record and the result."""

    root: int
    checkout: Path
    blobs: Blobs
    session: Session
    manifest: Manifest

    def run(self, approved: Approved, found: Found, swap: Exchange | None) -> Applied | Conflicts:
        journal = self._journal(approved)
        committed = False
        try:
            swap = swap or self._exchange(journal)
            if misnamed := unfit(journal.new, found.pending):
                return Conflicts(tuple(misnamed))
            staged = self._stage(journal, approved, found)
            if moved := still(self.root, found):
                return Conflicts(tuple(moved))
            shared = siblings(self.root, self.manifest, found.facts)
            with undisturbed():
                journal.commit(approved.digest())
                committed = True
                kept = carry_out(
                    self.root, journal, self.session, approved, manifest=self.manifest, staged=staged, swap=swap
                )
            with contextlib.suppress(OSError, SandboxError):  # it is done, and on disk: this only saves a later look
                renew_siblings(self.root, self.manifest, shared)
        except OSError as error:
            raise self._explained(error) from error
        finally:
            try:
                if not committed:
                    self._give_up(journal, approved)
            finally:
                journal.close()
        paths = as_approved(approved, kept)
        return Applied(paths, tuple(kept), _notes(found, paths))

    def _journal(self, approved: Approved) -> Journal:
        try:
            return Journal.make(self.root, os.fsencode(approved.journal))
        except OSError as error:
            with contextlib.suppress(SandboxError):
                record_discarded(self.session, approved)
            raise self._explained(error) from error

    def _exchange(self, journal: Journal) -> Exchange:
        """How to swap two names here. Raises CheckoutRefused where even the least we need is missing."""
        renames = probe(journal.new)
        if not renames.are_enough:
            raise CheckoutRefused(
                f"the file system of {self.checkout} cannot rename without overwriting, so nothing is applied to it: "
                "use `paddock diff --patch` and apply the patch elsewhere"
            )
        return exchange if renames.exchange else exchange_in_two

    def _stage(self, journal: Journal, approved: Approved, found: Found) -> Mapping[bytes, os.stat_result]:
        """Make everything that goes into place, and what it replaces, last on disk; returns the facts of the former.

        Raises OSError, StateError, OutOfSpace.
        """
        slots, restores = approved.slots(), approved.restores()
        for slot, change in slots.items():
            past = restores.get(change.path)
            rights = None if past is None else past.rights
            journal.stage(slot, change, self.blobs, found.facts.get(change.path), rights=rights)
        keep(self.root, found.pending, self.blobs)
        journal.sync([slot for slot, change in slots.items() if isinstance(change.after, File)])
        return {
            change.path: os.stat(str(slot), dir_fd=journal.new, follow_symlinks=False)
            for slot, change in slots.items()
            if isinstance(change.after, File)
        }

    def _give_up(self, journal: Journal, approved: Approved) -> None:
        """Throw away what was staged; what cannot be removed now, the next command sweeps.

        Raises ApplyUnfinished if the commit mark may stand, and cannot be taken back: then that command decides.
        """
        try:
            journal.discard()
        except OSError as error:
            if journal.may_be_committed():
                raise ApplyUnfinished(
                    f"{self.checkout} cannot be written ({error.strerror}), neither the changes nor their withdrawal: "
                    "mend that, and the next paddock command here finishes or drops them, and says so"
                ) from error
        with contextlib.suppress(SandboxError):
            record_discarded(self.session, approved)

    def _explained(self, error: OSError) -> SandboxError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return OutOfSpace(f"no space left in {self.checkout}: nothing was written; free some and try again")
        return CheckoutRefused(f"{self.checkout} cannot be written ({error.strerror}): nothing was written")


def _notes(found: Found, paths: tuple[bytes, ...]) -> tuple[str, ...]:
    linked = sum(path in found.facts and found.facts[path].st_nlink > 1 for path in paths)
    if not linked:
        return ()
    return (f"{linked} of these files had other names (hard links): those names keep the old content",)
