"""What one question to the model holds, and where its prompt may be cached. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.prices import thinks
from runtime.settings import ModelChoice

Message = Mapping[str, Any]
"""One message in the Messages API's shape: `role` and `content`."""

EPHEMERAL = {"type": "ephemeral"}
BREAKPOINTS = 2
"""Of the four cache breakpoints the API allows, those in the conversation: the newest block, and where the previous
request ended, so that a long batch of tool results still finds what was cached before it."""


@dataclass(frozen=True)
class Request:
    """The whole of what the model is told. `tools` are definitions in the API's shape."""

    system: str
    tools: Sequence[Mapping[str, Any]]
    messages: Sequence[Message]


def body_of(request: Request, choice: ModelChoice) -> dict[str, Any]:
    """The request in the API's shape, with cache breakpoints on tools, system and conversation."""
    body: dict[str, Any] = {
        "model": choice.full_name,
        "max_tokens": choice.max_tokens,
        "system": [{"type": "text", "text": request.system, "cache_control": EPHEMERAL}],
        "messages": with_breakpoints(request.messages),
    }
    if request.tools:
        body["tools"] = [*request.tools[:-1], {**request.tools[-1], "cache_control": EPHEMERAL}]
    if thinks(choice.full_name):
        # These models put what they say between tool calls into their thinking; a summary of it keeps them audible.
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
    return body


def with_breakpoints(messages: Sequence[Message]) -> list[Message]:
    """The messages, with a cache breakpoint at the end of each of the newest user messages."""
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    marked = set(users[-BREAKPOINTS:])
    return [marked_message(message) if index in marked else message for index, message in enumerate(messages)]


def marked_message(message: Message) -> Message:
    """A message whose last block ends a cached prefix; an empty one stays as it is."""
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    if not blocks:
        return message
    return {**message, "content": [*blocks[:-1], {**blocks[-1], "cache_control": EPHEMERAL}]}
