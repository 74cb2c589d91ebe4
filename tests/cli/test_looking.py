"""Ctrl-C while a command looks at very many changes: it says how far it was, ends in order, and nothing is lost."""

import signal
from pathlib import Path

from cli import exits
from sandbox.gate.manifest import Manifest
from sandbox.sessions import Meta, Sessions, new_id, now

MANY = 30_000


def session_of(checkout, state):
    session = Sessions(state).create(
        Meta(
            id=new_id(), kind="exec", checkout=str(checkout), created=now(), image="sha256:0", image_name="none",
            uid=0, gid=0,
        )
    )  # fmt: skip
    session.upper.mkdir()
    Manifest.take(checkout).save(session.manifest)
    return session


def test_a_look_can_be_watched_and_interrupted_and_the_next_one_finds_all(terminal, project, variables, paddock):
    session = session_of(project, Path(variables["XDG_STATE_HOME"]) / "paddock")
    for number in range(MANY):
        (session.upper / f"f{number}").write_text(f"{number}\n")
    on_screen = terminal("status", cwd=project)
    on_screen.wait_for("looking at what changed:")
    on_screen.process.send_signal(signal.SIGINT)
    assert on_screen.end() == exits.INTERRUPTED
    assert f"it all waits: paddock status {session.id[:8]}" in " ".join(on_screen.screen.split())
    assert f"{MANY:,} files" in paddock("status", cwd=project).stdout
