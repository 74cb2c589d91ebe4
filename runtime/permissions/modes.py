"""Whether a tool call may run: one pure decision with its reason.

Inside the sandbox nothing needs asking, because nothing a call does leaves it before the gate. What is left to decide
is what the user asked for: a mode in which the agent plans and changes nothing.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["default", "acceptEdits", "plan", "bypassPermissions"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Allow:
    """The call runs. `reason` is for logs."""

    reason: str


@dataclass(frozen=True)
class Deny:
    """The call does not run; the model is told `reason`."""

    reason: str


Decision = Allow | Deny


def decide(mode: Mode, tool: str, *, read_only: bool) -> Decision:
    """Whether `tool` may run in `mode`. Only `plan` refuses anything: whatever may change the workspace."""
    match mode:
        case "plan" if not read_only:
            return Deny(
                f"{tool} may change files, and this session only plans (permission mode 'plan'): "
                "read what you need, then describe the changes instead of making them"
            )
        case "plan":
            return Allow("reading is part of planning")
        case "default" | "acceptEdits" | "bypassPermissions":
            return Allow("the sandbox holds whatever it changes until the user approves it")
