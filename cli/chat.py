"""`paddock`: a conversation in the same loop; the sandbox stays up between the turns."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.order import Order


def chat(
    ctx: typer.Context,
    directory: options.Directory = None,
    model: options.Model = "",
    permission_mode: options.PermissionMode = "default",
    apply: options.Apply = None,
    max_turns: options.MaxTurns = None,
    max_budget_usd: options.MaxBudget = None,
    image: options.ImageName = "base",
    continue_: options.Continue = False,
    resume: options.Resume = "",
    verbose: options.Verbose = False,
    script: options.Script = None,
    settings: options.Settings = "",
    sync: options.Sync = False,
    profile: options.Profile = None,
    runtime: options.Runtime = "",
    base: options.Base = None,
    publish: options.Publish = None,
    allow: options.Allow = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from; goes first.")] = False,
    show_version: Annotated[bool, typer.Option("--version", "-V", help="Show the version and exit.")] = False,
) -> int | None:
    """Coding agents run free in a container on a copy of your repository; nothing leaves without your say.

    Without a command: talk to an agent about the current folder.
    """
    from cli.order import Order
    from cli.version import version

    if show_version:
        typer.echo(f"paddock {version()}")
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        given = [name for name, value in ctx.params.items() if name != "debug" and value]
        if set(given) - {"permission_mode", "image"}:
            raise typer.BadParameter(f"options go after the command: `paddock {ctx.invoked_subcommand} --…`")
        return None
    del debug  # `cli.main` looks at it
    order = Order(
        directory=directory,
        model=model,
        mode=permission_mode,
        apply=apply,
        max_turns=max_turns,
        max_budget=max_budget_usd,
        image=image,
        resume=resume,
        newest=continue_,
        verbose=verbose,
        script=script,
        settings=settings,
        sync=sync,
        profile=profile,
        runtime=runtime,
        base=base,
        publish=tuple(publish or ()),
        allow=tuple(allow or ()),
    )
    return converse(order.checked())


def converse(order: "Order") -> int:
    """A conversation from its first prompt to Ctrl-D; returns the exit code."""
    from cli import exits
    from cli.agent import rehearsed, set_up
    from cli.ask import as_typed, has_person
    from cli.case import freeze
    from cli.conversation import Conversation
    from cli.screen.changes import show_list
    from cli.screen.output import Output
    from cli.settled import pending
    from cli.signals import run_async

    if not has_person():
        raise exits.Misuse('a conversation needs a terminal: `paddock run "…"` does one task without one')
    output = Output.of(order)
    setup = set_up(order, "chat", "", output.progress)
    output.head(setup)
    output.progress.status()
    code: int = exits.DONE
    try:
        with rehearsed(setup) as ready, as_typed():
            run_async(Conversation(ready, output).hold)
    except exits.LookInterrupted:
        output.close()
        raise  # a second look would take as long
    except (KeyboardInterrupt, exits.Terminated) as ending:
        code = exits.INTERRUPTED if isinstance(ending, KeyboardInterrupt) else exits.TERMINATED
    output.close()
    case = freeze(setup.session, order.settings)
    show_list(case, output.answer)
    output.end(pending(case))
    return code
