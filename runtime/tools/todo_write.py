"""TodoWrite: the model's own list of what is left to do, shown to the user and kept in the transcript."""

from typing import Annotated, Literal

import pydantic

from runtime.tools.text import plural
from runtime.tools.tool import Context, Result, Tool, ToolInput


class Todo(ToolInput):
    """One thing to do."""

    content: Annotated[str, pydantic.Field(min_length=1, description="What to do, as an order: 'Run the tests'")]
    status: Literal["pending", "in_progress", "completed"]
    activeForm: Annotated[  # noqa: N815  # the name users' scripts know
        str, pydantic.Field(description="The same while it is being done: 'Running the tests'")
    ] = ""


class TodoWriteInput(ToolInput):
    """The whole list, as it is from now on."""

    todos: tuple[Todo, ...]


async def todo_write(given: TodoWriteInput, context: Context) -> Result:
    """Replace the list."""
    old, new = context.bench.todos, [todo.model_dump() for todo in given.todos]
    context.bench.todos = new
    left = sum(todo.status != "completed" for todo in given.todos)
    return Result(f"The list is kept: {plural(left, 'item')} left.", detail={"oldTodos": old, "newTodos": new})


TODO_WRITE = Tool(
    name="TodoWrite",
    description=(
        "Keep a list of what is to be done in a task of several steps, so that nothing is forgotten and the user can "
        "follow. Give the whole list each time; have at most one item in progress."
    ),
    input=TodoWriteInput,
    read_only=True,
    summary=lambda given: plural(len(given.todos), "item"),
    run=todo_write,
)
