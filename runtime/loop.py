"""The loop: ask the model, remember its answer, do what it asks, tell it what came of it, until it asks for nothing."""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from runtime.answer import Answer, ToolUse
from runtime.calls import Calls
from runtime.errors import ModelError, StreamCut
from runtime.events import (
    AssistantMessage,
    Denied,
    Event,
    Finished,
    Notice,
    Outcome,
    Partial,
    Retrying,
    Started,
    TextDelta,
    Usage,
    UserMessage,
)
from runtime.history import LOST, is_sendable, result_block, speakable
from runtime.model import Model, backoff
from runtime.prices import price_of
from runtime.request import Request
from runtime.settings import Bounds
from runtime.tools.registry import Registry, definitions
from runtime.tools.tool import Result, Workbench
from runtime.transcript import Transcript
from runtime.usage import add, is_plausible, usage_of
from sandbox.errors import SandboxError

CONTINUATIONS = 3
"""How often in one run an answer that reached its length limit, or paused, is asked to go on."""
GOES_ON = ("max_tokens", "pause_turn")
GO_ON = "Your answer reached its length limit. Go on exactly where it stopped."
STOPPED = "(The user interrupted this answer.)"


class Ended(Exception):
    """The run is over before the model was done; carries how, and the sentence that explains it."""

    def __init__(self, outcome: Outcome, error: str = "") -> None:
        super().__init__(error)
        self.outcome: Outcome = outcome
        self.error = error


@dataclass
class Run:
    """What one run adds up."""

    emit: Callable[[Event], None]
    started: float = field(default_factory=time.monotonic)
    turns: int = 0
    continued: int = 0
    api_seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    text: str = ""
    stop_reason: str | None = None
    denials: list[Denied] = field(default_factory=list)


