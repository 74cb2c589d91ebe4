"""Text from anywhere, made fit for a terminal: the only way any of it gets on the screen."""

from sandbox.escape import escape


def line(text: str | bytes) -> str:
    """One line of printable text, whatever came in; a newline inside is spelled out too."""
    return escape(text)


def lines(text: str | bytes) -> list[str]:
    """Printable lines, split on \\n and on nothing else; tabs become blanks, a last empty line is dropped."""
    parts = text.split(b"\n") if isinstance(text, bytes) else text.split("\n")
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    return [escape(part, tabs=True).expandtabs(8) for part in parts]


def path(name: bytes) -> str:
    """A path as people read it, on one line."""
    return escape(name)
