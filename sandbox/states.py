"""What can be with a sandbox's container, and how long its life waits for what."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio

from sandbox.container import Container

Why = Literal["new", "idle", "died"]
"""Why there is no container: none was needed yet, nobody used the last one, or it ended by itself."""


@dataclass(frozen=True)
class Patience:
    """How long a life waits, in seconds.

    `idle`: without a call, until the container is ended; 0 never ends it. `engine`: for one that went away with our
    container, as an engine that is restarted is back within seconds. So many `deaths` within a `window` are a storm:
    nothing is started then until the first of them is a window ago.
    """

    idle: float = 1800.0
    engine: float = 20.0
    deaths: int = 3
    window: float = 60.0


@dataclass(frozen=True)
class Stopped:
    """There is no container. `untold`: why a start failed for which nobody waited."""

    why: Why
    untold: Exception | None = None


@dataclass(eq=False)
class Starting:
    """One is being made, until `done`; `error` says why there is none then. `was`: what was before."""

    was: Why
    done: anyio.Event = field(default_factory=anyio.Event)
    is_awaited: bool = False
    error: Exception | None = None


@dataclass(frozen=True, eq=False)
class Running:
    """Its guest has answered. `scope` holds what watches over it."""

    container: Container
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


@dataclass(frozen=True, eq=False)
class Stopping:
    """It is being removed, until `done`."""

    done: anyio.Event = field(default_factory=anyio.Event)


@dataclass(frozen=True)
class Refused:
    """There will be none: every call raises this."""

    error: Exception


State = Stopped | Starting | Running | Stopping | Refused


def storm(deaths: Sequence[float], now: float, patience: Patience) -> float:
    """Seconds in which nothing may be started, as the last containers ended too fast by themselves; 0: none do."""
    recent = [moment for moment in deaths if now - moment < patience.window]
    return recent[-patience.deaths] + patience.window - now if len(recent) >= patience.deaths else 0.0


def farewell(why: Why, patience: Patience) -> str:
    """What a person and a model have to know when a container has taken another's place; empty for the first one."""
    if why == "new":
        return ""
    reason = "had ended by itself"
    if why == "idle":
        waited = f"{patience.idle:g} s" if patience.idle < 120 else f"{patience.idle / 60:.0f} minutes"
        reason = f"was stopped after {waited} without a call"
    return (
        f"the sandbox {reason} and was started again: its files are as they were, /tmp and $HOME are empty, "
        "and no process of before runs any more"
    )