@dataclass
class Conversation:
    """What is said: the messages as the API takes them, and the transcript that has every one of them first."""

    transcript: Transcript
    messages: list[dict[str, Any]]

    def say(self, role: str, message: Mapping[str, Any], fields: Mapping[str, Any] | None = None) -> str:
        """Record a message, then make it part of the conversation; its uuid. What the API would refuse stays out."""
        clean = speakable(dict(message))
        identity = self.transcript.append(role, {"message": clean, **(fields or {})})
        content = clean["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        kept = [block for block in blocks if is_sendable(block)]
        if kept:
            self.messages.append({"role": role, "content": kept})
        return identity


class Agent:
    """One agent in one session. Made by `runtime.agent.agent_for`; `run` may be called again and again, not at once."""

    def __init__(
        self,
        *,
        conversation: Conversation,
        model: Model,
        bench: Workbench,
        registry: Registry,
        bounds: Bounds,
        system: str,
    ) -> None:
        self.conversation = conversation
        self.model = model
        self.bench = bench
        self.registry = registry
        self.bounds = bounds
        self.system = system
        self.notices: list[str] = []
        self._tools = definitions(registry)
        self._spent = Usage()
        self._scope: anyio.CancelScope | None = None

    @property
    def total(self) -> Usage:
        """What this session has used, earlier runs included."""
        return self.conversation.transcript.total

    def interrupt(self) -> None:
        """End the running turn in order; without one, do nothing. Call it from the loop the run is in."""
        if self._scope is not None:
            self._scope.cancel()

    async def run(self, prompt: str, emit: Callable[[Event], None]) -> Finished:
        """Work on a prompt until the model is done, a limit is reached, something fails, or `interrupt` is called.

        `emit` sees every event as it happens, Finished last; it must not raise. Nothing is raised for a model or a
        sandbox that fails: the outcome says so, and the session can be continued after each of them. Cancelling the
        task around it leaves the session in the same order.
        """
        run = Run(emit)
        self._announce(emit)
        outcome: Outcome = "success"
        error = ""
        with anyio.CancelScope() as self._scope:
            try:
                self._hear(prompt, emit)
                await self._converse(run)
            except Ended as ended:
                outcome, error = ended.outcome, ended.error
            except (ModelError, SandboxError) as failure:
                outcome, error = "failed", str(failure)
        if self._scope.cancelled_caught:
            outcome = "interrupted"
        self._scope = None
        finished = self._finished(run, outcome, error)
        emit(finished)
        return finished

    async def _converse(self, run: Run) -> None:
        """Ask and act until the model asks for nothing more. Raises Ended, ModelError, SandboxError."""
        while True:
            self._check_limits(run)
            answer = await self._ask(run)
            calls = self._remember(run, answer)
            if calls:
                await self._act(run, calls)
            elif self._is_done(run, answer):
                return

    def _announce(self, emit: Callable[[Event], None]) -> None:
        transcript = self.conversation.transcript
        tools = tuple(self.registry)
        emit(Started(transcript.session_id, transcript.cwd, self.model.name, self.bounds.mode, tools))
        for text in self.notices:
            emit(Notice(text, "warning"))
        self.notices = []

    def _hear(self, prompt: str, emit: Callable[[Event], None]) -> None:
        message = {"role": "user", "content": prompt}
        emit(UserMessage(self.conversation.say("user", message), message))

    def _check_limits(self, run: Run) -> None:
        """Raises Ended if one more request would go beyond what was allowed."""
        bounds = self.bounds
        if bounds.max_turns is not None and run.turns >= bounds.max_turns:
            raise Ended("max-turns", f"the limit of {bounds.max_turns} turns was reached")
        if bounds.max_dollars is None:
            return
        if self._spent.dollars is None or price_of(self.model.name, 0) is None:
            raise Ended("failed", f"the price of {self.model.name} is not known, so its budget cannot be kept")
        if self._spent.dollars >= bounds.max_dollars:
            raise Ended("max-budget", f"the budget of ${bounds.max_dollars:g} is spent")

    async def _ask(self, run: Run) -> Answer:
        """One whole answer; one that breaks off is asked for again. Raises ModelError."""
        retries = self.model.choice.stream_retries
        for attempt in range(retries + 1):
            answer = Answer()
            started = time.monotonic()
            try:
                await self._listen(run, answer)
            except StreamCut as cut:
                self._keep_broken(run, answer)
                if attempt == retries:
                    raise StreamCut(f"{cut} {retries + 1} times: nothing is lost, run again later") from cut
                delay = backoff(attempt)
                run.emit(Retrying(attempt + 1, retries, delay, cut.status, str(cut)))
                await anyio.sleep(delay)
                continue
            except ModelError:
                self._keep_broken(run, answer)
                raise
            except anyio.get_cancelled_exc_class():
                self._keep_interrupted(run, answer)
                raise
            finally:
                run.api_seconds += time.monotonic() - started
            return answer
        raise AssertionError("the last attempt returned or raised")

    async def _listen(self, run: Run, answer: Answer) -> None:
        """Take in one stream. Raises ModelError; StreamCut if it ended before the answer did."""
        request = Request(self.system, self._tools, self.conversation.messages)
        async with aclosing(self.model.stream(request, run.emit)) as events:
            async for event in events:
                answer.add(event)
                run.emit(Partial(event))
                delta = event.get("delta")
                if isinstance(delta, Mapping) and delta.get("type") == "text_delta":
                    run.emit(TextDelta(str(delta.get("text", ""))))
        if not answer.complete:
            raise StreamCut("the model's answer broke off")

    def _remember(self, run: Run, answer: Answer) -> Sequence[ToolUse]:
        """Record the answer before anything in it is done; the calls it asks for, each with an id of its own."""
        message, calls = with_own_ids(answer.message, answer.calls(), self._known_ids())
        run.turns += 1
        said = text_of(message)
        run.text = run.text + said if run.stop_reason in GOES_ON else said or run.text
        run.stop_reason = answer.stop_reason
        self._count(run, message)
        if answer.stop_reason == "refusal":
            self._record_aside(run, message)
            raise Ended("failed", refusal(message))
        identity = self.conversation.say("assistant", message)
        run.emit(AssistantMessage(identity, message))
        return calls

    async def _act(self, run: Run, uses: Sequence[ToolUse]) -> None:
        """Run the calls. Whatever happens, each has exactly one recorded result afterwards."""
        results: dict[str, dict[str, Any]] = {}
        asker = self.conversation.transcript.tip

        def record(use: ToolUse, result: Result) -> None:
            block = speakable(result_block(use.id, result.text, is_error=result.is_error))
            results[use.id] = block
            message = {"role": "user", "content": [block]}
            detail = speakable(dict(result.detail)) or None
            extra = {"toolUseResult": detail, "sourceToolAssistantUUID": asker}
            identity = self.conversation.transcript.append("user", {"message": message, **extra})
            run.emit(UserMessage(identity, message, detail))

        calls = Calls(uses, self.registry, self.bounds.mode, self.bench, run.emit, record, denials=run.denials)
        try:
            await calls.run()
        finally:
            try:
                calls.finish()
            finally:
                lost = (result_block(use.id, LOST, is_error=True) for use in uses if use.id not in results)
                results |= {block["tool_use_id"]: block for block in lost}
                self.conversation.messages.append({"role": "user", "content": [results[use.id] for use in uses]})
        if calls.lost is not None:
            raise calls.lost

    def _is_done(self, run: Run, answer: Answer) -> bool:
        """Whether an answer without calls is the last one. Raises Ended if it could not be finished."""
        match answer.stop_reason:
            case "pause_turn" | "max_tokens" as reason if run.continued < CONTINUATIONS:
                run.continued += 1
                if reason == "max_tokens":
                    self.conversation.say("user", {"role": "user", "content": GO_ON}, {"isMeta": True})
                return False
            case "pause_turn" | "max_tokens":
                run.emit(Notice("the last answer reached the model's length limit and may be incomplete", "warning"))
                return True
            case "model_context_window_exceeded":
                raise Ended("failed", "the conversation no longer fits into the model: start a new session")
            case _:
                return True

    def _count(self, run: Run, message: Mapping[str, Any]) -> None:
        used = message["usage"]
        if not is_plausible(used):
            run.emit(Notice("the service reported impossible token counts: costs are only roughly right", "warning"))
        usage = usage_of(str(message.get("model") or self.model.name), used)
        if usage.dollars is None:
            usage = replace(usage, dollars=usage_of(self.model.name, used).dollars)
        run.usage = add(run.usage, usage)
        self._spent = add(self._spent, usage)
        self.conversation.transcript.spend(usage)

    def _keep_broken(self, run: Run, answer: Answer) -> None:
        """Keep what came of an answer that will be asked for again, apart from the conversation."""
        if answer.started:
            self._count(run, answer.message)
            self._record_aside(run, answer.partial)

    def _keep_interrupted(self, run: Run, answer: Answer) -> None:
        """Keep the visible part of an answer the user cut off, as a part of the conversation."""
        if not answer.started:
            return
        self._count(run, answer.message)
        message = answer.partial
        if message["content"]:
            run.text = text_of(message)
            identity = self.conversation.say("assistant", message, {"aborted": True})
            run.emit(AssistantMessage(identity, message, aborted=True))
            self.conversation.say("user", {"role": "user", "content": STOPPED}, {"isMeta": True})

    def _record_aside(self, run: Run, message: Mapping[str, Any]) -> None:
        fields = {"message": speakable(dict(message)), "aborted": True}
        identity = self.conversation.transcript.append("assistant", fields, abandoned=True)
        run.emit(AssistantMessage(identity, message, aborted=True))

    def _known_ids(self) -> set[str]:
        blocks = (block for message in self.conversation.messages for block in message["content"])
        return {block["id"] for block in blocks if block["type"] == "tool_use"}

    def _finished(self, run: Run, outcome: Outcome, error: str) -> Finished:
        return Finished(
            outcome=outcome,
            text=run.text,
            turns=run.turns,
            seconds=time.monotonic() - run.started,
            api_seconds=run.api_seconds,
            usage=run.usage,
            model=self.model.name,
            stop_reason=run.stop_reason,
            error=error,
            denials=tuple(run.denials),
        )


def with_own_ids(
    message: Mapping[str, Any], calls: Sequence[ToolUse], taken: set[str]
) -> tuple[dict[str, Any], Sequence[ToolUse]]:
    """An answer in which no call's id is empty or was used before, so that each can have its one result."""
    waiting = list(calls)
    known, own, content = set(taken), [], []
    for block in message["content"]:
        if block["type"] == "tool_use":
            call = waiting.pop(0)
            if not call.id or call.id in known:
                call = replace(call, id=f"toolu_{uuid.uuid4().hex}")
            known.add(call.id)
            own.append(call)
            block = {**block, "id": call.id, "name": call.name or "unnamed", "input": dict(call.input)}  # noqa: PLW2901
        content.append(block)
    return {**message, "content": content}, own


def text_of(message: Mapping[str, Any]) -> str:
    """What of a message a reader sees."""
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def refusal(message: Mapping[str, Any]) -> str:
    """The sentence for an answer that a safety check ended."""
    details = message.get("stop_details")
    category = details.get("category") if isinstance(details, Mapping) else None
    why = f" ({category})" if category else ""
    return f"the model declined to go on{why}: put the request differently, or start a new session"
