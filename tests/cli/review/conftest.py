"""A review without an engine: a checkout, a session beside it, and what the sandbox wrote, crafted by hand."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.case import Case
from cli.screen.review.app import ReviewApp
from cli.screen.review.sitting import subject_of
from cli.screen.review.state import State
from cli.screen.review.subject import Subject
from sandbox.gate.blobs import Blobs
from sandbox.gate.manifest import Manifest
from sandbox.sessions import Meta, Sessions, new_id, now
from tests.sandbox.conftest import Gate


@dataclass
class Desk:
    """A gate, and the review of what lies at it."""

    gate: Gate

    @property
    def case(self) -> Case:
        return Case(self.gate.session, self.gate.checkout, self.gate.collect())

    @property
    def subject(self) -> Subject:
        case = self.case
        return subject_of(case, case.changes.pending)

    def app(self) -> ReviewApp:
        subject = self.subject
        return ReviewApp(subject, State({item.path: item for item in subject.items}))


@pytest.fixture
def desk(tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty checkout with a session, where a `paddock` that is started with `variables` finds it, too."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, variables[name])
    checkout = tmp_path / "project"
    checkout.mkdir()
    sessions = Sessions(Path(variables["XDG_STATE_HOME"]) / "paddock")
    meta = Meta(
        id=new_id(),
        kind="exec",
        checkout=str(checkout),
        created=now(),
        image="sha256:0",
        image_name="none",
        uid=os.getuid(),
        gid=os.getgid(),
    )
    session = sessions.create(meta)
    session.upper.mkdir()
    return Desk(Gate(checkout, session.upper, sessions, session, Manifest({}, b""), Blobs(session.blobs)))


@pytest.fixture
def lay_out(desk: Desk) -> Callable[[dict[str, str]], None]:
    """Fill the checkout; the session begins on it."""

    def fill(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = desk.gate.checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        desk.gate.begin()

    return fill
