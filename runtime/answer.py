"""An answer, put together from the events of its stream: pure, strict about order, and honest about what is missing."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runtime.errors import BadAnswer

LONGEST = 64 * 1024 * 1024
"""Characters an answer may have: no model writes as much, so more is a fault of the service."""

GROWING = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""Which field of a delta carries its piece."""


@dataclass(frozen=True)
class ToolUse:
    """A tool call the model asks for. `fault` says why it cannot be run as it stands; empty: nothing is wrong."""

    id: str
    name: str
    input: Mapping[str, Any]
    fault: str = ""


@dataclass
class Block:
    """One content block on its way. `pieces` hold what the deltas brought."""

    start: dict[str, Any]
    pieces: dict[str, list[str]]
    citations: list[Any]
    closed: bool = False


class Answer:
    """Takes a stream's events one by one. `message` is what has come so far, `complete` whether that is all."""

    def __init__(self) -> None:
        self.complete = False
        self._head: dict[str, Any] = {}
        self._blocks: list[Block] = []
        self._stop: dict[str, Any] = {"stop_reason": None, "stop_sequence": None}
        self._usage: dict[str, Any] = {}
        self._length = 0

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event. Raises BadAnswer if the stream breaks its own order; unknown events mean nothing."""
        kind = event.get("type")
        if kind == "message_start":
            self._begin(event)
        elif kind == "content_block_start":
            self._open(event)
        elif kind == "content_block_delta":
            self._grow(event)
        elif kind == "content_block_stop":
            self._block(event).closed = True
        elif kind == "message_delta":
            self._require_start()
            delta = event.get("delta")
            self._stop.update(delta if isinstance(delta, Mapping) else {})
            self._use(event.get("usage"))
        elif kind == "message_stop":
            self._require_start()
            self.complete = True

    @property
    def started(self) -> bool:
        """Whether anything came."""
        return bool(self._head)

    @property
    def stop_reason(self) -> str | None:
        """Why the model stopped, in the API's words."""
        reason = self._stop["stop_reason"]
        return reason if isinstance(reason, str) else None

    @property
    def usage(self) -> Mapping[str, Any]:
        """What the service says was used."""
        return self._usage

    @property
    def message(self) -> dict[str, Any]:
        """The whole message in the API's shape; tool input that is no JSON object stands as an empty one."""
        content = [content_of(block) for block in self._blocks]
        return {**self._head, "content": content, **self._stop, "usage": dict(self._usage)}

    @property
    def partial(self) -> dict[str, Any]:
        """What may be kept of an answer that broke off: its visible text, and nothing that asks for anything."""
        texts = [content_of(block) for block in self._blocks if block.start.get("type") == "text"]
        kept = [text for text in texts if text["text"].strip()]
        return {**self._head, "content": kept, "stop_reason": None, "stop_sequence": None, "usage": dict(self._usage)}

    def calls(self) -> Sequence[ToolUse]:
        """The tool calls, in order, each with what is wrong with it."""
        uses = [block for block in self._blocks if block.start.get("type") == "tool_use"]
        return [self._call(block, last=block is self._blocks[-1]) for block in uses]

    def _call(self, block: Block, *, last: bool) -> ToolUse:
        fault = ""
        if last and self.stop_reason in ("max_tokens", "model_context_window_exceeded"):
            fault = "the answer reached its length limit in this call, so it was not run: do it in smaller steps"
        elif input_of(block) is None:
            fault = "the input is not a JSON object, so the call was not run"
        start = block.start
        return ToolUse(str(start.get("id", "")), str(start.get("name", "")), input_of(block) or {}, fault)

    def _begin(self, event: Mapping[str, Any]) -> None:
        message = event.get("message")
        if self._head or not isinstance(message, Mapping):
            raise BadAnswer("the service began one answer twice: try again, or report it to whoever runs the service")
        self._head = {key: message.get(key) for key in ("id", "type", "role", "model")}
        self._use(message.get("usage"))

    def _open(self, event: Mapping[str, Any]) -> None:
        self._require_start()
        start = event.get("content_block")
        kind = start.get("type") if isinstance(start, Mapping) else None
        if event.get("index") != len(self._blocks) or not isinstance(start, Mapping) or not isinstance(kind, str):
            raise BadAnswer("the parts of the service's answer came out of order: nothing in it was done; try again")
        self._blocks.append(Block(dict(start), {}, []))

    def _grow(self, event: Mapping[str, Any]) -> None:
        block, delta = self._block(event), event.get("delta")
        if not isinstance(delta, Mapping):
            raise BadAnswer("a part of the service's answer has no content: nothing in it was done; try again")
        field = GROWING.get(str(delta.get("type")))
        piece = delta.get(field) if field else None
        if field and isinstance(piece, str):
            self._length += len(piece)
            if self._length > LONGEST:
                raise BadAnswer("the service's answer does not end: it was dropped; try again")
            block.pieces.setdefault(field, []).append(piece)
        elif delta.get("type") == "citations_delta":
            block.citations.append(delta.get("citation"))

    def _block(self, event: Mapping[str, Any]) -> Block:
        index = event.get("index")
        if type(index) is not int or not 0 <= index < len(self._blocks) or self._blocks[index].closed:
            raise BadAnswer("a part of the service's answer belongs to nothing: nothing in it was done; try again")
        return self._blocks[index]

    def _require_start(self) -> None:
        if not self._head or self.complete:
            raise BadAnswer("the service's answer has no beginning: nothing in it was done; try again")

    def _use(self, usage: object) -> None:
        if isinstance(usage, Mapping):
            self._usage.update({key: value for key, value in usage.items() if value is not None})


def content_of(block: Block) -> dict[str, Any]:
    """A block as the API would send it whole."""
    content = dict(block.start)
    if content["type"] == "text" and not isinstance(content.get("text"), str):
        content["text"] = ""
    for field, pieces in block.pieces.items():
        if field != "partial_json":
            content[field] = str(content.get(field) or "") + "".join(pieces)
    if block.citations:
        content["citations"] = [*(content.get("citations") or []), *block.citations]
    if content.get("type") in ("tool_use", "server_tool_use"):
        content["input"] = input_of(block) or {}
    return content


def input_of(block: Block) -> Mapping[str, Any] | None:
    """A tool call's input; None if it is not a JSON object, as when it was cut off."""
    text = "".join(block.pieces.get("partial_json", []))
    if not text:
        started = block.start.get("input")
        return started if isinstance(started, Mapping) else {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


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
