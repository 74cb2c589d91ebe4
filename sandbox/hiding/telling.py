"""What people and programs are told of what is hidden. Names are any bytes, and escaped here."""

from collections.abc import Mapping, Sequence

from sandbox.escape import escape
from sandbox.hiding.hidden import Hidden, Secret

NAMED = 3
"""Paths that one line names; the rest are counted."""


def summary(hidden: Hidden) -> str:
    """One line for people; empty if nothing is hidden."""
    names = [escape(secret.path) for secret in hidden.secrets]
    if not names:
        return ""
    shown = ", ".join(names[:NAMED])
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"hidden from the sandbox: {shown}{more} (paddock hidden)"


def reason(secret: Secret) -> str:
    """Why one path is hidden, and what hiding cannot do for it."""
    if not secret.is_tracked:
        return secret.reason
    return f"{secret.reason}; but git has it, and its history shows inside what was committed"


def as_json(hidden: Hidden) -> Mapping[str, Sequence[Mapping[str, object]]]:
    """The same for programs. A path that is not UTF-8 has U+FFFD in it, and its bytes beside it."""
    return {
        "hidden": [
            {**_name(secret.path), "reason": secret.reason, "in_git": secret.is_tracked} for secret in hidden.secrets
        ],
        "redacted": [_name(path) for path in hidden.redacted],
    }


def _name(path: bytes) -> Mapping[str, str]:
    try:
        return {"path": path.decode()}
    except UnicodeDecodeError:
        return {"path": path.decode("utf-8", "replace"), "path_hex": path.hex()}
