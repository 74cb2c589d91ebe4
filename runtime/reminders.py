"""What the model is told besides, marked as ours: files it knows that have moved, by name only, and a new container."""

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from sandbox.escape import escape
from sandbox.gate.edits import HostEdit

MOST = 20
"""Files a reminder names; the rest are counted."""
LONGEST = 300  # characters of a name


def mattering(edits: Sequence[HostEdit], root: PurePosixPath, seen: Collection[PurePosixPath]) -> list[HostEdit]:
    """The edits of files that the model has read, or that the sandbox has changed: of others it knows nothing wrong."""
    known = {bytes(path) for path in seen}
    return [edit for edit in edits if edit.shows == "merged" or bytes(root) + b"/" + edit.path in known]


def reminder(edits: Sequence[HostEdit]) -> str:
    """A block of text for the next request."""
    lines = [f"- {quoted(edit.path)}: {_meaning(edit)}" for edit in edits[:MOST]]
    if len(edits) > MOST:
        lines.append(f"- and {len(edits) - MOST:,} more")
    return "\n".join(
        (
            "<system-reminder>",
            "While you worked, the user changed files of the checkout that you have read or changed:",
            *lines,
            "This is for your information: do not undo these edits, and mention them only if they matter to the task.",
            "</system-reminder>",
        )
    )


def befallen(news: str) -> str:
    """What befell the sandbox, as a block of text for the next request; empty if nothing did."""
    return f"<system-reminder>\nWhat befell the sandbox meanwhile: {news}\n</system-reminder>" if news else ""


def _meaning(edit: HostEdit) -> str:
    did = {"added": "the user added it", "modified": "the user edited it", "deleted": "the user deleted it"}[edit.kind]
    match edit.shows:
        case "now" | "exposed":
            return f"{did}. What you know of it is out of date: read it again before you rely on it"
        case "later":
            return f"{did}. The sandbox may go on showing you the earlier version until it is started again"
        case "merged":
            return (
                f"{did}, and it was changed in the sandbox too. You go on seeing the sandbox's version; "
                "the two are merged when the changes are applied"
            )


def quoted(path: bytes) -> str:
    """A name that cannot end the reminder, nor look like one."""
    name = escape(path)
    return f'"{name if len(name) <= LONGEST else name[:LONGEST] + "…"}"'.replace("<", "\\x3c")
