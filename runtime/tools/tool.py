"""What a tool is: a name, an input model, whether it only reads, and one async function."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import pydantic

from sandbox.base import OnOutput, Sandbox
from sandbox.limits import LimitReached

if TYPE_CHECKING:
    from runtime.tools.screen import Screen


class ToolFailed(Exception):
    """A tool could not do what it was asked; the model is told the text and goes on."""


class ToolInput(pydantic.BaseModel):
    """The input of a tool. Unknown keys are refused, so that a misspelt one is not silently without effect."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


In = TypeVar("In", bound=ToolInput)


@dataclass(frozen=True)
class Result:
    """What a call came to: what the model is told, whether that is bad news, the same in structure, limits it met.

    `refused` are sentences for the user about what nobody inside was let ask.
    """

    text: str
    is_error: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)
    limits: Sequence[LimitReached] = ()
    refused: Sequence[str] = ()


@dataclass
class Workbench:
    """What the tools of one agent share: the sandbox, and what they remember between calls.

    `cwd` is where Bash stands, inside. `seen` maps each file the model has read or written to the digest of what it
    saw. `outputs` is a folder on the host, private, for outputs that are too long to tell. `agent` is the name under
    which changes are put down to its calls. `told_ended` names the background commands whose end the model knows of,
    `screens` what the terminals among them show.
    """

    sandbox: Sandbox
    cwd: PurePosixPath
    outputs: Path
    seen: dict[PurePosixPath, str] = field(default_factory=dict)
    todos: list[dict[str, str]] = field(default_factory=list)
    agent: str = "main"
    told_ended: set[str] = field(default_factory=set)
    screens: "dict[str, Screen]" = field(default_factory=dict)

    def saw(self, path: PurePosixPath, data: bytes) -> None:
        """Remember what the model knows of a file."""
        self.seen[path] = digest(data)

    def is_current(self, path: PurePosixPath, data: bytes) -> bool:
        """Whether the model's knowledge of a file is what the file holds now."""
        return self.seen.get(path) == digest(data)


@dataclass(frozen=True)
class Context:
    """One call's surroundings: the workbench, the call's id, and who wants to see output as it comes."""

    bench: Workbench
    call_id: str
    on_output: OnOutput

    @property
    def sandbox(self) -> Sandbox:
        """Where the call acts."""
        return self.bench.sandbox


@dataclass(frozen=True)
class Tool(Generic[In]):
    """A tool the model may call. `summary` makes one line for people out of an input; `run` may raise ToolFailed."""

    name: str
    description: str
    input: type[In]
    read_only: bool
    summary: Callable[[In], str]
    run: Callable[[In, Context], Awaitable[Result]]


def digest(data: bytes) -> str:
    """What a file's content is remembered by."""
    return hashlib.sha256(data).hexdigest()


def absolute(path: str) -> str:
    """Refuse what is not an absolute path inside; there is no shell here to expand `~` or a relative one."""
    if not path.startswith("/"):
        raise ValueError("must be an absolute path, beginning with '/'")
    if "\0" in path:
        raise ValueError("must not hold a NUL byte")
    if len(path) > 4096:
        raise ValueError("is longer than any path can be (4096)")
    return path


AbsolutePath = Annotated[str, pydantic.AfterValidator(absolute)]
"""An absolute path inside the sandbox; nothing on the host can be named by it."""
