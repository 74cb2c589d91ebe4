"""`paddock doctor`: what works on this machine, one line a check; with --fix, what is missing is put there."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.doctor_check import Check

if TYPE_CHECKING:
    from cli.place import Place
    from cli.screen.terminal import Terminal
    from images.image import Image
    from runtime.sandbox_choice import Chosen
    from sandbox.engine import Engine

STYLES = {"ok": "green", "note": "yellow", "missing": "red", "failed": "red"}


def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Install, start and build what is missing; asks on a terminal.")
    ] = False,
    require_patched: Annotated[
        bool, typer.Option("--require-patched", help="End with 1 if the engine or a part of it has a known hole.")
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Check that all a session needs is here, and that a sandbox holds: one is started, tried and thrown away."""
    from cli import place, setup

    here = place.place()
    out = place.stdout()
    if fix:
        said = place.stderr()
        if not setup.ensure(here, said):
            raise setup.refuse()
        setup.build_base(here, said)
    checks = []
    for check in look(here, must_be_patched=require_patched):
        checks.append(check)
        if not as_json:
            _draw(check, out)
    if as_json:
        out.line(json.dumps([asdict(check) for check in checks], indent=1))
    elif any(check.verdict == "missing" for check in checks):
        out.line("`paddock doctor --fix` puts what is missing there")
    return max((check.code for check in checks), default=0)


def look(here: "Place", *, must_be_patched: bool = False) -> Iterator[Check]:
    """Every check, in the order in which things are needed."""
    from cli import doctor_host

    yield from _engine(here, must_be_patched=must_be_patched)
    yield doctor_host.disk(here.environment.state)
    yield doctor_host.checkout(Path.cwd())
    yield doctor_host.key(here.environment)
    if os.geteuid() == 0:
        yield Check("user", "note", "you are root: so are the files that are applied, and nobody stops a slip of yours")


def _engine(here: "Place", *, must_be_patched: bool) -> Iterator[Check]:
    """What runs sandboxes, and the sandbox that is chosen here."""
    from cli import doctor_sandbox, environment, exits, setup
    from sandbox.engine import Engine
    from sandbox.errors import EngineUnavailable

    missing = setup.missing()
    builder = next((one.line for one in missing if one.what == "builder"), "")
    others = [Check("engine", "missing", one.line, exits.NO_ENGINE) for one in missing if one.what != "builder"]
    yield from others
    image = None
    try:
        engine = Engine.connect(environment.of_engine())
        machine = engine.machine
    except EngineUnavailable as error:
        if not others:
            yield Check("engine", "missing", str(error), exits.NO_ENGINE)
        _, profile = doctor_sandbox.chosen_here(Path.cwd(), None)
    else:
        found, profile = doctor_sandbox.chosen_here(Path.cwd(), machine)
        image = _image(engine)
        yield from _found(here, found, image, engine, must_be_patched=must_be_patched)
    if builder and image is not None:
        yield Check("builder", "note", f"{builder}; base is there already, so only a rebuild needs it")
    elif builder:
        yield Check("builder", "missing", builder, exits.NO_IMAGE)
    yield profile


def _found(
    here: "Place", found: "Chosen | None", image: "Image | None", engine: "Engine", *, must_be_patched: bool
) -> Iterator[Check]:
    """An engine that answers, what lies on it, and a sandbox there."""
    from cli import doctor_engine
    from sandbox.advisories import changelogs

    must_be_patched |= found is not None and found.must_be_patched
    yield Check("socket", "ok", f"{engine.place.address} ({engine.place.why})")
    docs = changelogs(engine.place)
    yield from doctor_engine.of_engine(engine.known, docs=docs, must_be_patched=must_be_patched)
    yield doctor_engine.leftovers(engine)
    yield _said(image)
    if image is not None and found is not None:
        yield from _tried(here, found, image, engine)


def _tried(here: "Place", found: "Chosen", image: "Image", engine: "Engine") -> Iterator[Check]:
    """The sandbox itself, where that takes no building of anything."""
    from cli import doctor_sandbox
    from sandbox import toolbox

    if toolbox.is_there(engine):
        yield from doctor_sandbox.tried(found.choice, image, engine, here.environment.state)
    else:
        yield Check("sandbox", "note", "not tried: the toolbox is not built yet, which the first run does")


def _image(engine: "Engine") -> "Image | None":
    from images import catalog
    from images.image import Image

    base = next(one for one in catalog.listed(engine.images) if one.name == catalog.DEFAULT)
    return Image(base.name, base.id) if base.id is not None else None


def _said(image: "Image | None") -> Check:
    if image is None:
        return Check("image", "note", "base is not built yet: the first run builds it, in about a minute")
    return Check("image", "ok", f"base {image.id.removeprefix('sha256:')[:12]}")


def _draw(check: Check, out: "Terminal") -> None:
    from cli.screen import safe

    out.line(f"{out.style(f'{check.verdict:<8}', STYLES[check.verdict])} {check.name:<9} {safe.line(check.text)}")
