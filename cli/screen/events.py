"""What happens during a run, drawn as text while it happens."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol, assert_never

from cli.screen import safe
from cli.screen.blocks import Block, denied
from cli.screen.prose import Prose
from cli.screen.terminal import Terminal
from cli.words import count
from runtime.events import (
    AssistantMessage,
    Denied,
    Event,
    Finished,
    HostEdited,
    LimitsReached,
    Notice,
    Partial,
    Retrying,
    Started,
    TextDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    Usage,
    UserMessage,
)
from sandbox.gate.edits import HostEdit
from sandbox.limits import counted

MOST_NAMED: Final = 3  # edited files of one kind that a line names
WIDEST: Final = 100  # columns of prose; longer lines are hard to read


class Screen(Protocol):
    """Whatever draws events: text for people, JSON for programs."""

    def __call__(self, event: Event, /) -> None:
        """Draw one event, in order, at once."""
        ...

    def close(self) -> None:
        """Nothing more comes: leave the terminal in order."""
        ...


class TextScreen:
    """Draws the model's answer on `answer` and everything else on `progress`; on a terminal they are one."""

    def __init__(self, answer: Terminal, progress: Terminal, *, verbose: bool = False, is_priced: bool = True) -> None:
        self._is_priced = is_priced
        self._answer = answer
        self._progress = progress
        self._verbose = verbose
        self._blocks: dict[str, Block] = {}
        self._front = ""
        self._wants_gap = False
        self._after_block = False
        self._has_answered = False
        self._prose: Prose | None = None
        self._root = ""

    def __call__(self, event: Event, /) -> None:
        """Draw one event."""
        match event:
            case Started():
                self._start(event)
            case TextDelta():
                self._text(event.text)
            case ToolStarted() | ToolOutput() | ToolFinished():
                self._tool(event)
            case Denied(call_id=call_id) if call_id in self._blocks:
                pass  # the call's own end says it
            case Denied() | Retrying() | Notice() | HostEdited() | LimitsReached():
                self._remark(*remark(event))
            case AssistantMessage():
                self._answered()
            case Finished():
                self._finish(event)
            case Partial() | UserMessage():
                pass
            case _:
                assert_never(event)

    def close(self) -> None:
        """Take the status line away and end an unfinished line."""
        self._answer.end_line()
        self._progress.close()

    def _start(self, event: Started) -> None:
        self._root = f"{event.cwd}/"
        if self._verbose:
            self._remark(f"session {event.session_id[:8]} · {safe.line(event.model)} · {event.permission_mode}", "dim")
        self._progress.status("thinking")

    def _text(self, text: str) -> None:
        if self._prose is None:
            text = text.lstrip("\n")
            if not text:
                return
            self._gap(self._answer, after_block=True)
            self._has_answered = True
            self._prose = Prose(min(self._answer.width - 1, WIDEST) if self._answer.is_terminal else 0)
        shown = "\n".join("".join(safe.lines(piece)) for piece in text.split("\n"))
        self._answer.write(self._prose.add(shown))

    def _answered(self) -> None:
        """The model's text is over, for now."""
        if self._prose is not None:
            self._answer.write(self._prose.end())
            self._answer.end_line()
            self._wants_gap = True
            self._prose = None

    def _tool(self, event: ToolStarted | ToolOutput | ToolFinished) -> None:
        match event:
            case ToolStarted():
                self._tool_started(event)
            case ToolOutput():
                if event.call_id in self._blocks:
                    self._blocks[event.call_id].output(event)
            case ToolFinished():
                self._tool_finished(event)

    def _tool_started(self, event: ToolStarted) -> None:
        self._answered()
        if event.name != "Bash":  # a command is shown as it is; a path may be shown as people know it
            event = replace(event, summary=event.summary.replace(self._root, ""))
        self._blocks[event.call_id] = Block(self._progress, event, whole=self._verbose)
        self._bring_forward()
        self._progress.status(safe.line(f"{event.name} {event.summary}".split("\n")[0]))

    def _tool_finished(self, event: ToolFinished) -> None:
        block = self._blocks.get(event.call_id)
        if block is None:
            return
        block.finish(event)
        self._bring_forward()
        if not self._blocks:
            self._progress.status("thinking")

    def _bring_forward(self) -> None:
        """Show blocks in the order of their calls: the first unfinished one is live, those after it wait."""
        for call_id, block in list(self._blocks.items()):
            if call_id != self._front:
                self._front = call_id
                self._gap(self._progress)
                block.show()
            if not block.is_finished:
                return
            self._after_block = True
            del self._blocks[call_id]

    def _remark(self, text: str, style: str) -> None:
        self._answered()
        self._progress.line(self._progress.style(text, style))
        self._wants_gap = True

    def _gap(self, terminal: Terminal, *, after_block: bool = False) -> None:
        """An empty line between text and calls; calls stand close together."""
        is_first = terminal is self._answer is not self._progress and not self._has_answered
        if not is_first and (self._wants_gap or (after_block and self._after_block)):
            terminal.line()
        self._wants_gap = self._after_block = False

    def _finish(self, event: Finished) -> None:
        self._answered()
        self._progress.status()
        if event.outcome == "failed" and event.error:
            self._remark(safe.line(event.error), "red")
        self._gap(self._progress, after_block=True)
        self._progress.line(self._progress.style(summary(event, is_priced=self._is_priced), "dim"))


