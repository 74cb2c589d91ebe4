"""Every command under its name. What a command needs is imported when it runs, so that help is instant."""

from collections.abc import Callable

import typer
import typer.core

from cli import (
    apply,
    chat,
    demo,
    doctor,
    gc,
    hidden,
    images,
    look,
    network,
    policy,
    ports,
    ps,
    review,
    run,
    sessions,
    shell,
    undo,
)
from cli import exec as exec_command

CODES = """\b
Exit codes:
  0 done (pending changes are not an error)   5 conflict, nothing written
  1 the run failed                            6 no engine
  2 usage or configuration                    7 image missing or not buildable
  3 a limit was reached                       130 interrupted, 143 terminated
  4 approval was needed, nobody to ask        exec: the command's own
\b
Examples:
  paddock demo
  paddock run "fix the failing test"
  paddock review"""


class Commands(typer.core.TyperGroup):
    """A group that tells a forgotten `run` from a mistyped command."""

    def resolve_command(self, ctx, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - typer's own types are private
        """Find the command, or say what was probably meant."""
        name = args[0] if args else ""
        if " " in name.strip() and self.get_command(ctx, name) is None:
            raise typer.BadParameter(f'{name!r} is not a command: did you mean `paddock run "{name}"`?')
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="paddock",
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

app.callback(invoke_without_command=True, epilog=CODES)(chat.chat)


def _add(name: str, command: Callable[..., object], help_line: str, *examples: str, **settings: bool) -> None:
    """A command: its line in the list of commands, and the examples below its own help."""
    epilog = "\b\n" + "\n".join(["Examples:" if len(examples) > 1 else "Example:", *(f"  {one}" for one in examples)])
    app.command(name, short_help=help_line, epilog=epilog, context_settings=dict(settings))(command)


_add(
    "run",
    run.run,
    "Do one task, then ask what to keep.",
    'paddock run "fix the failing test"',
    'paddock run --apply auto --max-turns 20 "update the changelog"',
    "paddock run --output-format json - < task.txt",
    'paddock run --continue "now the same for orders.py"',
    'paddock run --sync --settings rules.json "rename the module"',
)
_add(
    "exec",
    exec_command.execute,
    "Run any command on a copy, then ask what to keep.",
    "paddock exec -- make test",
    "paddock exec --apply auto -- ruff check --fix .",
    "paddock exec --stdin -- python3 - < script.py",
    allow_interspersed_args=False,
)
_add("shell", shell.shell, "Open a shell on a copy, then ask what to keep.", "paddock shell")
_add(
    "ports",
    ports.ports,
    "List what listens in a running session, or reach it.",
    "paddock ports",
    "paddock ports 8000",
    "paddock ports 3f2a9c1b 9000:8000",
)
_add(
    "network",
    network.network,
    "List what a session asked of the world.",
    "paddock network",
    "paddock network 3f2a9c1b --refused",
    "paddock network --json",
)
_add("status", look.status, "List what waits.", "paddock status", "paddock status 3f2a9c1b --json")
_add(
    "diff",
    look.diff,
    "Show what waits, line by line or as a patch.",
    "paddock diff --stat",
    "paddock diff --why src/app.py",
    "paddock diff 3f2a9c1b src/ > changes.patch",
)
_add(
    "review",
    review.review,
    "Go through what waits and apply what you approve.",
    "paddock review",
    "paddock review src/",
)
_add(
    "apply",
    apply.apply,
    "Apply what waits.",
    "paddock apply",
    "paddock apply --yes 3f2a9c1b src/app.py",
    "paddock apply --watch 3f2a9c1b",
    "paddock apply --hunks src/app.py:1,3-4 --hunks README.md:2",
    "paddock apply --on-conflict markers src/app.py",
    "paddock apply --yes --json --change-set 9be0c41d",
    'paddock apply --commit -m "fix the rounding of totals" src/',
    "paddock apply --commits --branch fix/rounding",
)
_add("undo", undo.undo, "Take back the last apply.", "paddock undo", "paddock undo --yes 3f2a9c1b")
_add("discard", apply.discard, "Drop what waits.", "paddock discard notes.txt", "paddock discard --yes 3f2a9c1b")
_add(
    "hidden",
    hidden.hidden,
    "List the files that hold secrets and are not in the sandbox.",
    "paddock hidden",
    "paddock hidden --include '/.env.test' --include 'tests/certs/'",
)
app.add_typer(sessions.app, name="sessions", short_help="List, show and remove sessions.")
app.add_typer(policy.app, name="policy", short_help="Show the rules, and what they say about a path.")
app.add_typer(images.app, name="images", short_help="List and build images.")
_add("doctor", doctor.doctor, "Check this machine; --fix sets it up.", "paddock doctor", "paddock doctor --fix")
_add("ps", ps.ps, "List the sandboxes that run, and what they use.", "paddock ps", "paddock ps --all --json")
_add("gc", gc.gc, "Remove what dead runs left behind.", "paddock gc --yes --days 7")
_add("demo", demo.demo, "See it all on a sample project.", "paddock demo")
