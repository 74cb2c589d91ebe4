"""The loop: ask the model, remember its answer, do what it asks, tell it what came of it, until it asks for nothing."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import anyio

from runtime.answer import Answer, ToolUse, refusal, text_of, with_own_ids
from runtime.calls import Calls
from runtime.conversation import Conversation
from runtime.edits import Edits
from runtime.errors import ModelError, StreamCut
from runtime.events import (
    AssistantMessage,
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
from runtime.history import LOST, result_block, speakable
from runtime.model import Model, backoff
from runtime.noting import Notes, noting
from runtime.prices import price_of
from runtime.reminders import befallen
from runtime.request import Request
from runtime.run import Ended, Run
from runtime.secrecy import tell_hidden
from runtime.settings import Bounds
from runtime.tools.background import ended_reminder, still_running
from runtime.tools.registry import ALL, Registry, definitions
from runtime.tools.tool import Result, Workbench
from runtime.usage import add
from sandbox.errors import SandboxError

CONTINUATIONS = 3
"""How often in one run an answer that reached its length limit, or paused, is asked to go on."""
GO_ON = "Your answer reached its length limit. Go on exactly where it stopped."
STOPPED = "(The user interrupted this answer.)"


AfterCalls = Callable[[Callable[[Event], None]], Awaitable[None]]
"""Is called after the calls of an answer if they changed anything; it must not raise for what it finds."""


class Agent:
    """One agent in one session. Made by `runtime.agent.agent_for`; `run` may be called again and again, not at once."""

    registry: Registry = ALL

    def __init__(
        self, conversation: Conversation, model: Model, bench: Workbench, *, bounds: Bounds, system: str
    ) -> None:
        self.conversation = conversation
        self.model = model
        self.bench = bench
        self.bounds = bounds
        self.system = system
        self.notices: list[str] = []
        self.edits = Edits()
        self.after_calls: AfterCalls | None = None
        self._tools = definitions(self.registry)
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
        if self._scope is not None:
            raise RuntimeError("this agent is at work: wait for its run to end, or interrupt it")
        run = Run(emit, self.model.name)
        self._announce(emit)
        scope = self._scope = anyio.CancelScope()
        try:
            with scope, self.edits.emitting(emit):
                outcome, error = await self._outcome(run, prompt)
        finally:
            self._scope = None
        if scope.cancelled_caught:
            outcome, error = "interrupted", ""
        if text := still_running(self.bench.sandbox.processes):
            emit(Notice(text))
        finished = run.finished(outcome, error)
        emit(finished)
        return finished

    async def _outcome(self, run: Run, prompt: str) -> tuple[Outcome, str]:
        """Take in a prompt and work on it; how that ended, and why if it did not end well."""
        try:
            self._hear(prompt, run.emit)
            await tell_hidden(self.bench.sandbox, self.conversation, run.emit)
            async with noting(self.bench.sandbox, run.emit) as notes:
                await self._converse(run, notes)
        except Ended as ended:
            return ended.outcome, ended.error
        except (ModelError, SandboxError) as failure:
            return "failed", str(failure)
        return "success", ""

    async def _converse(self, run: Run, notes: Notes) -> None:
        """Ask and act until the model asks for nothing more. Raises Ended, ModelError, SandboxError."""
        while True:
            self._check_limits(run)
            self._remind(run)
            answer = await self._ask(run)
            calls = self._remember(run, answer)
            if calls:
                await self._act(run, calls, notes)
                await self._settle(run, notes)
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

    def _remind(self, run: Run) -> None:
        """Tell the model, with its next request, of files and background commands, and what befell the sandbox."""
        news = self.bench.sandbox.take_news()
        if news:
            run.emit(Notice(news, "warning"))
        edited = self.edits.take_reminder(self.bench.sandbox.root, self.bench.seen)
        for text in filter(None, (befallen(news), edited, ended_reminder(self.bench))):
            content = [{"type": "text", "text": text}]
            self.conversation.say("user", {"role": "user", "content": content}, {"isMeta": True})

    async def _settle(self, run: Run, notes: Notes) -> None:
        """Let whoever asked for it see what the calls of this answer have changed."""
        if self.after_calls is not None and await notes.has_news():
            await self.after_calls(run.emit)

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
        message, calls = with_own_ids(answer.message, answer.calls(), self.conversation.call_ids())
        run.take(message, answer.stop_reason)
        self._count(run, message)
        if answer.stop_reason == "refusal":
            self._set_aside(run, message)
            raise Ended("failed", refusal(message))
        identity = self.conversation.say("assistant", message)
        run.emit(AssistantMessage(identity, message))
        return calls

    async def _act(self, run: Run, uses: Sequence[ToolUse], notes: Notes) -> None:
        """Run the calls. Whatever happens, each has exactly one recorded result afterwards."""
        results: dict[str, dict[str, Any]] = {}
        asker = self.conversation.transcript.tip

        def record(use: ToolUse, result: Result) -> None:
            block = speakable(result_block(use.id, result.text, is_error=result.is_error))
            results[use.id] = block
            run.limits.update(limit.name for limit in result.limits)
            detail = speakable(dict(result.detail)) or None
            identity = self.conversation.record_result(block, detail, asker)
            run.emit(UserMessage(identity, {"role": "user", "content": [block]}, detail))

        calls = Calls(
            uses, self.registry, self.bounds.mode, self.bench, run.emit, record, notes=notes, denials=run.denials
        )
        try:
            await calls.run()
        finally:
            try:
                calls.finish()
            finally:
                lost = {use.id: result_block(use.id, LOST, is_error=True) for use in uses}
                self.conversation.join_results((lost | results).values())
        if calls.lost is not None:
            run.survive(calls.lost)

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
        usage = run.count(message)
        self._spent = add(self._spent, usage)
        self.conversation.transcript.spend(usage)

    def _keep_broken(self, run: Run, answer: Answer) -> None:
        """Keep what came of an answer that will be asked for again, apart from the conversation."""
        if answer.started:
            self._count(run, answer.message)
            self._set_aside(run, answer.partial)

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

    def _set_aside(self, run: Run, message: Mapping[str, Any]) -> None:
        identity = self.conversation.set_aside(message)
        run.emit(AssistantMessage(identity, message, aborted=True))
