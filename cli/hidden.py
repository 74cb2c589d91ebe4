"""`paddock hidden`: what of a checkout a sandbox does not see."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.screen.terminal import Terminal
    from sandbox.hiding.hidden import Hidden


def hidden(
    directory: options.Directory = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include", metavar="PATTERN", help="Try a pattern of files that may be seen anyway. May be repeated."
        ),
    ] = None,
    settings: options.Settings = "",
    as_json: options.Json = False,
) -> None:
    """List what a sandbox that is started now would not see of the checkout, and why.

    Nothing is started, and nothing is changed. What a session did not see is in `paddock status`.
    """
    from cli import place, rules
    from runtime.sandbox_choice import Flags, chosen
    from sandbox.hiding.finding import find
    from sandbox.hiding.telling import as_json as told

    folder = place.checkout(directory)
    choice = chosen(folder, rules.files(settings), Flags()).choice
    found = find(folder, (*choice.include, *(include or ())))
    out = place.stdout()
    if as_json:
        out.line(json.dumps({"checkout": str(folder), **told(found)}, indent=1))
        return
    _show(found, out)


def _show(found: "Hidden", out: "Terminal") -> None:
    from cli.screen import safe
    from sandbox.hiding.telling import reason

    for secret in found.secrets:
        out.line(safe.path(secret.path))
        for row in out.wrap_words(reason(secret), indent=4):
            out.line(out.style(row, "yellow" if secret.is_tracked else "dim"))
    for path in found.redacted:
        out.line(safe.path(path))
        out.line(out.style("    is there without the passwords and tokens in it: git needs it", "dim"))
    if not found.secrets and not found.redacted:
        out.line("nothing is hidden: no file here has a name under which secrets are kept")
