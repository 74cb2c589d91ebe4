"""What happens during a run, as values: the screen, the log and stream-json read these and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.gate.edits import HostEdit
from sandbox.limits import LimitName, LimitReached

Outcome = Literal["success", "max-turns", "max-budget", "interrupted", "failed"]


@dataclass(frozen=True)
class Usage:
    """Tokens and money, added up. `dollars` is an estimate; None if the model's price is unknown."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    dollars: float | None = 0.0


@dataclass(frozen=True)
class Started:
    """A run begins: what stream-json calls `system/init`."""

    session_id: str
    cwd: str
    model: str
    permission_mode: str
    tools: Sequence[str]


@dataclass(frozen=True)
class Partial:
    """One raw event of the model's stream, as the API names it (`content_block_delta` …)."""

    event: Mapping[str, Any]


@dataclass(frozen=True)
class TextDelta:
    """A piece of the model's visible answer, as it streams."""

    text: str


@dataclass(frozen=True)
class AssistantMessage:
    """A whole answer of the model, already recorded, in the Messages API's shape. `aborted`: cut by an interrupt."""

    uuid: str
    message: Mapping[str, Any]
    aborted: bool = False


@dataclass(frozen=True)
class ToolStarted:
    """A tool call begins. `summary` is one line for people: a command, a path, a pattern."""

    call_id: str
    name: str
    input: Mapping[str, Any]
    summary: str


@dataclass(frozen=True)
class ToolOutput:
    """A chunk of a running tool's output. Untrusted bytes: whoever draws them escapes them."""

    call_id: str
    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True)
class ToolFinished:
    """A tool call ended; `text` is exactly what the model is told, `detail` the structured `tool_use_result`."""

    call_id: str
    name: str
    text: str
    is_error: bool
    seconds: float
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LimitsReached:
    """While a tool call ran, limits of the sandbox were reached: by it, or by another beside it."""

    call_id: str
    limits: Sequence[LimitReached]


@dataclass(frozen=True)
class UserMessage:
    """What was recorded as the user's side: a prompt, or the result of a tool call."""

    uuid: str
    message: Mapping[str, Any]
    tool_use_result: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Retrying:
    """The model's service failed and the SDK waits to try again. `status` None: no answer came at all."""

    attempt: int
    max_retries: int
    delay: float
    status: int | None
    error: str


@dataclass(frozen=True)
class Notice:
    """One sentence for the user that is not the model's: something was repaired, skipped, or is worth knowing."""

    text: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True)
class HostEdited:
    """The user changed files of the checkout while the session runs. Names are any bytes: who draws them escapes."""

    edits: Sequence[HostEdit]


@dataclass(frozen=True)
class Denied:
    """A tool call that was not allowed; the model was told `reason`."""

    call_id: str
    name: str
    input: Mapping[str, Any]
    reason: str


@dataclass(frozen=True)
class Finished:
    """The run is over, and the session is in order whatever the outcome.

    `text` is the last visible answer, `error` the sentence that explains a failed outcome. Seconds are wall time;
    `api_seconds` those of them spent waiting for the model. `limits` counts how often each of the
    sandbox's was reached.
    """

    outcome: Outcome
    text: str
    turns: int
    seconds: float
    api_seconds: float
    usage: Usage
    model: str
    stop_reason: str | None = None
    error: str = ""
    denials: Sequence[Denied] = ()
    limits: Mapping[LimitName, int] = field(default_factory=dict)


Event = (
    Started
    | Partial
    | TextDelta
    | AssistantMessage
    | ToolStarted
    | ToolOutput
    | ToolFinished
    | LimitsReached
    | UserMessage
    | Retrying
    | Notice
    | HostEdited
    | Denied
    | Finished
)
