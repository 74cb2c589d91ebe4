"""`paddock apply --commits`: what was committed in the sandbox leaves as one new branch."""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cli import exits, place
from cli.commits_approval import Judged, Wish, is_approved
from cli.screen import safe
from cli.words import count

if TYPE_CHECKING:
    from cli.signals import Interrupts
    from sandbox.commits.repository import Repository
    from sandbox.engine import Engine
    from sandbox.sessions import Session


@dataclass(frozen=True)
class _Arrival:
    """A bundle on the host, what the repository had when it was asked for, and the branch to make."""

    session: "Session"
    repository: "Repository"
    bundle: IO[bytes]
    known: frozenset[str]
    branch: str


def apply_commits(session: "Session", branch: str, wish: Wish) -> int:
    """Bring the session's commits out, show them, and make the branch if a person, or `--yes`, says so."""
    from cli.signals import run_async
    from sandbox.commits import repository as repositories
    from sandbox.commits import taking

    out = place.stdout()
    repository = repositories.find(Path(session.meta().checkout))
    repositories.require_seen(repository)
    branch = taking.branch_for(repository, session.id, branch)
    known = frozenset(repository.references().values())
    engine = _engine_for(session)
    with tempfile.TemporaryFile(dir=session.path) as bundle:
        out.status("bringing the commits out of the sandbox")
        try:
            has_any = run_async(functools.partial(_bring_out, session, engine, known, bundle))
        finally:
            out.status()
        if not has_any:
            out.line("HEAD in the sandbox has no commit that your repository does not have: nothing to take over")
            return exits.DONE
        with session.hold():
            return _decide(_Arrival(session, repository, bundle, known, branch), wish)


def _engine_for(session: "Session") -> "Engine":
    """The engine, with the session's image on it."""
    engine = place.connect()
    place.image_of(session, engine, place.place(), place.stderr())
    return engine


async def _bring_out(
    session: "Session", engine: "Engine", known: frozenset[str], bundle: IO[bytes], interrupts: "Interrupts"
) -> bool:
    from sandbox.commits.bundle import bring_out
    from sandbox.opening import opened

    del interrupts  # nothing to end in order: what has come is in a file without a name
    async with opened(session, engine) as sandbox:
        return await bring_out(sandbox, known, bundle)


def _decide(arrival: _Arrival, wish: Wish) -> int:
    """Check, show, ask; then the branch."""
    from cli.screen.commits import show_commits
    from cli.screen.judged import show_notices
    from sandbox.commits.look import look
    from sandbox.commits.quarantine import quarantine
    from sandbox.commits.taking import take
    from sandbox.gate.blobs import Blobs

    out = place.stdout()
    blobs = Blobs(arrival.session.blobs)
    with quarantine(arrival.session.path, arrival.repository) as quarantined:
        tip = quarantined.receive(arrival.bundle)
        brought = look(quarantined, tip, sorted(arrival.known), blobs)
        judged = Judged.of(arrival.session, brought, blobs, wish.settings)
        show_notices(judged.case.policy, out)
        show_commits(brought, judged.warnings, blobs, out)
        if arrival.repository.is_apart:
            out.line(f"  (the repository of this checkout is {safe.line(str(arrival.repository.common))})")
        if not is_approved(judged, wish, arrival.branch, out):
            out.line("nothing was taken over")
            return exits.DONE
        taken = take(quarantined, brought, arrival.branch, arrival.known)
    shown = safe.line(taken.branch)
    what = f"{count(taken.commits, 'commit')} on the new branch {shown}; your files and HEAD are as they were"
    out.line(out.style(what, "bold"))
    out.line(f"  git log -p {shown}    git merge {shown}")
    return exits.DONE
