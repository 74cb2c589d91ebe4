"""Who decides: the mode for tool calls, the rules of settings files for what leaves the sandbox."""

from runtime.permissions.modes import MODES, Allow, Decision, Deny, Mode, decide
from runtime.permissions.verdict import Verdict

__all__ = ["MODES", "Allow", "Decision", "Deny", "Mode", "Verdict", "decide"]
