"""What is said in a session: messages as the API takes them, each of which the transcript has first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.history import sendable, speakable
from runtime.transcript import Transcript


@dataclass
class Conversation:
    """The one door through which history grows. Every method raises OutOfSpace if the disk is full."""

    transcript: Transcript
    messages: list[dict[str, Any]]

    def say(self, role: str, message: Mapping[str, Any], fields: Mapping[str, Any] | None = None) -> str:
        """Record a message, then make it part of the conversation; its uuid. What the API would refuse stays out."""
        clean = speakable(dict(message))
        identity = self.transcript.append(role, {"message": clean, **(fields or {})})
        self._join(role, clean["content"])
        return identity

    def set_aside(self, message: Mapping[str, Any]) -> str:
        """Record an answer that broke off or was refused, and go on as if it had not been given; its uuid."""
        fields = {"message": speakable(dict(message)), "aborted": True}
        return self.transcript.append("assistant", fields, abandoned=True)

    def record_result(self, block: Mapping[str, Any], detail: Mapping[str, Any] | None, asker: str | None) -> str:
        """Record the result of one call, which becomes part of the conversation with `join_results`; its uuid."""
        message = {"role": "user", "content": [block]}
        fields = {"message": message, "toolUseResult": detail, "sourceToolAssistantUUID": asker}
        return self.transcript.append("user", fields)

    def join_results(self, blocks: Iterable[Mapping[str, Any]]) -> None:
        """Answer all calls of the last message at once, as the API wants it."""
        self.messages.append({"role": "user", "content": list(blocks)})

    def call_ids(self) -> set[str]:
        """The ids of every call so far."""
        blocks = (block for message in self.messages for block in message["content"])
        return {block["id"] for block in blocks if block["type"] == "tool_use"}

    def _join(self, role: str, content: Any) -> None:  # noqa: ANN401  # as the API has it: text or blocks
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        kept = sendable(blocks)
        if kept and role == "user" and self.messages and self.messages[-1]["role"] == "user":
            self.messages[-1] = {"role": role, "content": [*self.messages[-1]["content"], *kept]}  # roles alternate
        elif kept:
            self.messages.append({"role": role, "content": kept})
