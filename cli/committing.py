"""`paddock apply --commit -m`: the files that are applied become one commit on the current branch."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cli import environment, exits, place
from cli.screen import safe
from cli.screen.terminal import Terminal
from cli.truth import Applied
from sandbox.changes import Change
from sandbox.errors import CommitRefused

if TYPE_CHECKING:
    from cli.case import Case
    from cli.settled import Settled
    from sandbox.commits.identity import Committer
    from sandbox.commits.making import Prepared
    from sandbox.commits.quarantine import Quarantine
    from sandbox.sessions import Session

Commit = Callable[["Settled"], "Settled"]
"""Makes the commit of what has just been applied; what is true afterwards, and the exit code."""


@contextlib.contextmanager
def commit_after(
    case: "Case", changes: Sequence[Change], message: Sequence[str], terminal: Terminal
) -> Iterator[Commit]:
    """Prepare the commit of these changes, whole, before any of them is applied; without a message, none is made.

    Raises CommitRefused with what is in the way: then nothing was applied.
    """
    if not message:
        yield lambda settled: settled
        return
    from sandbox.commits import repository as repositories
    from sandbox.commits.identity import committer
    from sandbox.commits.making import clean_message, prepare
    from sandbox.commits.quarantine import quarantine
    from sandbox.commits.unfinished import forget, remember
    from sandbox.gate.blobs import Blobs

    with contextlib.ExitStack() as stack:
        try:
            text = clean_message(message)
            repository = repositories.find(case.checkout)
            by = committer(repository, environment.of_git())
            quarantined = stack.enter_context(quarantine(case.session.path, repository))
            prepared = prepare(quarantined, changes, text, by=by, blobs=Blobs(case.session.blobs))
        except CommitRefused as error:
            raise CommitRefused(f"nothing was applied, because no commit could be made of it: {error}") from error
        remember(case.session, prepared)
        stack.callback(forget, case.session)
        made = _Made(quarantined, prepared, by)
        yield lambda settled: _finish(made, settled, terminal)


@dataclass(frozen=True)
class _Made:
    """A commit that is ready, and where."""

    quarantined: "Quarantine"
    prepared: "Prepared"
    by: "Committer"


def _finish(made: _Made, settled: "Settled", out: Terminal) -> "Settled":
    """Let HEAD name it, and say so, or why not: the files are applied by now."""
    from sandbox.commits.making import finish

    prepared = made.prepared
    if not isinstance(settled.truth, Applied):
        return settled
    if settled.code != exits.DONE:
        out.line("no commit was made: not everything was applied as it was approved")
        return settled
    try:
        finish(made.quarantined, prepared, made.by)
    except CommitRefused as error:
        out.line(out.style(f"the files are applied, but not committed: {safe.line(str(error))}", "red"))
        return replace(settled, code=exits.FAILED)
    out.line(f"committed {prepared.id[:10]}  {safe.line(prepared.subject)}")
    for path in prepared.mixed:
        out.line(out.style(f"  {safe.path(path)} had edits of yours too: they are in the commit", "yellow"))
    return replace(settled, commit=prepared.id)


def say_unfinished(session: "Session") -> None:
    """What became of a commit that a killed process was about to make."""
    if not (session.path / "committing").exists():
        return
    from sandbox.commits.unfinished import cut_short

    sentence = cut_short(session)
    if sentence is not None:
        place.stderr().line(f"paddock: {sentence}")
