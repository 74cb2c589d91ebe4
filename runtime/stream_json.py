"""What happens during a run, as the lines that `--output-format stream-json` prints. Pure: events in, JSON objects out.

The shapes are those that readers of Claude Code's stream know; what we have no word for is left out, never invented.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runtime.events import (
    AssistantMessage,
    Denied,
    Event,
    Finished,
    HostEdited,
    LimitsReached,
    Notice,
    Outcome,
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
from sandbox.escape import escape
from sandbox.limits import LimitReached

Line = dict[str, Any]

SUBTYPES: Mapping[Outcome, str] = {
    "success": "success",
    "max-turns": "error_max_turns",
    "max-budget": "error_max_budget_usd",
    "interrupted": "error_during_execution",
    "failed": "error_during_execution",
}
TERMINAL: Mapping[Outcome, str] = {
    "success": "completed",
    "max-turns": "max_turns",
    "max-budget": "max_budget",
    "interrupted": "aborted_streaming",
    "failed": "error",
}


def lines(event: Event, *, session_id: str, new_id: Callable[[], str] = lambda: str(uuid.uuid4())) -> Sequence[Line]:
    """The lines for one event, none for what the format does not show. `new_id` names lines that are no message."""
    match event:
        case Started():
            return [{**system("init", session_id, new_id()), **started(event)}]
        case Partial(raw):
            return [{"type": "stream_event", "event": dict(raw), **origin(session_id, new_id())}]
        case AssistantMessage():
            return assistant(event, session_id)
        case UserMessage(identity, message, detail):
            line = {"type": "user", "message": dict(message), **origin(session_id, identity)}
            return [line if detail is None else {**line, "tool_use_result": dict(detail)}]
        case Retrying(attempt, most, delay, status, error):
            why: Line = {"error_status": status, "error": error, "retry_delay_ms": round(delay * 1000)}
            return [{**system("api_retry", session_id, new_id()), "attempt": attempt, "max_retries": most, **why}]
        case Notice(text, level):
            return [{**system("informational", session_id, new_id()), "content": text, "level": level}]
        case LimitsReached(call_id, limits):
            return [{**system("limit_reached", session_id, new_id()), **limit(one, call_id)} for one in limits]
        case HostEdited(edits):
            files = [{"path": escape(edit.path), "kind": edit.kind, "shows": edit.shows} for edit in edits]
            return [{**system("host_edited", session_id, new_id()), "files": files}]
        case Denied():
            told = {"tool_name": event.name, "tool_use_id": event.call_id, "message": event.reason}
            return [{**system("permission_denied", session_id, new_id()), **told}]
        case Finished():
            return [{**result(event), "session_id": session_id, "uuid": new_id()}]
        case TextDelta() | ToolStarted() | ToolOutput() | ToolFinished():
            return []


def origin(session_id: str, identity: str) -> Line:
    """Which conversation a line belongs to."""
    return {"parent_tool_use_id": None, "session_id": session_id, "uuid": identity}


def system(subtype: str, session_id: str, identity: str) -> Line:
    """The beginning of a line that is neither the model's nor the user's."""
    return {"type": "system", "subtype": subtype, "session_id": session_id, "uuid": identity}


def limit(reached: LimitReached, call_id: str) -> Line:
    """A limit of the sandbox that a call met: its name, what it allows, and the sentence."""
    return {"tool_use_id": call_id, "name": reached.name, "limit": reached.most, "message": str(reached)}


def started(event: Started) -> Line:
    """What `init` tells; the lists of what we do not have are there, and empty."""
    return {
        "cwd": event.cwd,
        "tools": list(event.tools),
        "mcp_servers": [],
        "model": event.model,
        "permissionMode": event.permission_mode,
        "slash_commands": [],
        "apiKeySource": "none",
        "output_style": "default",
        "agents": [],
        "skills": [],
        "plugins": [],
    }


def assistant(event: AssistantMessage, session_id: str) -> Sequence[Line]:
    """One line for each content block, as readers expect; the first has the message's own uuid."""
    found: list[Line] = []
    for index, block in enumerate(event.message["content"]):
        identity = event.uuid if index == 0 else str(uuid.uuid5(uuid.UUID(event.uuid), str(index)))
        message = {**event.message, "content": [block], "stop_reason": None, "stop_sequence": None}
        line: Line = {"type": "assistant", "message": message, **origin(session_id, identity)}
        found.append({**line, "aborted": True} if event.aborted else line)
    return found


def result(event: Finished) -> Line:
    """The last line: how it ended, what was said last, what it cost."""
    ok = event.outcome == "success"
    line: Line = {
        "type": "result",
        "subtype": SUBTYPES[event.outcome],
        "is_error": not ok,
        "duration_ms": round(event.seconds * 1000),
        "duration_api_ms": round(event.api_seconds * 1000),
        "num_turns": event.turns,
        "stop_reason": event.stop_reason,
        "total_cost_usd": event.usage.dollars,
        "usage": usage(event.usage),
        "modelUsage": {event.model: model_usage(event.usage)},
        "permission_denials": [denial(denied) for denied in event.denials],
        "terminal_reason": TERMINAL[event.outcome],
    }
    if event.limits:
        line["limits_reached"] = dict(event.limits)
    return {**line, "result": event.text} if ok else {**line, "result": event.text, "errors": errors(event)}


def errors(event: Finished) -> list[str]:
    """Why it did not end well."""
    return [event.error or f"the run ended: {event.outcome}"]


def usage(used: Usage) -> Line:
    """Token counts under the API's names."""
    return {
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cache_read_input_tokens": used.cache_read_tokens,
        "cache_creation_input_tokens": used.cache_write_tokens,
    }


def model_usage(used: Usage) -> Line:
    """Token counts and cost of one model under the names that readers of `modelUsage` know."""
    return {
        "inputTokens": used.input_tokens,
        "outputTokens": used.output_tokens,
        "cacheReadInputTokens": used.cache_read_tokens,
        "cacheCreationInputTokens": used.cache_write_tokens,
        "webSearchRequests": 0,
        "costUSD": used.dollars,
    }


def denial(denied: Denied) -> Line:
    """A refused call, as `permission_denials` lists it."""
    return {"tool_name": denied.name, "tool_use_id": denied.call_id, "tool_input": dict(denied.input)}
