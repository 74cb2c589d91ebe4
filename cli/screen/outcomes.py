"""What a finished tool call comes to, in a few lines: decided here, drawn in `blocks`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cli.words import count
from runtime.events import ToolFinished

WORTH_TELLING: Final = 0.1  # seconds; below that a call was instant
PATCH_LINES: Final = 12
TODO_SIGNS: Final = {"completed": "x", "in_progress": ">", "pending": " "}

Line = tuple[str, str]
"""Text that is not yet safe to show, and its style."""


def body(finished: ToolFinished) -> Sequence[Line]:
    """Lines to show below a call that did something worth seeing: an edit's patch, the list of things to do."""
    if finished.is_error:
        return ()
    match finished.name:
        case "Edit" | "MultiEdit" | "Write":
            lines = list(_patch(finished.detail.get("structuredPatch")))
            more = len(lines) - PATCH_LINES
            return [*lines[:PATCH_LINES], (f"… {more:,} more lines", "dim")] if more > 1 else lines
        case "Terminal":
            rows = finished.detail.get("screen")
            return [(str(row), "dim") for row in rows][-PATCH_LINES:] if isinstance(rows, Sequence) else ()
        case "TodoWrite":
            return list(_todos(finished.detail.get("newTodos")))
        case _:
            return ()


def ending(finished: ToolFinished) -> str:
    """How a call ended, in a few words; empty if there is nothing worth a line."""
    result = _result(finished)
    if finished.seconds < WORTH_TELLING or result.endswith("."):  # a sentence needs no clock
        return result
    return " · ".join(part for part in (result, f"{finished.seconds:.1f} s") if part)


def _result(finished: ToolFinished) -> str:
    detail = finished.detail
    match finished.name:
        case "Bash" if detail:
            return _bash(detail)
        case "BashOutput" | "KillShell" | "Terminal" if detail:
            return _background(detail)
        case _ if finished.is_error:
            return finished.text.strip() or "failed"
        case "Read":
            return count(_number(detail, "file", "numLines"), "line")
        case "Glob" | "Grep" if _number(detail, "numFiles"):
            return count(_number(detail, "numFiles"), "file")
        case "Grep":
            return count(_number(detail, "numLines"), "line")
        case "LS":
            names = detail.get("names")
            return count(len(names) if isinstance(names, Sequence) else 0, "name")
        case "Write" if detail.get("type") == "create":
            return count(len(str(detail.get("content", "")).splitlines()), "line")
        case _:
            return ""


def _bash(detail: Mapping[str, Any]) -> str:
    after = detail.get("timedOutAfterMs")
    if isinstance(after, int | float):
        return f"timed out after {after / 1000:g} s"
    if detail.get("backgroundTaskId"):
        return f"in the background as {detail['backgroundTaskId']}"
    if detail.get("outcomeUnknown"):
        return "outcome unknown"
    if isinstance(number := detail.get("signal"), int):
        return f"killed by signal {number}"
    code = detail.get("exitCode")
    meaning = detail.get("returnCodeInterpretation")
    if not isinstance(code, int) or code == 0:
        return ""
    return f"exit code {code}" + (f" ({meaning})" if meaning else "")


def _background(detail: Mapping[str, Any]) -> str:
    status, code = detail.get("status"), detail.get("exitCode")
    if detail.get("outcomeUnknown"):
        return "outcome unknown"
    return f"exit code {code}" if status == "exited" else str(status)


def _patch(hunks: object) -> Iterator[Line]:
    for hunk in hunks if isinstance(hunks, Sequence) else ():
        for line in hunk.get("lines", ()) if isinstance(hunk, Mapping) else ():
            text = str(line)
            if text[:1] in "+-":
                yield text, "green" if text.startswith("+") else "red"


def _todos(todos: object) -> Iterator[Line]:
    for todo in todos if isinstance(todos, Sequence) else ():
        if isinstance(todo, Mapping):
            status = str(todo.get("status"))
            yield f"[{TODO_SIGNS.get(status, '?')}] {todo.get('content')}", "dim" if status == "completed" else ""


def _number(detail: Mapping[str, Any], *names: str) -> int:
    value: object = detail
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) else 0
