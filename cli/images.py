"""`paddock images`: which images there are, and building one."""

import json
from typing import Annotated

import typer

from cli import options

app = typer.Typer(help="List and build the images that sandboxes run in.", rich_markup_mode=None, no_args_is_help=True)


@app.command("list", epilog="Example: paddock images list")
def list_(as_json: options.Json = False) -> None:
    """List the images of the catalog, and whether this engine has them."""
    from cli import place
    from cli.screen import safe
    from images import catalog

    listed = catalog.listed(place.connect().images)
    if as_json:
        rows = [{"name": one.name, "summary": one.summary, "id": one.id} for one in listed]
        place.stdout().line(json.dumps(rows, indent=1))
        return
    out = place.stdout()
    width = max((len(one.name) for one in listed), default=0)
    for one in listed:
        state = one.id.removeprefix("sha256:")[:12] if one.id else "not built"
        name = out.style(f"{safe.line(one.name):<{width}}", "bold")
        out.line(f"{name}  {out.style(f'{state:<12}', 'green' if one.id else 'dim')}  {safe.line(one.summary)}")


@app.command("build", epilog="Example: paddock images build base")
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `paddock images list`.")] = "base",
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build even if the engine has it.")] = False,
) -> None:
    """Build an image of the catalog from packages; nothing is fetched from an image registry."""
    from cli import place
    from cli.screen import safe
    from cli.screen.progress import Steps
    from images import catalog

    here = place.place()
    steps = Steps(place.stderr(), f"image {name}")
    try:
        engine = place.connect()
        image = catalog.build(name, engine.images, steps, rebuild=rebuild, cache=here.environment.cache)
    finally:
        steps.done()
    place.stdout().line(f"{safe.line(image.name)} {image.id}")
