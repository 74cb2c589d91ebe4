"""`paddock doctor`: what works on this machine, one line a check; with --fix, what is missing is put there."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import options

if TYPE_CHECKING:
    from cli.place import Place
    from cli.screen.terminal import Terminal

Verdict = Literal["ok", "note", "missing"]
GIB = 1024**3
LITTLE_SPACE = 2 * GIB


@dataclass(frozen=True)
class Check:
    """One fact: `note` is worth knowing, `missing` keeps paddock from working. `code` is the exit code it asks for."""

    name: str
    verdict: Verdict
    text: str
    code: int = 0


def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Install, start and build what is missing; asks on a terminal.")
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Check that everything a session needs is here: engine, image, disk, key."""
    from cli import place, setup

    here = place.place()
    out = place.stdout()
    if fix:
        said = place.stderr()
        if not setup.ensure(here, said):
            raise setup.refuse()
        setup.build_base(here, said)
    checks = list(look(here))
    if as_json:
        out.line(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        for check in checks:
            _draw(check, out)
        if any(check.verdict == "missing" for check in checks):
            out.line("`paddock doctor --fix` puts what is missing there")
    return max((check.code for check in checks), default=0)


def look(here: "Place") -> Iterator[Check]:
    """Every check, in the order in which things are needed."""
    yield from _engine()
    yield _disk(here.environment.state)
    yield _key(here)
    if os.geteuid() == 0:
        yield Check("user", "note", "you are root: so are the files that are applied, and nobody stops a slip of yours")


def _engine() -> Iterator[Check]:
    from cli import exits
    from sandbox import bootstrap
    from sandbox.engine import Engine
    from sandbox.errors import EngineUnavailable

    missing = bootstrap.missing()
    builder = next((one.line for one in missing if one.what == "builder"), "")
    others = [Check("engine", "missing", one.line, exits.NO_ENGINE) for one in missing if one.what != "builder"]
    yield from others
    image = None
    try:
        engine = Engine.connect()
        facts = engine.facts()
    except EngineUnavailable as error:
        if not others:
            yield Check("engine", "missing", str(error), exits.NO_ENGINE)
    else:
        cgroup = facts.get("CgroupVersion", "1")
        yield Check(
            "engine", "ok", f"Docker {facts.get('ServerVersion', '?')}, {facts.get('Driver')}, cgroup v{cgroup}"
        )
        image = _image(engine.images)
        yield image
    if builder and image is not None and image.verdict == "ok":
        yield Check("builder", "note", f"{builder}; base is there already, so only a rebuild needs it")
    elif builder:
        yield Check("builder", "missing", builder, exits.NO_IMAGE)


def _image(store: object) -> Check:
    from images import catalog

    base = next(one for one in catalog.listed(store) if one.name == catalog.DEFAULT)  # type: ignore[arg-type]
    if base.id is None:
        return Check("image", "note", "base is not built yet: the first run builds it, in about a minute")
    return Check("image", "ok", f"base {base.id.removeprefix('sha256:')[:12]}")


def _disk(state: Path) -> Check:
    folder = next(one for one in (state, *state.parents) if one.exists())
    if not os.access(folder, os.W_OK):
        return Check("state", "missing", f"{folder} is not writable: set XDG_STATE_HOME to a folder that is", 1)
    free = shutil.disk_usage(folder).free
    verdict: Verdict = "ok" if free >= LITTLE_SPACE else "note"
    return Check("state", verdict, f"{state}, {free / GIB:.0f} GiB free")


def _key(here: "Place") -> Check:
    if here.environment.has_key:
        return Check("model", "ok", f"credentials for {here.environment.provider} are set")
    return Check("model", "note", "ANTHROPIC_API_KEY is not set: only `paddock demo` and `run --script` have a model")


def _draw(check: Check, out: "Terminal") -> None:
    from cli.screen import safe

    style = {"ok": "green", "note": "yellow", "missing": "red"}[check.verdict]
    out.line(f"{out.style(f'{check.verdict:<8}', style)} {check.name:<8} {safe.line(check.text)}")
