"""A run as JSON lines, in the shapes programs already read (`--output-format stream-json`, and `json` for its last)."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

from cli.version import version
from runtime.events import (
    AssistantMessage,
    Denied,
    Event,
    Finished,
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

Write = Callable[[str], None]
Row = dict[str, Any]

SUBTYPES: Final = {
    "success": "success",
    "max-turns": "error_max_turns",
    "max-budget": "error_max_budget_usd",
    "interrupted": "error_during_execution",
    "failed": "error_during_execution",
}
ENDINGS: Final = {
    "success": "completed",
    "max-turns": "max_turns",
    "max-budget": "max_budget_usd",
    "interrupted": "aborted_streaming",
    "failed": "error",
}


class JsonScreen:
    """Writes one object a line; with `only_result` nothing but the last.

    Escapes everything outside ASCII, so that no byte of a tool's output can reach a terminal as anything but text.
    The `result` object waits for `settle`: what became of the changes belongs in it.
    """

    def __init__(self, write: Write, *, partial: bool = False, only_result: bool = False) -> None:
        self._write = write
        self._partial = partial
        self._only_result = only_result
        self._session = ""
        self._result: Row | None = None

    def __call__(self, event: Event, /) -> None:
        """Write one event, if it has a shape."""
        if isinstance(event, Started):
            self._session = event.session_id
        if isinstance(event, Finished):
            self._result = result(event)
        elif not self._only_result:
            for row in rows(event, partial=self._partial):
                self._put(row)

    def settle(self, host: Mapping[str, Any]) -> None:
        """Write the result, with the truth about the host in it. Says nothing if the run never came to its end."""
        if self._result is not None:
            self._put({**self._result, "host": dict(host)})
            self._result = None

    def close(self) -> None:
        """Everything is written as it comes."""

    def _put(self, row: Row) -> None:
        row = {**row, "session_id": self._session, "uuid": row.get("uuid", str(uuid.uuid4()))}
        self._write(json.dumps(row, separators=(",", ":"), default=str) + "\n")


def rows(event: Event, *, partial: bool) -> list[Row]:
    """The lines one event is, without the fields that every line has."""
    match event:
        case Started():
            return [_init(event)]
        case AssistantMessage():
            return _assistant(event)
        case UserMessage():
            row = {"type": "user", "uuid": event.uuid, "message": event.message, "parent_tool_use_id": None}
            return [row if event.tool_use_result is None else {**row, "tool_use_result": event.tool_use_result}]
        case Partial():
            return [{"type": "stream_event", "event": event.event, "parent_tool_use_id": None}] if partial else []
        case Retrying():
            return [_retry(event)]
        case Notice():
            return [{"type": "system", "subtype": "informational", "level": event.level, "content": event.text}]
        case Denied():
            return [{"type": "system", "subtype": "permission_denied", **_denial(event), "message": event.reason}]
        case TextDelta() | ToolStarted() | ToolOutput() | ToolFinished() | Finished():
            return []
        case _:
            assert_never(event)


def result(event: Finished) -> Row:
    """The last line of a run."""
    row: Row = {
        "type": "result",
        "subtype": SUBTYPES[event.outcome],
        "is_error": event.outcome != "success",
        "duration_ms": round(event.seconds * 1000),
        "duration_api_ms": round(event.api_seconds * 1000),
        "num_turns": event.turns,
        "result": event.text,
        "stop_reason": event.stop_reason,
        "total_cost_usd": event.usage.dollars,
        "usage": usage(event.usage),
        "modelUsage": {event.model: _model_usage(event.usage)},
        "permission_denials": [_denial(denied) for denied in event.denials],
        "terminal_reason": ENDINGS[event.outcome],
    }
    if event.outcome != "success":
        row["errors"] = [event.error or row["terminal_reason"]]
    return row


def usage(used: Usage) -> Row:
    """Tokens under the names of the Messages API."""
    return {
        "input_tokens": used.input_tokens,
        "cache_creation_input_tokens": used.cache_write_tokens,
        "cache_read_input_tokens": used.cache_read_tokens,
        "output_tokens": used.output_tokens,
    }


def _model_usage(used: Usage) -> Row:
    return {
        "inputTokens": used.input_tokens,
        "outputTokens": used.output_tokens,
        "cacheReadInputTokens": used.cache_read_tokens,
        "cacheCreationInputTokens": used.cache_write_tokens,
        "costUSD": used.dollars,
    }


def _init(event: Started) -> Row:
    return {
        "type": "system",
        "subtype": "init",
        "cwd": event.cwd,
        "tools": list(event.tools),
        "mcp_servers": [],
        "model": event.model,
        "permissionMode": event.permission_mode,
        "slash_commands": [],
        "agents": [],
        "skills": [],
        "plugins": [],
        "output_style": "default",
        "paddock_version": version(),
    }


def _assistant(event: AssistantMessage) -> list[Row]:
    """One line a content block, as readers expect; the recorded message's own id is on the last of them."""
    blocks = list(event.message.get("content") or [])
    found: list[Row] = []
    for number, block in enumerate(blocks):
        row: Row = {
            "type": "assistant",
            "message": {**event.message, "content": [block], "stop_reason": None},
            "parent_tool_use_id": None,
        }
        if event.aborted:
            row["aborted"] = True
        if number == len(blocks) - 1:
            row["uuid"] = event.uuid
        found.append(row)
    return found


def _retry(event: Retrying) -> Row:
    return {
        "type": "system",
        "subtype": "api_retry",
        "attempt": event.attempt,
        "max_retries": event.max_retries,
        "retry_delay_ms": round(event.delay * 1000),
        "error_status": event.status,
        "error": event.error,
    }


def _denial(event: Denied) -> Row:
    return {"tool_name": event.name, "tool_use_id": event.call_id, "tool_input": dict(event.input)}
