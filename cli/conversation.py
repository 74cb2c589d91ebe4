"""The turns of a conversation: read, run, say what waits; and the commands that begin with a slash."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, get_args

import anyio
import anyio.to_thread

from cli import gate, place
from cli.agent import Setup, agent_in, syncing, warming, watched
from cli.case import Case
from cli.jobs import job_lines, kill
from cli.keys import Keys
from cli.options import Mode
from cli.order import DIALS, title_of
from cli.ports import published
from cli.reaching import asker
from cli.screen import safe
from cli.screen.changes import show_list
from cli.screen.diffs import show_diff
from cli.screen.events import cost
from cli.screen.input import Input
from cli.screen.looking import looking
from cli.screen.output import Output
from cli.settled import Consent, Settled, pending
from cli.signals import Interrupts
from cli.truth import Applied, Truth, Unchanged, sentence

if TYPE_CHECKING:
    from runtime.loop import Agent
    from sandbox.docker_sandbox import DockerSandbox

After = Literal["exit", "reopen", "discard"]

HELP: Final = """\
/diff      show what waits            /review    go through it and apply what you approve
/apply     apply all that waits       /discard   drop everything this session wrote
/status    list what waits            /cost      tokens and money so far
/sync on   apply after every step what the rules allow; /sync off leaves all of it for you
/mode M    default, acceptEdits, plan or bypassPermissions
/jobs      what runs in the background; /kill ID ends one of it, /kill all everything
/exit      leave (or Ctrl-D); what waits is kept
Enter sends, Alt-Enter or Ctrl-J begins a new line, Esc or Ctrl-C interrupts a turn."""


class Conversation:
    """One session at the terminal. The sandbox is opened once, and again only after `/discard`."""

    def __init__(self, setup: Setup, output: Output) -> None:
        self._setup = setup
        self._output = output
        self._out = output.answer
        self._mode: Mode = setup.order.mode
        self._syncs = setup.order.sync
        self._truth: Truth = Unchanged()
        self._input = Input(setup.here.environment.state, self._toolbar)
        self._keys: Keys | None = None
        self._asking = anyio.Lock()
        self._has_title = bool(setup.session.meta().title)

    async def hold(self, interrupts: Interrupts) -> None:
        """Talk until the user leaves."""
        from sandbox.gate.discard import discard_all
        from sandbox.opening import opened

        ask = asker(self._out, self._aside)
        after: After = "discard"
        while after == "discard":
            setup = self._setup
            async with (
                opened(setup.session, setup.engine, lazily=True, variables=setup.variables, ask=ask) as sandbox,
                published(sandbox, setup.order.publish, self._out.line),
            ):
                place.tell_carrying(sandbox, self._out)
                after = "reopen"
                while after == "reopen":
                    async with (
                        agent_in(self._setup, sandbox, self._mode) as agent,
                        watched(self._setup, sandbox, agent),
                    ):
                        self._set_sync(agent, sandbox)
                        after = await self._talk(agent, sandbox, interrupts)
            if after == "discard":
                with self._setup.session.hold():
                    discard_all(self._setup.session)
                self._truth = Unchanged()
                self._out.line("discarded; the copy is as the checkout again")

    @contextlib.asynccontextmanager
    async def _aside(self) -> AsyncIterator[None]:
        """While the block runs, a question has the terminal, whoever read from it."""
        async with self._asking, self._input.aside() if self._keys is None else self._keys.aside():
            yield

    async def _talk(self, agent: "Agent", sandbox: "DockerSandbox", interrupts: Interrupts) -> After:
        while True:
            async with self._asking:
                pass  # one that was asked in the turn is answered first
            text = await self._input.read()
            if text is None:
                return "exit"
            if text.startswith("/"):
                after = await self._command(text, agent, sandbox)
                if after is not None:
                    return after
            elif text.strip():
                await self._turn(text, agent, sandbox, interrupts)

    async def _turn(self, text: str, agent: "Agent", sandbox: "DockerSandbox", interrupts: Interrupts) -> None:
        self._name(text)
        self._out.line()
        keys = self._keys = Keys(agent.interrupt)
        async with anyio.create_task_group() as group:
            group.start_soon(keys.watch)
            with interrupts.ending(agent.interrupt):
                finished = await agent.run(text, warming(self._output.guarded(agent.interrupt), sandbox))
            self._keys = None
            group.cancel_scope.cancel()
        self._input.typed_ahead, self._input.leaves = keys.typed, keys.leaves
        self._output.close()
        case = await self._case(sandbox)
        policy = self._setup.order.apply or DIALS[self._mode]
        if policy == "auto" and finished.outcome == "success" and case.changes.pending:
            self._settle(gate.apply_all(case, self._out))
            return
        self._truth = pending(case)
        self._tell()

    async def _command(self, text: str, agent: "Agent", sandbox: "DockerSandbox") -> After | None:
        name, _, argument = text.strip().partition(" ")
        match name:
            case "/exit" | "/quit":
                return "exit"
            case "/help":
                self._out.line(HELP)
            case "/cost":
                self._out.line(cost(agent.total))
            case "/jobs" | "/kill":
                for line in await kill(argument.strip(), sandbox) if name == "/kill" else job_lines(sandbox.processes):
                    self._out.line(line)
            case "/mode":
                return self._switch(argument.strip())
            case "/sync":
                self._switch_sync(argument.strip(), agent, sandbox)
            case "/discard":
                return await self._discard(sandbox)
            case "/review":
                await self._review(sandbox)
            case "/diff" | "/status" | "/apply":
                await self._judge(COMMANDS[name], sandbox)
            case _:
                self._out.line(f"there is no {safe.line(name)}: /help lists the commands")
        return None

    async def _judge(self, act: "Act", sandbox: "DockerSandbox") -> None:
        """Something on the frozen changes that may ask; a Ctrl-C in a question leaves everything pending."""
        case = await self._case(sandbox)
        try:
            settled = await anyio.to_thread.run_sync(act, case, self._output, abandon_on_cancel=True)
        except KeyboardInterrupt:
            settled = Settled(pending(case))
        self._settle(settled)

    async def _review(self, sandbox: "DockerSandbox") -> None:
        """The whole screen is the review's, in this very loop; a Ctrl-C in it leaves everything pending."""
        from cli.reviewing import review_in_loop

        case = await self._case(sandbox)
        settled = Settled(pending(case))
        if case.changes.pending:
            with contextlib.suppress(KeyboardInterrupt):
                settled = await review_in_loop(case, self._out)
        if isinstance(settled.truth, Applied):
            left = len((await self._case(sandbox)).changes.pending)  # half a file may wait, which was one file before
            settled = replace(settled, truth=replace(settled.truth, left=left))
        self._settle(settled)

    async def _discard(self, sandbox: "DockerSandbox") -> After | None:
        case = await self._case(sandbox)
        show_list(case, self._out)
        try:
            sure = await anyio.to_thread.run_sync(_confirm_discard, self._output, abandon_on_cancel=True)
        except KeyboardInterrupt:
            sure = False
        return "discard" if sure else None

    def _switch(self, mode: str) -> After | None:
        for known in get_args(Mode):
            if mode == known:
                self._mode = known
                self._out.line(f"mode: {mode}")
                return "reopen"
        self._out.line(f"mode: {self._mode} (there are {', '.join(get_args(Mode))})")
        return None

    def _switch_sync(self, argument: str, agent: "Agent", sandbox: "DockerSandbox") -> None:
        if argument in ("on", "off"):
            self._syncs = argument == "on"
        self._set_sync(agent, sandbox)
        self._out.line(
            f"sync: {'on' if self._syncs else 'off'}" + ("" if argument in ("on", "off") else " (on or off)")
        )

    def _set_sync(self, agent: "Agent", sandbox: "DockerSandbox") -> None:
        agent.after_calls = syncing(self._setup, sandbox, self._mode) if self._syncs else None

    async def _case(self, sandbox: "DockerSandbox") -> Case:
        running = await sandbox.running()
        with looking(self._out) as tell:
            changes = await sandbox.freeze(tell)
        return Case(self._setup.session, self._setup.checkout, changes, self._setup.order.settings, running)

    def _settle(self, settled: Settled) -> None:
        self._truth = settled.truth
        self._tell()

    def _tell(self) -> None:
        hint = "" if isinstance(self._truth, Unchanged | Applied) else " (here: /review)"
        self._out.line(self._out.style(f"{sentence(self._truth)}{hint}", "bold"))
        self._out.line()

    def _toolbar(self) -> str:
        mode = f"{self._mode} · sync" if self._syncs else self._mode
        return f"{mode} · {sentence(self._truth)} · /help"

    def _name(self, text: str) -> None:
        """The first prompt is the session's title."""
        if not self._has_title:
            session = self._setup.session
            session.save(session.meta().model_copy(update={"title": title_of(text)}))
            self._has_title = True


Act = Callable[[Case, Output], Settled]


def _show(case: Case, output: Output) -> Settled:
    show_list(case, output.answer)
    return Settled(pending(case))


def _diff(case: Case, output: Output) -> Settled:
    from sandbox.gate.blobs import Blobs

    for change in case.changes.pending:
        show_diff(change, Blobs(case.session.blobs), output.answer)
    return Settled(pending(case))


def _apply(case: Case, output: Output) -> Settled:
    from cli.approving import Wish, approve

    waiting = case.changes.pending
    show_list(case, output.answer)
    if not waiting:
        return Settled(pending(case))
    return approve(case, waiting, Wish(yes=False, paths=(), consent=Consent(can_ask=True)), output.answer)


def _confirm_discard(output: Output) -> bool:
    from cli.ask import Person

    return Person(output.answer).confirm("discard everything this session wrote? It cannot be brought back.")


COMMANDS: Mapping[str, Act] = {"/status": _show, "/diff": _diff, "/apply": _apply}
