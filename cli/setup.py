"""What a machine needs before anything can run: found, said, and put there with consent."""

from typing import TYPE_CHECKING

from cli import environment, exits, place
from cli.ask import Person, has_person
from cli.place import Place
from cli.screen import safe
from cli.screen.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.bootstrap import Missing


def ensure(here: Place, terminal: Terminal) -> bool:
    """Install and start what is missing, after saying so; False if somebody said no.

    On a terminal it asks; YES=1, or nobody to ask, goes ahead. Raises SetupFailed.
    """
    from sandbox import bootstrap

    wanted = missing()
    if not wanted or (all(one.what == "builder" for one in wanted) and _has_base()):
        return True
    announce(wanted, terminal)
    if has_person() and not here.environment.yes and not Person(terminal).confirm("install and start that now?"):
        return False
    bootstrap.install(wanted, state=here.environment.state, emit=lambda text: _tell(text, terminal))
    return True


def missing() -> "Sequence[Missing]":
    """What this machine lacks; no engine of its own, if one answers elsewhere."""
    from sandbox import bootstrap
    from sandbox.engine import Engine
    from sandbox.engine_places import places
    from sandbox.errors import EngineUnavailable

    found = bootstrap.missing()
    if any(one.what != "builder" for one in found):
        said = environment.of_engine()
        try:
            if all(one.socket is not None for one in places(said)):  # else nothing here would take its place
                Engine.connect(said)
        except EngineUnavailable:
            return found
    return [one for one in found if one.what == "builder"]


def _has_base() -> bool:
    """Whether the base image is there already: then nothing is needed to build it."""
    from images import catalog

    return any(one.id is not None for one in catalog.listed(place.connect().images) if one.name == catalog.DEFAULT)


def announce(wanted: "Sequence[Missing]", terminal: Terminal) -> None:
    """Say what is missing and what would be done about it."""
    terminal.line("This machine still needs something:")
    for one in wanted:
        terminal.line(f"  {safe.line(one.line)}")
    packages = [package for one in wanted for package in one.packages]
    if packages:
        terminal.line(f"  to install, as root, from this system's own packages: {' '.join(packages)}")


def refuse() -> exits.CliError:
    """The error for a set-up that somebody declined."""
    problem = exits.CliError("nothing was installed; `paddock doctor` says what is missing")
    problem.code = exits.NO_ENGINE
    return problem


def build_base(here: Place, terminal: Terminal) -> None:
    """Make sure that the base image is on the engine. Raises EngineUnavailable, ImageError."""
    place.image_for("base", place.connect(), here, terminal)


def _tell(text: str, terminal: Terminal) -> None:
    terminal.line(terminal.style(f"  {safe.line(text)}", "dim"))
