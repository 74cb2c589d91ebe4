"""A scripted model's answer to one request: pure, from script and conversation to the events of a stream."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.script.format import Script, Tool, Turn

PIECE = 24
"""Characters in one streamed piece: small enough that words and JSON are cut anywhere."""


@dataclass(frozen=True)
class Cue:
    """Which turn answers a request, and what its placeholders mean. `number` counts from 0."""

    number: int
    turn: Turn
    values: Mapping[str, str]


class Unexpected(Exception):
    """The conversation is not where the script thinks it is; the text says what was expected and what came."""


def cue(script: Script, request: Mapping[str, Any], *, cwd: str) -> Cue:
    """Find the turn for a request. Raises Unexpected if the turn expects another tool result than the last."""
    messages = request.get("messages")
    messages = messages if isinstance(messages, list) else []
    number = sum(message.get("role") == "assistant" for message in messages)
    values = {"cwd": cwd, "prompt": last_prompt(messages)}
    if number >= len(script.turns):
        return Cue(number, Turn(text=script.ending), values)
    turn = script.turns[number]
    if turn.expect is not None:
        results = last_results(messages)
        if not re.search(filled(turn.expect, {"cwd": re.escape(cwd)}), results, re.MULTILINE):
            shown = results if len(results) <= 500 else f"{results[:250]} … {results[-250:]}"
            raise Unexpected(
                f"turn {number + 1} of the script expects /{turn.expect}/ in the last result, not: {shown}"
            )
    return Cue(number, turn, values)


def last_results(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the tool results in the last message."""
    blocks = messages[-1].get("content") if messages else []
    blocks = blocks if isinstance(blocks, list) else []
    return "\n".join(text_in(block.get("content")) for block in blocks if block.get("type") == "tool_result")


def last_prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """What the user said last."""
    for message in reversed(messages):
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        if message.get("role") == "user" and not any(block.get("type") == "tool_result" for block in blocks):
            texts = [text_in(content)] if isinstance(content, str) else [text_in([block]) for block in blocks]
            return texts[-1] if texts else ""
    return ""


def text_in(content: object) -> str:
    """The text of a content, a string or blocks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))


def filled(value: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401  # any JSON value
    """A value with `{{cwd}}` and `{{prompt}}` in its strings replaced."""
    if isinstance(value, str):
        return re.sub(r"\{\{(\w+)\}\}", lambda match: values.get(match[1], match[0]), value)
    if isinstance(value, Mapping):
        return {key: filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    return value


def content_of(cued: Cue) -> list[dict[str, Any]]:
    """The whole answer's content blocks."""
    turn, values = cued.turn, cued.values
    blocks: list[dict[str, Any]] = []
    if turn.thinking:
        blocks.append({"type": "thinking", "thinking": filled(turn.thinking, values), "signature": "scripted"})
    if turn.text or not (turn.tools or turn.thinking):
        blocks.append({"type": "text", "text": filled(turn.text, values)})
    return blocks + [
        {"type": "tool_use", "id": id_of(cued, index, tool), "name": tool.name, "input": filled(tool.input, values)}
        for index, tool in enumerate(turn.tools)
    ]


def id_of(cued: Cue, index: int, tool: Tool) -> str:
    """A tool call's id: the script's own, or one that is the same each time it is played."""
    return tool.id or f"toolu_script_{cued.number + 1:03}_{index + 1:02}"


def stop_of(turn: Turn) -> str:
    """Why the answer ends."""
    return turn.stop or ("tool_use" if turn.tools else "end_turn")


def usage_of(cued: Cue, request_size: int) -> dict[str, Any]:
    """The token counts of the answer, estimated at four characters a token where the script names none."""
    said = cued.turn.usage
    length = len(json.dumps(content_of(cued)))
    return {
        "input_tokens": request_size // 4 if said.input_tokens is None else said.input_tokens,
        "output_tokens": length // 4 if said.output_tokens is None else said.output_tokens,
        "cache_read_input_tokens": said.cache_read_input_tokens,
        "cache_creation_input_tokens": said.cache_creation_input_tokens,
    }


def message_of(cued: Cue, *, model: str, request_size: int) -> dict[str, Any]:
    """The whole answer, as a request without streaming gets it."""
    return {
        "id": f"msg_script_{cued.number + 1:03}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content_of(cued),
        "stop_reason": stop_of(cued.turn),
        "stop_sequence": None,
        "usage": usage_of(cued, request_size),
    }


def events_of(cued: Cue, *, model: str, request_size: int) -> Iterator[dict[str, Any]]:
    """The answer as the events of a stream."""
    message = message_of(cued, model=model, request_size=request_size)
    begun = {**message["usage"], "output_tokens": 1}
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": begun}}
    yield {"type": "ping"}
    raw = [tool.raw_input for tool in cued.turn.tools]
    first_tool = len(message["content"]) - len(raw)
    for index, block in enumerate(message["content"]):
        yield from block_events(index, block, raw[index - first_tool] if index >= first_tool else None)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def block_events(index: int, block: Mapping[str, Any], raw_input: str | None) -> Iterator[dict[str, Any]]:
    """One block of the answer: start, pieces, stop."""
    match block["type"]:
        case "text":
            start, pieces = {**block, "text": ""}, deltas("text_delta", "text", block["text"])
        case "thinking":
            start = {**block, "thinking": "", "signature": ""}
            pieces = deltas("thinking_delta", "thinking", block["thinking"])
            pieces += [{"type": "signature_delta", "signature": block["signature"]}]
        case _:
            text = json.dumps(block["input"]) if raw_input is None else raw_input
            start, pieces = {**block, "input": {}}, deltas("input_json_delta", "partial_json", text)
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for piece in pieces:
        yield {"type": "content_block_delta", "index": index, "delta": piece}
    yield {"type": "content_block_stop", "index": index}


def deltas(kind: str, field: str, text: str) -> list[dict[str, Any]]:
    """A text in pieces."""
    return [{"type": kind, field: text[start : start + PIECE]} for start in range(0, len(text), PIECE)]
