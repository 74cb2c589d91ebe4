"""Telling the model and its user which files are hidden, so that nobody takes them for missing."""

from collections.abc import Callable

from runtime.conversation import Conversation
from runtime.events import Event, Notice
from runtime.reminders import MOST, quoted
from sandbox.base import Sandbox
from sandbox.hiding.hidden import Hidden
from sandbox.hiding.telling import summary


async def tell_hidden(sandbox: Sandbox, conversation: Conversation, emit: Callable[[Event], None]) -> None:
    """Say it once for every state of it: a conversation that goes on knows already. Raises SandboxError."""
    hidden = await sandbox.hidden()
    text = reminder(hidden)
    if text and not _has_said(conversation, text):
        conversation.say("user", {"role": "user", "content": [{"type": "text", "text": text}]}, {"isMeta": True})
        emit(Notice(summary(hidden)))


def reminder(hidden: Hidden) -> str:
    """A block of text for the next request: names only. Empty if nothing is hidden."""
    if not hidden.secrets:
        return ""
    lines = [f"- {quoted(secret.path)}" for secret in hidden.secrets[:MOST]]
    if len(hidden.secrets) > MOST:
        lines.append(f"- and {len(hidden.secrets) - MOST:,} more")
    return "\n".join(
        (
            "<system-reminder>",
            "The user's project has these files, but they may hold secrets and are hidden from the sandbox:",
            *lines,
            "They are not missing: do not make or restore them, and do not commit that they are gone.",
            "If the task needs one, say which and why: the user can include it.",
            "</system-reminder>",
        )
    )


def _has_said(conversation: Conversation, text: str) -> bool:
    return any(block.get("text") == text for message in conversation.messages for block in message["content"])
