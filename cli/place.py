"""Where a command works: the checkout, the sessions, and how the engine and its images are reached."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli import environment
from cli.environment import Environment
from cli.screen.terminal import Terminal
from cli.words import count

if TYPE_CHECKING:
    from images.image import Image
    from sandbox.docker_sandbox import DockerSandbox
    from sandbox.engine import Engine
    from sandbox.hiding.hidden import Hidden
    from sandbox.sessions import Session, Sessions


@dataclass(frozen=True)
class Place:
    """What every command needs to know before it starts."""

    environment: Environment
    sessions: "Sessions"


def place() -> Place:
    """The user's own state, on this machine."""
    from sandbox.sessions import Sessions

    said = environment.read()
    return Place(said, Sessions(said.state))


def checkout(directory: Path | None) -> Path:
    """The folder to work on, with an interrupted apply to it finished or undone. Raises CheckoutRefused."""
    from sandbox.checkout import checked

    real = checked(directory or _here())
    recover(real, place().sessions)
    return real


def _here() -> Path:
    from sandbox.errors import CheckoutRefused

    try:
        return Path(os.getcwd())
    except FileNotFoundError as error:
        raise CheckoutRefused("the current folder is gone: `cd` to one that is there, or name one with -C") from error


def say_neighbours(folder: Path) -> None:
    """Say which running sessions share files with one that is about to start."""
    from cli.screen import safe
    from sandbox.neighbours import neighbours

    for one in neighbours(folder, place().sessions.all()):
        stderr().line(f"paddock: {safe.line(one.sentence)}")


def say_hidden(hidden: "Hidden") -> None:
    """Say what of the checkout a sandbox does not see."""
    from sandbox.hiding.telling import summary

    if text := summary(hidden):
        stderr().line(f"paddock: {text}")


def say_git(folder: Path) -> None:
    """Say why git will not work in a sandbox on this checkout as it does here, if it will not."""
    from cli.screen import safe
    from sandbox.workspace.gitfinding import outside

    for notice in outside(folder).notices:
        stderr().line(f"paddock: {safe.line(notice)}")


def say_engine(engine: "Engine") -> None:
    """Say what the engine takes no care of."""
    if notice := engine.kind.notice:
        stderr().line(f"paddock: {notice}")


def recover(folder: Path, sessions: "Sessions") -> None:
    """Finish or drop an apply that was killed half-way, and say so."""
    from sandbox.gate.recovery import recover as finish

    done = finish(folder, sessions=sessions)
    if done is not None:
        kind, verb, short = ("undo", "took back", "taken back") if done.is_undo else ("apply", "applied", "applied")
        is_finished = done.outcome == "applied"
        what = f"finished: {verb} {count(len(done.paths), 'file')}" if is_finished else f"dropped: nothing was {short}"
        stderr().line(f"paddock: an {kind} that was cut short has been {what} (session {done.session[:8]})")


def recover_of(session: "Session") -> None:
    """The same for a session's own checkout, if that is still there."""
    folder = Path(session.meta().checkout)
    if folder.is_dir():
        recover(folder, place().sessions)


def stdout() -> Terminal:
    """What this command prints."""
    return Terminal(sys.stdout, color=environment.read().color)


def stderr() -> Terminal:
    """What this command says besides."""
    return Terminal(sys.stderr, color=environment.read().color)


def connect() -> "Engine":
    """The engine, with what dead owners left on it swept away. Raises EngineUnavailable."""
    from sandbox import orphans
    from sandbox.engine import Engine

    engine = Engine.connect(environment.of_engine())
    orphans.sweep(engine)
    return engine


def image_for(name: str, engine: "Engine", here: Place, terminal: Terminal) -> "Image":
    """The image to run in, built or fetched if need be, with progress. Raises ImageError."""
    from cli.screen.progress import Steps
    from images import catalog

    steps = Steps(terminal, f"image {name}")
    try:
        found = catalog.resolve(name, engine.images, steps, cache=here.environment.cache)
    finally:
        steps.done()
    have_toolbox(engine, here, terminal)
    return found


def tell_carrying(sandbox: "DockerSandbox", terminal: Terminal) -> None:
    """Show how far a workspace is that has to be carried to its engine."""
    from cli.screen.progress import Steps

    steps = Steps(terminal, "workspace")
    sandbox.carrying.on_progress = lambda now: steps.done() if now is None else steps(now)


def have_toolbox(engine: "Engine", here: Place, terminal: Terminal) -> None:
    """See to it that what a sandbox brings along is on the engine, with progress. Raises ImageError, SandboxError."""
    from cli.screen.progress import Steps
    from sandbox import toolbox

    steps = Steps(terminal, "toolbox")
    try:
        toolbox.ensure(engine, steps, here.environment.cache)
    finally:
        steps.done()


def image_of(session: "Session", engine: "Engine", here: Place, terminal: Terminal) -> "Image":
    """The very image a session began with; if the engine has lost it, the one of its name, from now on its own."""
    from images.image import Image

    meta = session.meta()
    if engine.images.find(meta.image):
        have_toolbox(engine, here, terminal)
        return Image(meta.image_name, meta.image)
    image = image_for(meta.image_name, engine, here, terminal)
    if image.id != meta.image:
        session.save(meta.model_copy(update={"image": image.id}))
    return image
