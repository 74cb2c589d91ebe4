"""Text as a model can be told it: decoded, numbered, and bounded with a mark where something is left out. Pure."""

from sandbox.base import Output


def decoded(data: bytes) -> str:
    """Bytes as text that any request can carry: bad UTF-8 becomes U+FFFD, NUL becomes visible."""
    return data.decode("utf-8", "replace").replace("\0", "\\0")


def clean(text: str) -> str:
    """A name with surrogate escapes (PEP 383) as text that any request can carry."""
    return decoded(text.encode("utf-8", "surrogateescape"))


def bounded(output: Output, limit: int, *, where: str = "") -> str:
    """A stream as text of about `limit` characters: its head and tail, and between them how much is left out."""
    text = decoded(output.all)
    if not output.omitted and len(text) <= limit:
        return text
    head, tail = decoded(output.head), decoded(output.tail)
    if not output.omitted:
        head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    head, tail = head[: limit // 2], tail[-(limit - limit // 2) :]
    told = len(head.encode()) + len(tail.encode())
    omitted = max(output.omitted + len(output.all) - told, 1)
    hint = f", {where}" if where else ""
    return f"{head}\n… {omitted} bytes omitted{hint} …\n{tail}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: `1 line`, `2 lines`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