def remark(event: Denied | Retrying | Notice | HostEdited | LimitsReached) -> tuple[str, str]:
    """One line for what is neither the model's answer nor a tool call, and its style."""
    match event:
        case Denied():
            return denied(event), "yellow"
        case Retrying():
            return retrying(event), "yellow"
        case HostEdited(edits):
            return edited(edits), "cyan"
        case LimitsReached(limits=limits):
            return "; ".join(map(str, limits)), "yellow"
        case Notice(text, level):
            return safe.line(text), "yellow" if level == "warning" else "dim"


def edited(edits: Sequence[HostEdit]) -> str:
    """One line for what the user changed in the checkout meanwhile, and what comes of it."""
    sides = {
        "now": "the sandbox sees it",
        "exposed": "secrets are kept under this name, and the sandbox can read it until its next start",
        "later": "the sandbox sees it from its next start on",
        "merged": "changed in the sandbox too: merged when applied",
    }
    groups = []
    for side, meaning in sides.items():
        names = [safe.path(edit.path) for edit in edits if edit.shows == side]
        more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
        groups += [f"{', '.join(names[:MOST_NAMED])}{more} ({meaning})"] if names else []
    return f"you changed {'; '.join(groups)}"


def retrying(event: Retrying) -> str:
    """One line for a request that is tried again."""
    reason = f"the model's service answered {event.status}" if event.status is not None else safe.line(event.error)
    return f"{reason}: trying again in {event.delay:.0f} s ({event.attempt} of {event.max_retries})"


def summary(event: Finished, *, is_priced: bool = True) -> str:
    """What a run took: turns, time, tokens, money; a rehearsal costs nothing."""
    turns = count(event.turns, "turn")
    ending = {
        "success": "done",
        "max-turns": "stopped at the turn limit",
        "max-budget": "stopped at the budget",
        "interrupted": "interrupted",
        "failed": "failed",
    }[event.outcome]
    took = f"{ending} · {turns} · {event.seconds:.1f} s"
    if event.limits:
        took += f" · limits reached: {counted(event.limits)}"
    return f"{took} · {cost(event.usage)}" if is_priced and event.turns else took


def cost(usage: Usage) -> str:
    """Tokens and money; money is an estimate, and left out where the model's price is unknown."""
    read = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    tokens = f"{read:,} tokens in, {usage.output_tokens:,} out"
    return tokens if usage.dollars is None else f"{tokens} · ${usage.dollars:.4f}"
