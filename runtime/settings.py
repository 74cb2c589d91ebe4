"""What a caller chooses about an agent, as values; flags and environment are read in `cli` and end up here."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from runtime.permissions import Mode

Provider = Literal["anthropic", "bedrock", "vertex"]

DEFAULT_MODEL = "claude-sonnet-5-5"
ALIASES = {
    "default": DEFAULT_MODEL,
    "sonnet": "claude-sonnet-5-5",
    "opus": "claude-opus-5-5",
    "haiku": "claude-haiku-5-5",
    "fable": "claude-fable-5-1",
}
"""Short names people type; anything else goes to the service as it is."""


@dataclass(frozen=True)
class ModelChoice:
    """Which model answers, and how it is reached.

    `base_url` and `api_key` None leave the choice to the SDK's own environment variables and profiles. `max_retries`
    counts the SDK's retries of one request, `stream_retries` how often an answer that broke off is asked for again.
    `idle_timeout` is how many seconds a stream may stay without an event, whatever keeps the connection alive;
    `longest_wait` how many seconds the service may ask us to wait before that is an error instead.
    """

    name: str = DEFAULT_MODEL
    provider: Provider = "anthropic"
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    max_tokens: int = 32_000
    max_retries: int = 4
    stream_retries: int = 2
    idle_timeout: float = 300.0
    longest_wait: float = 120.0

    @property
    def full_name(self) -> str:
        """The name the service knows, with our aliases spelled out."""
        return ALIASES.get(self.name, self.name)


@dataclass(frozen=True)
class Bounds:
    """What the agent may do and how far it may go. `None` means no limit.

    `max_turns` counts the model's answers in one run; `max_dollars` is what all runs of one agent may cost together.
    """

    mode: Mode = "default"
    max_turns: int | None = None
    max_dollars: float | None = None


@dataclass(frozen=True)
class Places:
    """Where the work is.

    `checkout` is the folder on the host: only its instruction files are read there, as text. `cwd` is where the agent
    starts inside the sandbox, None for the workspace's root. `user` is the folder of the user's own instructions
    (`~/.claude`), None to read none.
    """

    checkout: Path
    cwd: PurePosixPath | None = None
    user: Path | None = None
