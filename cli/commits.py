"""`paddock apply --commits`: what was committed in the sandbox leaves as one new branch."""

import functools
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cli import exits, place
from cli.screen import safe
from cli.target import Target

if TYPE_CHECKING:
    from cli.signals import Interrupts
    from sandbox.commits.look import Brought
    from sandbox.commits.repository import Repository
    from sandbox.engine import Engine
    from sandbox.gate.blobs import Blobs
    from sandbox.sessions import Session


@dataclass(frozen=True)
class _Arrival:
    """A bundle on the host, and what the repository had when it was asked for."""

    session: "Session"
    repository: "Repository"
    bundle: IO[bytes]
    known: frozenset[str]


def apply_commits(wanted: Target, branch: str, yes: bool) -> int:
    """Bring the session's commits out, show them, and make the branch if a person, or `--yes`, says so.

    With `--yes`, paths that have effects of their own have to be named; commits cannot leave in parts.
    """
    from cli.signals import run_async
    from sandbox.commits import repository as repositories
    from sandbox.commits import taking

    session, out = wanted.session, place.stdout()
    repository = repositories.find(Path(session.meta().checkout))
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
            out.line("HEAD in the sandbox has no commit that your repository does not have: nothing to do")
            return exits.DONE
        with session.hold():
            return _decide(_Arrival(session, repository, bundle, known), branch, wanted.paths, yes=yes)


def _engine_for(session: "Session") -> "Engine":
    """The engine, with the session's image on it."""
    said = place.stderr()
    engine = place.connect()
    image = place.image_of(session, engine, place.place(), said)
    if image.id != session.meta().image:
        session.save(session.meta().model_copy(update={"image": image.id}))
    return engine


async def _bring_out(
    session: "Session", engine: "Engine", known: frozenset[str], bundle: IO[bytes], interrupts: "Interrupts"
) -> bool:
    from sandbox.commits.bundle import bring_out
    from sandbox.opening import opened

    del interrupts  # nothing to end in order: what has come is in a file without a name
    async with opened(session, engine) as sandbox:
        return await bring_out(sandbox, known, bundle)


def _decide(arrival: _Arrival, branch: str, named: Sequence[str], *, yes: bool) -> int:
    """Check, show, ask; then the branch."""
    from cli.screen.commits import show_commits
    from sandbox.commits.look import look
    from sandbox.commits.quarantine import quarantine
    from sandbox.commits.taking import take
    from sandbox.gate.blobs import Blobs

    out = place.stdout()
    blobs = Blobs(arrival.session.blobs)
    with quarantine(arrival.session.path, arrival.repository) as quarantined:
        tip = quarantined.receive(arrival.bundle)
        brought = look(quarantined, tip, sorted(arrival.known), blobs)
        reasons = _reasons(brought, blobs)
        show_commits(brought, reasons, out)
        if arrival.repository.is_apart:
            out.line(f"the repository of this checkout is {safe.line(str(arrival.repository.common))}")
        if not _is_approved(brought, reasons, branch, named, yes=yes):
            out.line("nothing was taken over")
            return exits.DONE
        taken = take(quarantined, brought, branch, arrival.known)
    shown = safe.line(taken.branch)
    out.line(out.style(f"{_count(taken.commits)} on the new branch {shown}; the files that wait still wait", "bold"))
    out.line(f"  git log -p {shown}    git merge {shown}")
    return exits.DONE


def _reasons(brought: "Brought", blobs: "Blobs") -> Mapping[bytes, Sequence[str]]:
    """Why paths need a yes of their own: what any of the commits makes of them counts, not only the last."""
    from sandbox.gate.effects import effects

    found: dict[bytes, dict[str, None]] = {}
    for change in brought.changes:
        for mark in effects(change, lambda file, limit: blobs.read(file.digest, limit)):
            found.setdefault(change.path, {})[mark.effect.value] = None
    for path in brought.submodules:
        found.setdefault(path, {})["code of another repository"] = None
    return {path: tuple(reasons) for path, reasons in found.items()}


def _is_approved(
    brought: "Brought", reasons: Mapping[bytes, Sequence[str]], branch: str, named: Sequence[str], *, yes: bool
) -> bool:
    """Whether it may be done. Raises ApprovalNeeded where somebody has to be asked and there is nobody."""
    from cli.ask import Person, has_person

    what = _count(len(brought.commits))
    wanted = [os.fsencode(path).rstrip(b"/") for path in named]
    unnamed = [path for path in reasons if not any(path == one or path.startswith(one + b"/") for one in (*wanted,))]
    if yes and not unnamed:
        return True
    if yes:
        listed = " ".join(safe.path(path) for path in unnamed)
        raise exits.ApprovalNeeded(f"{what} touch what needs a yes of its own; name it after --yes: {listed}")
    if not has_person():
        raise exits.ApprovalNeeded(f"taking over {what} has to be approved: add --yes")
    person = Person(place.stdout())
    if reasons and not person.confirm(f"{len(reasons)} of these paths are marked: is that what you want?"):
        return False
    return person.confirm(f"take over {what} as the new branch {safe.line(branch)}?")


def _count(commits: int) -> str:
    return f"{commits:,} commit{'' if commits == 1 else 's'}"
