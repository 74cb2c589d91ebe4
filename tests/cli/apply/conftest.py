"""A session with changes that wait, and with a conflict; no engine is needed."""

import os
from dataclasses import dataclass

import pytest

from cli.main import main
from sandbox.gate.manifest import Manifest
from sandbox.sessions import Meta, Sessions, new_id, now
from tests.cli.apply.texts import AGENT, TEXT


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def paddock(monkeypatch, capsys, variables):
    """Runs `paddock` in this process, with nobody to ask: a process each would be most of the time of these tests."""

    def run(*arguments, cwd):
        for name in ("HOME", "XDG_STATE_HOME"):
            monkeypatch.setenv(name, variables[name])
        monkeypatch.chdir(cwd)
        code = main(arguments)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def session(tmp_path, project):
    """A session on the project that edited one file and made one; no engine is needed."""
    (project / "src").mkdir()
    (project / "src" / "app.py").write_text(TEXT)
    sessions = Sessions(tmp_path / "state" / "paddock")
    facts = {"image": "sha256:0", "image_name": "none", "uid": os.getuid(), "gid": os.getgid()}
    made = sessions.create(Meta(id=new_id(), kind="exec", checkout=str(project), created=now(), **facts))
    made.upper.mkdir()
    Manifest.take(project).save(made.manifest)
    (made.upper / "src").mkdir()
    (made.upper / "src" / "app.py").write_text(AGENT)
    (made.upper / "new.txt").write_text("new\n")
    return made


@pytest.fixture
def conflict(session, project):
    """The same, with another version of the file in the checkout, and no base to merge with."""
    (project / "src" / "app.py").write_text("mine\n")
    return session
