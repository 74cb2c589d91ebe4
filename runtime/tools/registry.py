"""The tools there are, what the model is told about them, and how an input becomes a valid one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from runtime.history import speakable
from runtime.tools.background import BASH_OUTPUT, KILL_SHELL
from runtime.tools.bash import BASH
from runtime.tools.edit import EDIT
from runtime.tools.glob import GLOB
from runtime.tools.grep import GREP
from runtime.tools.ls import LS
from runtime.tools.multi_edit import MULTI_EDIT
from runtime.tools.read import READ
from runtime.tools.terminal import TERMINAL
from runtime.tools.todo_write import TODO_WRITE
from runtime.tools.tool import Tool, ToolFailed, ToolInput
from runtime.tools.write import WRITE

AnyTool = Tool[Any]
Registry = Mapping[str, AnyTool]

ALL: Registry = {
    tool.name: tool
    for tool in (BASH, BASH_OUTPUT, KILL_SHELL, TERMINAL, READ, WRITE, EDIT, MULTI_EDIT, GLOB, GREP, LS, TODO_WRITE)
}


OLD_AND_NEW: Mapping[str, str] = {"KillBash": "KillShell", "TaskStop": "KillShell", "TaskOutput": "BashOutput"}
"""Other versions' names for the same tool, which a model may remember from its training or from a conversation."""


def found(name: str, registry: Registry) -> AnyTool | None:
    """The tool a call means, if there is one."""
    return registry.get(name) or registry.get(OLD_AND_NEW.get(name, ""))


def definitions(registry: Registry) -> Sequence[Mapping[str, Any]]:
    """What the model is told about each tool, in the API's shape and in a fixed order, so that it stays cached."""
    return [
        {"name": tool.name, "description": tool.description, "input_schema": schema_of(tool.input)}
        for tool in registry.values()
    ]


def schema_of(model: type[ToolInput]) -> Mapping[str, Any]:
    """An input's JSON schema without the titles pydantic adds."""
    schema = without_titles(model.model_json_schema(by_alias=True))
    assert isinstance(schema, dict)
    return {key: value for key, value in schema.items() if key != "description"}


def without_titles(value: object) -> object:
    """A schema, each `title` that is a label (and not a property of that name) left out."""
    if isinstance(value, dict):
        return {
            key: without_titles(item) for key, item in value.items() if not (key == "title" and isinstance(item, str))
        }
    return [without_titles(item) for item in value] if isinstance(value, list) else value


def validated(tool: AnyTool, given: Mapping[str, Any]) -> ToolInput:
    """The input as the tool's own model. Raises ToolFailed that names each field and what is wrong with it."""
    if speakable(dict(given)) != given:
        raise ToolFailed(
            f"{tool.name} was not run, its input is not valid: it holds half a character (a lone surrogate)"
        )
    try:
        checked = tool.input.model_validate(dict(given))
    except pydantic.ValidationError as error:
        faults = "; ".join(fault_of(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()[:5])
        raise ToolFailed(f"{tool.name} was not run, its input is not valid: {faults}") from error
    assert isinstance(checked, ToolInput)
    return checked


def fault_of(place: Sequence[int | str], kind: str, message: str) -> str:
    """One fault of an input, in words."""
    name = ".".join(map(str, place)) or "the input"
    match kind:
        case "missing":
            return f"`{name}` is missing"
        case "extra_forbidden":
            return f"`{name}` is not a parameter of this tool"
        case "value_error":
            return f"`{name}` {message.removeprefix('Value error, ')}"
        case _:
            return f"`{name}`: {message}"


def unknown(name: str, registry: Registry) -> ToolFailed:
    """What to tell about a tool that does not exist."""
    return ToolFailed(f"there is no tool {name!r}; the tools are {', '.join(registry)}")
