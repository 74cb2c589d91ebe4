"""The model's last words in a session, read from the end of its transcript; they are the model's, and prove nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runtime.transcript import parsed

LOOKED_AT: Final = 1024 * 1024
"""Bytes at the transcript's end that are looked through."""


def last_words(transcript: Path) -> str:
    """The text of the newest answer that has any; empty if none is near the end, or there is no transcript."""
    try:
        with transcript.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOOKED_AT))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return ""
    for line in reversed(lines):
        entry = parsed(line)
        if entry is not None and entry.kind == "assistant" and entry.is_spoken and entry.message is not None:
            text = _text(entry.message)
            if text:
                return text
    return ""


def _text(message: Mapping[str, object]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content.strip()
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, Mapping) and block.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str)).strip()
