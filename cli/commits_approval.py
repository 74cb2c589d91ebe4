"""Who has to say yes to commits: they leave whole or not at all, so what one of them does counts for all."""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli import exits
from cli.ask import Person, has_person
from cli.case import Case, relative
from cli.screen import safe
from cli.screen.terminal import Terminal
from cli.words import count
from sandbox.changes import ChangeSet
from sandbox.errors import CommitRefused

if TYPE_CHECKING:
    from runtime.permissions import Verdict
    from sandbox.commits.look import Brought
    from sandbox.gate.blobs import Blobs
    from sandbox.sessions import Session

ANSWERS = {"y": "yes", "n": "no", "d": "diff"}


@dataclass(frozen=True)
class Wish:
    """What the command said: with `yes` not to be asked; the paths it named, the deletions it stated, its settings."""

    paths: tuple[str, ...] = ()
    yes: bool = False
    deletions: int | None = None
    settings: str = ""


@dataclass(frozen=True)
class Judged:
    """Commits, and what the rules and the effects say about each thing that any of them does."""

    case: Case
    brought: "Brought"
    blobs: "Blobs"
    verdicts: "Mapping[bytes, Sequence[Verdict]]"

    @classmethod
    def of(cls, session: "Session", brought: "Brought", blobs: "Blobs", settings: str) -> "Judged":
        """Judge them. Raises SettingsError."""
        case = Case(session, Path(session.meta().checkout), ChangeSet(), settings)
        host = replace(case.host, tracked=None)  # what commits delete, git has
        verdicts: dict[bytes, list[Verdict]] = {}
        for change in brought.changes:
            verdict = case.policy.judge(change, lambda file, limit: blobs.read(file.digest, limit), host)
            verdicts.setdefault(change.path, []).append(verdict)
        return cls(case, brought, blobs, verdicts)

    def warnings(self, path: bytes) -> Sequence[str]:
        """Why a path deserves a look, in a few words."""
        shorts = [verdict.short for verdict in self.verdicts[path] if not verdict.is_ordinary]
        others = ["code of another repository"] if path in self.brought.submodules else []
        return tuple(dict.fromkeys([*shorts, *others]))

    @functools.cached_property
    def special(self) -> tuple[bytes, ...]:
        """The paths that need a yes of their own."""
        return tuple(path for path in sorted(self.verdicts) if self.warnings(path))

    def require_allowed(self) -> None:
        """Raise CommitRefused if a rule denies any of it: nobody can approve that."""
        for path, verdicts in self.verdicts.items():
            for verdict in verdicts:
                if verdict.decision == "deny":
                    raise CommitRefused(
                        f"the commits stay in the sandbox, because {safe.path(path)} is {safe.line(verdict.reason)}: "
                        "have them made again without it"
                    )


def is_approved(judged: Judged, wish: Wish, branch: str, terminal: Terminal) -> bool:
    """Whether the branch is to be made.

    Raises ApprovalNeeded where somebody has to be asked and nobody is there, or `--yes` does not cover it all;
    CommitRefused for what a rule denies; Misuse for a path that no commit touches.
    """
    judged.require_allowed()
    unnamed = _unnamed(judged, wish)
    if wish.yes and unnamed:
        listed = " ".join(safe.path(path) for path in unnamed)
        raise exits.ApprovalNeeded(
            f"--yes alone does not cover these: name what you mean, or leave --yes out: {listed}"
        )
    if not wish.yes and not has_person():
        raise exits.ApprovalNeeded(
            f"taking over {count(len(judged.brought.commits), 'commit')} has to be approved: add --yes"
        )
    if not _is_sure(judged, wish, terminal):
        return False
    return wish.yes or _asked(judged, unnamed, branch, terminal)


def _unnamed(judged: Judged, wish: Wish) -> list[bytes]:
    """The paths that need a yes of their own, and were not named."""
    named = []
    for path in wish.paths:
        wanted = os.fsencode(relative(path, judged.case.checkout)).rstrip(b"/")
        if not any(one == wanted or one.startswith(wanted + b"/") for one in judged.verdicts):
            raise exits.Misuse(f"no commit touches {path!r}")
        named.append(wanted)
    return [path for path in judged.special if not any(path == one or path.startswith(one + b"/") for one in named)]


def _is_sure(judged: Judged, wish: Wish, terminal: Terminal) -> bool:
    """Whether a mass deletion is meant, by its number."""
    mass = judged.case.mass_deletion(judged.brought.lasting)
    if mass is None or wish.deletions == mass.files:
        return True
    terminal.line(terminal.style(f"this {mass.reason}", "red"))
    if wish.deletions is not None or not has_person():
        raise exits.ApprovalNeeded(
            f"the number of files that the commits delete is {mass.files}: --deletions states it"
        )
    return Person(terminal).confirm_number(f"{mass.files:,} files are deleted on the new branch.", mass.files)


def _asked(judged: Judged, special: Sequence[bytes], branch: str, terminal: Terminal) -> bool:
    """One question for what needs its own yes, one for all."""
    from cli.screen.commits import show_contents

    person = Person(terminal)
    for path in special:
        reasons = [verdict.reason for verdict in judged.verdicts[path] if not verdict.is_ordinary]
        reason = reasons[0] if reasons else "it names a commit of another repository, whose code you have not seen"
        terminal.line(terminal.style(f"  {safe.path(path)}  {safe.line(reason)}", "yellow"))
    if special and not person.confirm("is that what you want?"):
        return False
    question = f"take over {count(len(judged.brought.commits), 'commit')} as the new branch {safe.line(branch)}?"
    while (answer := person.choose(question, ANSWERS, "n")) == "d":
        show_contents(judged.brought, judged.blobs, terminal)
    return answer == "y"
