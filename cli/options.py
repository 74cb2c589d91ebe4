"""The options that several commands share, each described once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Mode = Literal["default", "acceptEdits", "plan", "bypassPermissions"]
Dial = Literal["ask", "auto", "never"]
Format = Literal["text", "json", "stream-json"]
ProfileName = Literal["strict", "default", "egress", "build", "compat"]
BaseKind = Literal["auto", "live", "frozen", "copy"]
Way = Literal["ask", "mine", "theirs", "markers"]

Directory = Annotated[
    Path | None,
    typer.Option("-C", metavar="DIR", help="Work on DIR instead of the current folder.", show_default=False),
]
ImageName = Annotated[
    str,
    typer.Option("--image", metavar="IMAGE", help="Image to run in: a name from `paddock images list`, a tag or id."),
]
Profile = Annotated[
    ProfileName | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="How tight: strict (reads only), default, egress (a proxy), build (root inside, a proxy) or compat.",
        show_default=False,
    ),
]
Runtime = Annotated[
    str,
    typer.Option("--runtime", metavar="NAME", help="The engine's runtime, such as crun or runsc.", show_default=False),
]
Base = Annotated[
    BaseKind | None,
    typer.Option(
        "--base", metavar="KIND", help="What the copy lies on: auto, live, frozen or copy.", show_default=False
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="HOST",
        help="Let what runs inside read from HOST (GET, HEAD), or *.HOST, or HOST:PORT; needs --profile egress, build "
        "or compat. May be repeated.",
        show_default=False,
    ),
]
Apply = Annotated[
    Dial | None,
    typer.Option(
        "--apply",
        metavar="ask|auto|never",
        help="What to do with the changes: ask (on a terminal), apply what needs no look of its own, or leave them.",
        show_default=False,
    ),
]
Settings = Annotated[
    str,
    typer.Option(
        "--settings", metavar="FILE|JSON", help="More permission rules, above the user's own.", show_default=False
    ),
]
Deletions = Annotated[
    int | None,
    typer.Option(
        "--deletions",
        min=0,
        metavar="N",
        help="Let a mass deletion pass without being asked, if it deletes exactly N files.",
        show_default=False,
    ),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="While the session runs elsewhere, apply what rules allow after each of its turns."),
]
Sync = Annotated[
    bool,
    typer.Option("--sync", help="Apply what the permission rules allow after every step; the rest waits."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking; for scripts.")]
Hunks = Annotated[
    list[str] | None,
    typer.Option(
        "--hunks",
        metavar="FILE:1,3-4",
        help="Of FILE only these hunks, as `paddock diff` numbers them; the rest stays pending. May be repeated.",
        show_default=False,
    ),
]
OnConflict = Annotated[
    Way,
    typer.Option(
        "--on-conflict",
        metavar="ask|mine|theirs|markers",
        help="Where you and the sandbox changed the same: ask, keep yours, take the sandbox's, or write both versions "
        "with markers to FILE.paddock-merge.",
    ),
]
ChangeSetId = Annotated[
    str,
    typer.Option(
        "--change-set",
        metavar="ID",
        help="Apply only if this is still the change set (`paddock status --json` names it), or end with 5.",
        show_default=False,
    ),
]
Commits = Annotated[
    bool,
    typer.Option("--commits", help="Take the commits made in the sandbox instead, as a new branch; files still wait."),
]
Branch = Annotated[
    str,
    typer.Option(
        "--branch", metavar="NAME", help="With --commits: the new branch's name. [paddock/SESSION]", show_default=False
    ),
]
Commit = Annotated[
    bool, typer.Option("--commit", help="Commit exactly what is applied, on the current branch; takes -m.")
]
Message = Annotated[
    list[str] | None,
    typer.Option(
        "--message",
        "-m",
        metavar="TEXT",
        help="With --commit: its message; several are its paragraphs.",
        show_default=False,
    ),
]
Publish = Annotated[
    list[str] | None,
    typer.Option(
        "--publish",
        metavar="[HOSTPORT:]PORT",
        help="Reach a port of the sandbox on 127.0.0.1; without HOSTPORT the same one if it is free. May be repeated.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SessionAndPaths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SESSION] [PATH]...",
        help="A session id or its beginning (without one: the newest of this checkout), then paths.",
        show_default=False,
    ),
]
Model = Annotated[str, typer.Option("--model", metavar="NAME", help="The model to use.", show_default=False)]
PermissionMode = Annotated[
    Mode,
    typer.Option(
        "--permission-mode",
        metavar="MODE",
        help="default, acceptEdits (applies at the end), plan (reads only) or bypassPermissions.",
    ),
]
MaxTurns = Annotated[
    int | None, typer.Option("--max-turns", min=1, metavar="N", help="End after N answers.", show_default=False)
]
MaxBudget = Annotated[
    float | None,
    typer.Option("--max-budget-usd", min=0.0, metavar="USD", help="End when this is spent.", show_default=False),
]
Continue = Annotated[bool, typer.Option("--continue", "-c", help="Go on with the newest session of this checkout.")]
Resume = Annotated[str, typer.Option("--resume", "-r", metavar="ID", help="Go on with session ID.", show_default=False)]
Output = Annotated[
    Format,
    typer.Option("--output-format", metavar="FORMAT", help="text, json (the result) or stream-json (every event)."),
]
PartialMessages = Annotated[
    bool, typer.Option("--include-partial-messages", help="With stream-json: the model's raw stream as well.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the whole output of every tool call.")]
Script = Annotated[
    Path | None,
    typer.Option(
        "--script", metavar="FILE", help="Rehearse: answers come from FILE, no key needed.", show_default=False
    ),
]
