"""`paddock run`: one task to its end, then the gate."""

import functools
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.agent import Setup
    from cli.order import Order
    from cli.screen.output import Output
    from cli.settled import Settled
    from cli.signals import Interrupts
    from runtime.events import Finished


def run(
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="The task; - reads it from stdin.", show_default=False)
    ],
    directory: options.Directory = None,
    model: options.Model = "",
    permission_mode: options.PermissionMode = "default",
    apply: options.Apply = None,
    max_turns: options.MaxTurns = None,
    max_budget_usd: options.MaxBudget = None,
    image: options.ImageName = "base",
    continue_: options.Continue = False,
    resume: options.Resume = "",
    output_format: options.Output = "text",
    include_partial_messages: options.PartialMessages = False,
    verbose: options.Verbose = False,
    script: options.Script = None,
    deletions: options.Deletions = None,
    settings: options.Settings = "",
    sync: options.Sync = False,
    profile: options.Profile = None,
    runtime: options.Runtime = "",
    base: options.Base = None,
    publish: options.Publish = None,
    allow: options.Allow = None,
) -> int:
    """Do one task in a container on a copy of the checkout, then ask what to keep.

    The last line says what is true of the checkout: unchanged, files pending, or files applied.
    """
    from cli.order import Order, read_prompt

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
        output=output_format,
        partial=include_partial_messages,
        verbose=verbose,
        script=script,
        deletions=deletions,
        settings=settings,
        sync=sync,
        profile=profile,
        runtime=runtime,
        base=base,
        publish=tuple(publish or ()),
        allow=tuple(allow or ()),
    )
    return carry_out(order.checked(), read_prompt(prompt))


def carry_out(order: "Order", prompt: str) -> int:
    """Run an order to its end and settle it; returns the exit code."""
    from cli import exits
    from cli.agent import rehearsed, set_up
    from cli.case import freeze
    from cli.order import title_of
    from cli.screen.output import Output
    from cli.settled import Settled, pending
    from cli.signals import run_async

    output = Output.of(order)
    setup = set_up(order, "run", title_of(prompt), output.progress)
    output.head(setup)
    code: int
    try:
        with rehearsed(setup) as ready:
            finished = run_async(functools.partial(drive, ready, prompt, output))
        settled = _settle(setup, finished, output)
        code = CODES[finished.outcome] or settled.code
    except exits.LookInterrupted:
        output.close()
        raise  # a second look would take as long
    except (KeyboardInterrupt, exits.Terminated) as ending:
        output.close()
        settled = Settled(pending(freeze(setup.session, order.settings)))
        code = exits.INTERRUPTED if isinstance(ending, KeyboardInterrupt) else exits.TERMINATED
    output.end(settled.truth)
    return code


CODES = {"success": 0, "failed": 1, "max-turns": 3, "max-budget": 3, "interrupted": 130}


async def drive(setup: "Setup", prompt: str, output: "Output", interrupts: "Interrupts") -> "Finished":
    """One prompt, in a sandbox that starts while the first request runs; Ctrl-C ends the turn in order."""
    from cli import place
    from cli.agent import agent_in, syncing, watched
    from cli.ports import published
    from cli.reaching import asker
    from sandbox.opening import opened

    ask = asker(output.progress) if setup.order.terms.can_ask else None
    async with (
        opened(setup.session, setup.engine, variables=setup.variables, ask=ask) as sandbox,
        published(sandbox, setup.order.publish, output.progress.line),
        agent_in(setup, sandbox, setup.order.mode) as agent,
        watched(setup, sandbox, agent),
    ):
        place.tell_carrying(sandbox, output.progress)
        agent.after_calls = syncing(setup, sandbox, setup.order.mode) if setup.order.sync else None
        emit = output.guarded(agent.interrupt)
        with interrupts.ending(agent.interrupt):
            finished = await agent.run(prompt, emit)
    if emit.is_closed:
        raise BrokenPipeError
    return finished


def _settle(setup: "Setup", finished: "Finished", output: "Output") -> "Settled":
    """The gate; what was cut short is never applied by itself."""
    from dataclasses import replace

    from cli.ending import settle

    output.close()
    terms = setup.order.terms
    match finished.outcome:
        case "success":
            pass
        case "max-turns" | "max-budget" if terms.dial == "ask" and terms.can_ask:
            pass
        case _:
            terms = replace(terms, dial="never")
    return settle(setup.session, terms, output.progress)
