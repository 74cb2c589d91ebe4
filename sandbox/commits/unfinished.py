"""A note that a commit is about to be made, so that the next command can say what became of one that was cut short."""

from pathlib import Path

import pydantic

from sandbox.commits.making import Prepared
from sandbox.commits.repository import find
from sandbox.errors import CommitRefused, StateError
from sandbox.escape import escape
from sandbox.sessions import Session, read_record, write_record

_NAME = "committing"


class _Note(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    commit: str
    subject: str


def remember(session: Session, prepared: Prepared) -> None:
    """Note it, before anything is applied."""
    subject = prepared.subject.encode("utf-8", "replace").decode()
    write_record(session.path / _NAME, _Note(commit=prepared.id, subject=subject))


def forget(session: Session) -> None:
    """It has come to its end, whichever."""
    (session.path / _NAME).unlink(missing_ok=True)


def cut_short(session: Session) -> str | None:
    """What became of a commit that a killed process was about to make, in a sentence; None if there was none.

    It is said once. The files themselves are the apply's business, which is finished or undone as a whole.
    """
    path = session.path / _NAME
    if not path.exists() or session.is_held():
        return None
    try:
        note = read_record(path, _Note)
    except StateError:
        note = _Note(commit="", subject="")
    forget(session)
    shown = f"the commit “{escape(note.subject)}” was cut short"
    if _is_head(session, note.commit):
        return f"{shown} after it was made: `git reset` brings git's index up to date, and changes no file"
    return f"{shown} and is not made: if its files are applied, as `git status` shows, commit them by hand"


def _is_head(session: Session, commit: str) -> bool:
    try:
        return find(Path(session.meta().checkout)).head() == commit
    except (CommitRefused, StateError):
        return False
